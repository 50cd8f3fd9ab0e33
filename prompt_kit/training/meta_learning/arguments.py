"""What tools/meta_train.py can be told, as a checked dataclass."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from prompt_kit.cli.parser import ArgumentParser
from prompt_kit.errors import ConfigError
from prompt_kit.json_file import is_number
from prompt_kit.training.loop.command_line import add_flags
from prompt_kit.training.loop.device import choose_device
from prompt_kit.training.meta_learning.episodes import Size

ALGORITHMS = ("prototype", "fomaml", "reptile")
_HEADS = ("cosine", "soft")
_GROUPS = {"what": "what is learned", "episodes": "episodes", "train": "training", "evaluate": "evaluation"}
_EXAMPLES = """\
examples:
  python tools/meta_train.py --data_dir many_labels --output_dir prototypes
  python tools/meta_train.py --data_dir tasks/ --algorithm reptile --verbalizer soft --output_dir start
  python train.py --do_train --do_eval --verbalizer soft --init_prompt_from start --output_dir target
"""


def _flag(default, text, group, **metadata):
    return field(default=default, metadata={"help": text, "group": group, **metadata})


@dataclass
class MetaArguments:
    """Which tasks, which algorithm, how long."""

    data_dir: list[str] = _flag(
        None, "folders with label.txt and train.txt, or folders of such folders; an episode is of one of them", "what"
    )
    output_dir: str = _flag(None, "where the model goes, which export.py and --init_prompt_from take", "what")
    algorithm: str = _flag(
        "prototype",
        "prototype: a text is to be nearest to the mean of its label's examples; fomaml, reptile: a start of the prompt from "
        "which a few steps of training go far, the language model frozen",
        "what",
        choices=ALGORITHMS,
    )
    model_name_or_path: Optional[str] = _flag(None, "as of train.py", "what")
    prompt: Optional[str] = _flag(None, "as of train.py (default: the first of its neutral templates)", "what")
    soft_encoder: str = _flag("lstm", "as of train.py", "what", choices=("lstm", "mlp", "none"))
    encoder_hidden_size: int = _flag(200, "as of train.py", "what")
    verbalizer: str = _flag(
        "cosine", "the head of fomaml and reptile: cosine or soft; of prototype: cosine", "what", choices=_HEADS
    )
    max_seq_length: int = _flag(128, "as of train.py", "what")
    overwrite_output_dir: bool = _flag(False, "replace what output_dir holds", "what")
    ways: int = _flag(5, "labels of an episode", "episodes")
    shots: int = _flag(5, "examples of each label to learn from", "episodes")
    queries: int = _flag(5, "other examples of each label, that the loss is of", "episodes")
    steps: int = _flag(200, "training steps", "train")
    tasks_per_step: int = _flag(1, "episodes of a step", "train")
    learning_rate: float = _flag(
        2e-5, "peak rate of the language model, of prototype; it falls to 0 on a line", "train"
    )
    prompt_learning_rate: float = _flag(2e-4, "the same of the prompt, of prototype and fomaml", "train")
    freeze_plm: bool = _flag(False, "train the prompt alone; fomaml and reptile always do", "train")
    inner_steps: int = _flag(5, "steps of training in an episode, of fomaml and reptile", "train")
    inner_learning_rate: float = _flag(1e-3, "their rate", "train")
    reptile_rate: float = _flag(
        0.5, "how far a step of reptile goes towards where its episodes end, 1 is all the way", "train"
    )
    seed: int = _flag(0, "of the episodes and of dropout", "train")
    device: Optional[str] = _flag(None, "cpu, gpu (default: a GPU if there is one)", "train")
    eval_data_dir: Optional[str] = _flag(
        None, "folder whose labels are not trained on; those that data_dir has by name or word are left out", "evaluate"
    )
    eval_shots: list[int] = _flag((1, 5), "shots to evaluate with", "evaluate")
    eval_queries: int = _flag(15, "queries a label", "evaluate")
    eval_episodes: int = _flag(600, "episodes for each number of shots", "evaluate")

    def __post_init__(self):
        for name in ("data_dir", "output_dir"):
            if not getattr(self, name):
                raise ConfigError(f"--{name} is missing; give it")
        for names, fits, wanted in (
            (("ways",), lambda value: 2 <= value <= 1000, "2 to 1000"),
            (
                ("shots", "queries", "steps", "tasks_per_step", "inner_steps", "eval_queries", "eval_episodes"),
                lambda value: 1 <= value <= 10**6,
                "1 to 1000000",
            ),
            (
                ("learning_rate", "prompt_learning_rate", "inner_learning_rate", "reptile_rate"),
                lambda value: is_number(value) and 0 < value <= 10,
                "above 0 and 10 at most",
            ),
            (("seed",), lambda value: 0 <= value < 2**32, "0 to 4294967295"),
        ):
            for name in names:
                if not fits(getattr(self, name)):
                    raise ConfigError(f"--{name} must be {wanted}, got {getattr(self, name)}")
        if any(shots < 1 for shots in self.eval_shots):
            raise ConfigError(f"--eval_shots must be 1 or more, got {min(self.eval_shots)}")
        if self.algorithm == "prototype" and self.verbalizer != "cosine":
            raise ConfigError(f"--verbalizer {self.verbalizer} is for fomaml and reptile; drop it")
        self.freeze_plm = self.freeze_plm or self.algorithm != "prototype"
        self.device = choose_device(self.device)

    @property
    def size(self) -> Size:
        return Size(self.ways, self.shots, self.queries)


def build_parser() -> ArgumentParser:
    """The parser of tools/meta_train.py."""
    parser = ArgumentParser(
        prog="meta_train.py",
        usage="tools/meta_train.py --data_dir FOLDER [FOLDER ...] --output_dir FOLDER [flags]",
        description="Learn to learn from few examples, on many small tasks drawn from labelled folders.",
        epilog=_EXAMPLES,
    )
    add_flags(parser, _GROUPS, MetaArguments)
    return parser


def parse_arguments(argv: Optional[Sequence[str]] = None) -> MetaArguments:
    """Parse and check."""
    given: argparse.Namespace = build_parser().parse_args(argv)
    return MetaArguments(**vars(given))
