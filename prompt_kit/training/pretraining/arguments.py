"""What tools/pretrain.py can be told, as a checked dataclass; its flags are made of it."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from paddlenlp.trainer import TrainingArguments

from prompt_kit.cli.parser import ArgumentParser
from prompt_kit.errors import ConfigError
from prompt_kit.training.loop.arguments import _flag
from prompt_kit.training.loop.command_line import add_flags
from prompt_kit.training.loop.device import choose_device, not_joining
from prompt_kit.training.loop.flag_rules import check_numbers, check_place, check_places, choose_reports
from prompt_kit.training.pretraining.from_scratch import FAMILIES, Sizes

_OF_SCRATCH = ("family", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
_GROUPS = {
    "data": "data", "model": "language model", "scratch": "language model from scratch", "rtd": "replaced-token detection",
    "teacher": "distillation", "train": "training",
}  # fmt: skip
OBJECTIVES = ("mlm", "rtd")
_EXAMPLES = """examples:
  python tools/pretrain.py --train_files data/tnews/data.txt data/tnews/train.txt --output_dir adapted
  python tools/pretrain.py --from_scratch --train_files corpus.txt.gz --num_hidden_layers 3 --output_dir small
  python tools/pretrain.py --objective rtd --from_scratch --train_files corpus.txt.gz --output_dir electra
  python train.py --do_train --do_eval --model_name_or_path adapted
"""


@dataclass
class PretrainingArguments:
    """Which texts, which language model, and how to train it. None means chosen by what the others are."""

    train_files: Optional[list[str]] = _flag(
        None, "text files, one text a line (.txt, .gz); labels are cut off", "data"
    )
    exclude_files: Optional[list[str]] = _flag(
        None,
        "texts that are never trained on, beside dev.txt and test.txt in the folders of the train files; none: not these "
        "either",
        "data",
    )
    eval_file: Optional[str] = _flag(None, "held-out lines (default: a share of the train files)", "data")
    held_out: float = _flag(0.05, "share of the lines to hold out, 1000 lines at most; 0 is none", "data")
    model_name_or_path: Optional[str] = _flag(
        None,
        "masked language model to adapt, or for rtd to begin with: a folder, a PaddleNLP name or mini_zh (default: as train.py)",
        "model",
    )
    trust_pickle: bool = _flag(False, "load a folder's .pdparams, a pickle, which can run any code", "model")
    objective: str = _flag(
        "mlm",
        "mlm: guess hidden words; rtd: an ELECTRA, whose generator guesses them and whose discriminator tells which guesses are "
        "not the original words",
        "model",
        choices=OBJECTIVES,
    )
    from_scratch: bool = _flag(False, "start from random weights instead", "model")
    family: Optional[str] = _flag(
        None, "of a model from scratch (default: ernie, for rtd electra)", "scratch", choices=FAMILIES
    )
    hidden_size: Optional[int] = _flag(None, "its width (default: 256)", "scratch")
    num_hidden_layers: Optional[int] = _flag(None, "its layers (default: 4)", "scratch")
    num_attention_heads: Optional[int] = _flag(None, "its attention heads (default: 4)", "scratch")
    intermediate_size: Optional[int] = _flag(None, "its feed-forward width (default: 4 x hidden_size)", "scratch")
    vocab_file: Optional[str] = _flag(None, "its vocab.txt (default: one made of the texts)", "scratch")
    vocab_size: Optional[int] = _flag(None, "largest vocabulary to make of the texts (default: 8000)", "scratch")
    cased: bool = _flag(False, "keep case and accents", "scratch")
    generator_size: Optional[float] = _flag(
        None, "share of the width that the generator of a model from scratch has (default: 0.25)", "rtd"
    )
    detection_weight: Optional[float] = _flag(None, "of the discriminator's loss (default: 50)", "rtd")
    max_seq_length: int = _flag(128, "longest input in tokens; longer lines are cut into several", "model")
    fp16_weights: bool = _flag(False, "store the weights in half precision: half the size", "model")
    teacher_vectors: Optional[str] = _flag(
        None,
        ".npy of another encoder's vectors, a row a line of the one train file: prompts' states learn to tell them",
        "teacher",
    )
    teacher_weight: Optional[float] = _flag(None, "of telling them in the loss (default: 6)", "teacher")
    relation_weight: Optional[float] = _flag(
        None, "of the likeness of a batch's lines to each other (default: 1)", "teacher"
    )
    mlm_weight: Optional[float] = _flag(None, "of masked-language modelling beside them (default: 0.5)", "teacher")
    output_dir: str = _flag("./adapted", "where the model goes", "train")
    overwrite_output_dir: bool = _flag(False, "replace the run that output_dir holds", "train")
    resume_from_checkpoint: Optional[str] = _flag(
        None, "output_dir, or a checkpoint-N in it: go on with the run; give its other flags again", "train"
    )
    num_train_epochs: float = _flag(6.0, "times that every line is seen, with other words hidden", "train")
    max_steps: int = _flag(-1, "steps instead of epochs", "train")
    batch_tokens: int = _flag(2048, "tokens of a batch on each device, padding included", "train")
    gradient_accumulation_steps: int = _flag(1, "batches of a step", "train")
    mask_probability: float = _flag(0.15, "share of the words that are hidden", "train")
    learning_rate: Optional[float] = _flag(
        None, "peak rate (default: 5e-5 for a base-size model, 1e-4 for a small one; from scratch 1e-4, 1e-3)", "train"
    )
    warmup_ratio: float = _flag(0.1, "share of the steps with a rising rate, after which it falls to 0", "train")
    weight_decay: float = _flag(0.01, "of all but biases and norms", "train")
    adam_beta2: float = _flag(0.98, "Adam's beta2", "train")
    max_grad_norm: float = _flag(1.0, "norm to which gradients are clipped; 0: they are not", "train")
    eval_steps: Optional[int] = _flag(
        None,
        "steps between held-out losses, each with a checkpoint (default: a tenth of the run, 500 at most)",
        "train",
    )
    save_total_limit: int = _flag(1, "checkpoints to keep; a finished run keeps none", "train")
    seed: int = _flag(42, "of data order, masks, dropout, what is held out, and random weights", "train")
    device: Optional[str] = _flag(None, "cpu, gpu, gpu:0 … (default: a GPU if there is one)", "train")
    bf16: bool = _flag(False, "mixed precision, on a GPU", "train")
    report_to: str = _flag("none", "visualdl, or none", "train", choices=("visualdl", "none"))
    verbose: bool = _flag(False, "show PaddleNLP's own log too", "train")

    def __post_init__(self):
        if not self.train_files:
            raise ConfigError("nothing to train on: give --train_files, text files with one text a line")
        given = [name for name in (*_OF_SCRATCH, "vocab_file", "vocab_size") if getattr(self, name) is not None]
        given += ["cased"] if self.cased else []
        if given and not self.from_scratch:
            raise ConfigError(f"--{given[0]} is for a new model; add --from_scratch, or drop it")
        if self.from_scratch and self.model_name_or_path is not None:
            raise ConfigError(
                f"--from_scratch contradicts --model_name_or_path {self.model_name_or_path}; drop one of them"
            )
        if self.vocab_file is not None and self.vocab_size is not None:
            raise ConfigError(f"--vocab_size {self.vocab_size} contradicts --vocab_file, which has a size; drop it")
        self._check_teacher()
        check_numbers(self)
        check_places(self)
        for path in (*self.train_files, *(self.exclude_files or ())):
            check_place("--train_files" if path in self.train_files else "--exclude_files", path)
        self.report_to = choose_reports(self.report_to)
        self._check_electra()
        for names, fits, wanted in (
            (("num_train_epochs", "learning_rate"), lambda value: value > 0, "above 0"),
            (
                ("batch_tokens", "gradient_accumulation_steps", "eval_steps", "save_total_limit"),
                lambda value: value >= 1,
                "at least 1",
            ),
            (("max_seq_length",), lambda value: value >= 3, "at least 3, [CLS] and [SEP] included"),
            (("weight_decay", "max_grad_norm", "seed"), lambda value: value >= 0, "0 or more"),
            (("held_out", "warmup_ratio", "adam_beta2"), lambda value: 0 <= value < 1, "at least 0 and below 1"),
            (("mask_probability",), lambda value: 0 < value < 1, "between 0 and 1"),
        ):
            for name in names:
                value = getattr(self, name)
                if value is not None and not fits(value):
                    raise ConfigError(f"--{name} must be {wanted}, got {value}")
        self.device = choose_device(self.device)
        if self.bf16 and not self.device.startswith("gpu"):
            raise ConfigError(f"--bf16 needs a GPU, but the device is {self.device}; drop --bf16")

    def _check_electra(self) -> None:
        for name in ("generator_size", "detection_weight"):
            value = getattr(self, name)
            if value is None:
                continue
            if self.objective != "rtd":
                raise ConfigError(f"--{name} {value} is for --objective rtd; add it, or drop --{name}")
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"--{name} must be above 0, got {value}")
        if self.objective != "rtd":
            return
        if self.generator_size is not None and (not self.from_scratch or self.generator_size > 1):
            raise ConfigError(
                f"--generator_size {self.generator_size}: expected 1 at most, and --from_scratch; a generator that is there has "
                "its size"
            )
        if self.family not in (None, "electra"):
            raise ConfigError(
                f"--family {self.family} contradicts --objective rtd, which trains an electra; drop --family"
            )
        if self.teacher_vectors is not None:
            raise ConfigError("--teacher_vectors is for --objective mlm; drop one of them")
        if not self.from_scratch and self.model_name_or_path is None:
            raise ConfigError(
                "--objective rtd has no model to start from; add --from_scratch, or --model_name_or_path with mini_zh, another "
                "masked language model, or a folder that an earlier run with --objective rtd wrote"
            )

    def _check_teacher(self) -> None:
        for name in ("teacher_weight", "relation_weight", "mlm_weight"):
            value = getattr(self, name)
            if value is None:
                continue
            if self.teacher_vectors is None:
                raise ConfigError(f"--{name} is for distillation; add --teacher_vectors, or drop it")
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"--{name} must be 0 or more, got {value}")
        files = self.train_files or []
        if self.teacher_vectors is not None and len(files) > 1:
            raise ConfigError(
                f"--teacher_vectors holds a row a line of one file, but --train_files names {len(files)}; put their "
                "lines into one file, in the order of the rows"
            )

    @property
    def distillation_weights(self) -> dict[str, float]:
        """The given ones, by the names of distillation.Weights."""
        given = {"teacher": self.teacher_weight, "relation": self.relation_weight, "mlm": self.mlm_weight}
        return {name: value for name, value in given.items() if value is not None}

    def resolved(self, steps_per_epoch: int, hidden_size: int) -> PretrainingArguments:
        """These with their steps, and with the learning rate and eval_steps filled in if they were not given."""
        steps = self.max_steps if self.max_steps > 0 else max(1, int(steps_per_epoch * self.num_train_epochs))
        small = hidden_size < 512
        rate = (1e-3 if small else 1e-4) if self.from_scratch else (1e-4 if small else 5e-5)
        return dataclasses.replace(
            self,
            max_steps=steps,
            learning_rate=rate if self.learning_rate is None else self.learning_rate,
            eval_steps=min(500, max(1, round(steps / 10))) if self.eval_steps is None else self.eval_steps,
        )

    def trainer_arguments(self) -> TrainingArguments:
        """What PaddleNLP's Trainer is told; of what is `resolved`."""
        with not_joining():
            return self._trainer_arguments()

    def _trainer_arguments(self) -> TrainingArguments:
        return TrainingArguments(
            output_dir=self.output_dir,
            max_steps=self.max_steps,
            learning_rate=self.learning_rate,
            warmup_ratio=self.warmup_ratio,
            weight_decay=self.weight_decay,
            adam_beta2=self.adam_beta2,
            max_grad_norm=self.max_grad_norm,
            gradient_accumulation_steps=self.gradient_accumulation_steps,
            per_device_train_batch_size=1,  # the Trainer only logs it: batches are made of tokens
            evaluation_strategy="steps" if self.holds_out else "no",
            eval_steps=self.eval_steps,
            save_strategy="steps",
            save_steps=self.eval_steps,
            save_total_limit=self.save_total_limit,
            logging_strategy="steps",
            logging_steps=self.eval_steps,
            seed=self.seed,
            device=self.device,
            bf16=self.bf16,
            report_to=[] if self.report_to == "none" else [self.report_to],
            disable_tqdm=not sys.stderr.isatty(),
        )

    @property
    def sizes(self) -> Optional[Sizes]:
        """Of a model from scratch, else None."""
        if not self.from_scratch:
            return None
        given = {name: getattr(self, name) for name in _OF_SCRATCH if getattr(self, name) is not None}
        if self.objective == "rtd":
            given["family"] = "electra"
        return Sizes(**given, positions=self.max_seq_length)

    @property
    def holds_out(self) -> bool:
        """Whether there are lines to evaluate on."""
        return self.eval_file is not None or self.held_out > 0


def build_parser() -> ArgumentParser:
    """The parser of tools/pretrain.py."""
    parser = ArgumentParser(
        prog="pretrain.py",
        usage="tools/pretrain.py --train_files FILE [FILE ...] [flags]",
        description="Go on training a masked language model on plain text.",
        epilog=_EXAMPLES,
    )
    add_flags(parser, _GROUPS, PretrainingArguments)
    return parser


def parse_arguments(argv: Optional[Sequence[str]] = None) -> PretrainingArguments:
    """Parse and check."""
    given: argparse.Namespace = build_parser().parse_args(argv)
    return PretrainingArguments(**vars(given))
