"""The dataclasses of arguments.py as the command line of train.py: ours first, then what PaddleNLP's Trainer takes."""

from __future__ import annotations

import argparse
import dataclasses
import enum
import logging
import typing
from collections.abc import Sequence
from typing import Any, Optional

import paddle

from prompt_kit.cli.parser import ArgumentParser, typed
from prompt_kit.errors import ConfigError
from prompt_kit.prompt.task import MULTI_CLASS
from prompt_kit.training.loop.arguments import DataArguments, ModelArguments, PromptTrainingArguments
from prompt_kit.training.loop.flag_rules import check_needs
from prompt_kit.training.loop.presets import preset_values
from prompt_kit.training.loop.task_rules import check_task

logger = logging.getLogger(__name__)

_PROMPT_ONLY = ("prompt", "verbalizer", "soft_encoder", "encoder_hidden_size", "calibrate", "init_prompt_from")

# What PaddleNLP prints with a configuration though it is derived: accepted, so that a printed one can be pasted.
DERIVED = (
    "_no_sync_in_gradient_accumulation current_device dataset_rank dataset_world_size data_parallel_rank "
    "data_parallel_degree eval_batch_size local_process_index logical_process_index log_level log_level_replica "
    "optimizer_name_suffix pipeline_parallel_rank process_index sharding_parallel_rank should_load_dataset "
    "should_load_sharding_stage1_model should_log should_save should_save_model_state "
    "should_save_sharding_stage1_model tensor_parallel_rank train_batch_size use_hybrid_parallel weight_name_suffix "
    "world_size expert_parallel_rank sep_parallel_rank expert_parallel_degree"
).split()

_GROUPS = {
    "steps": "what to do",
    "data": "data",
    "model": "model, prompt and verbalizer",
    "train": "training",
    "self": "self-training",
    "trainer": "PaddleNLP's Trainer",
}
_EXAMPLES = """examples:
  python train.py --do_train --do_eval                       train on data/tnews, keep the best model in ./checkpoints
  python train.py --do_train --do_eval --use_rdrop --data_dir my_data --output_dir my_model
  python train.py --do_eval --do_predict --output_dir zero   zero-shot: no training, the label words alone
  python train.py --do_train --do_eval --method finetune --output_dir fine_tuned
  python train.py --do_train --do_eval --method rtd --model_name_or_path electra --output_dir rtd
  python train.py --do_train --do_eval --unlabeled_file data/tnews/data.txt --output_dir self_trained
  python train.py --do_predict --resume_from_checkpoint ./checkpoints --output_dir predictions
  python train.py --do_train --do_eval --resume_from_checkpoint ./checkpoints/checkpoint-90
"""


# inherited flags that belong with ours
_FREQUENT = (
    "seed",
    "max_steps",
    "eval_steps",
    "save_steps",
    "logging_steps",
    "gradient_accumulation_steps",
    "report_to",
)


def build_parser(prog: str = "train.py") -> ArgumentParser:
    """The parser of train.py, or of the command `prog`: our groups first, then the Trainer's."""
    parser = ArgumentParser(
        prog=prog,
        usage=f"{prog} [--do_train] [--do_eval] [--do_predict] [--do_export] [flags]",
        description="Train, evaluate, predict with and export a prompt model for text classification.",
        epilog=_EXAMPLES.replace("python train.py", typed(prog)),
    )
    groups = {name: parser.add_argument_group(title) for name, title in _GROUPS.items()}
    for arguments in (DataArguments, ModelArguments, PromptTrainingArguments):
        hints = typing.get_type_hints(arguments)
        for item in dataclasses.fields(arguments):
            group = item.metadata.get("group", "train" if item.name in _FREQUENT else "trainer")
            add_flag(groups[group], item, hints[item.name])
    for name in DERIVED:
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS, default=argparse.SUPPRESS)
    return parser


def parse_arguments(
    argv: Optional[Sequence[str]] = None, prog: str = "train.py"
) -> tuple[ModelArguments, DataArguments, PromptTrainingArguments, frozenset[str]]:
    """Parse and check; also return the names of the flags that were given."""
    given = vars(build_parser(prog).parse_args(argv))
    ignored = [f"--{name}" for name in DERIVED if name in given]
    if ignored and paddle.distributed.get_rank() == 0:
        logger.warning("ignored, since it follows from the other flags or from the machine: %s", ", ".join(ignored))
    preset = preset_values(given, given.get("data_dir", DataArguments.data_dir))
    values = {**preset, **{name: value for name, value in given.items() if name not in DERIVED}}
    set_what_follows(values)
    check_task(values)
    of_prompts = [name for name in _PROMPT_ONLY if given.get(name, False) is not False]
    if given.get("method") == "finetune" and of_prompts:
        raise ConfigError(
            f"--{of_prompts[0]} {given[of_prompts[0]]} contradicts --method finetune, which has no prompt and no label words; "
            f"drop {' and '.join(f'--{name}' for name in of_prompts)}, or --method finetune"
        )
    if given.get("method") == "rtd" and "verbalizer" in given:
        raise ConfigError(
            f"--verbalizer {given['verbalizer']} contradicts --method rtd, which reads the label words themselves; drop one of "
            "them"
        )
    if given.get("init_prompt_from") is not None and given.get("resume_from_checkpoint") is not None:
        raise ConfigError(
            f"--init_prompt_from {given['init_prompt_from']} is for a new model, but --resume_from_checkpoint "
            f"{given['resume_from_checkpoint']} goes on with one; drop one of them"
        )
    encoders = [name for name in ("soft_encoder", "encoder_hidden_size") if name in given]
    if given.get("init_prompt_from") is not None and encoders and "prompt" not in given:
        raise ConfigError(
            f"--{encoders[0]} {given[encoders[0]]} contradicts --init_prompt_from {given['init_prompt_from']}, whose template "
            f"has its encoders; drop --{encoders[0]}"
        )
    for name in ("augment", "augmented_file"):
        if given.get(name) and not given.get("do_train"):
            raise ConfigError(f"--{name} {given[name]} is for training; add --do_train, or drop --{name}")
    if given.get("method") == "rtd" and given.get("augment"):
        raise ConfigError(
            f"--augment {given['augment']} needs a masked language model, which --method rtd does not load; make variants with "
            "another method, and give them to --augmented_file"
        )
    if given.get("text_pairs") and given.get("unlabeled_file") is not None:
        raise ConfigError("--unlabeled_file holds one text a line, but --text_pairs has two; drop one of them")
    if given.get("num_shots") is not None and not given.get("do_train"):
        raise ConfigError(
            f"--num_shots {given['num_shots']} draws from train.txt, but nothing is trained; add --do_train"
        )

    _check_self_training({**given, "unlabeled_file": values.get("unlabeled_file")})

    def make(arguments):
        names = {item.name for item in dataclasses.fields(arguments)}
        return arguments(**{name: value for name, value in values.items() if name in names})

    kinds = (ModelArguments, DataArguments, PromptTrainingArguments)
    made = make(ModelArguments), make(DataArguments), make(PromptTrainingArguments)
    if given.get("resume_from_checkpoint") is None:  # else the run's record has the other flags
        check_needs(given, values, {item.name: item.default for kind in kinds for item in dataclasses.fields(kind)})
    return *made, frozenset(given)


def set_what_follows(values: dict[str, Any]) -> None:
    """Add to the settings that are given those that follow from them, where they are not given too."""
    if "eval_steps" in values:
        values.setdefault("evaluation_strategy", "steps")
    if "logging_steps" in values:
        values.setdefault("logging_strategy", "steps")
    if "save_steps" in values:
        values.setdefault("save_strategy", "steps")
    if values.get("task_type", MULTI_CLASS) != MULTI_CLASS:
        values.setdefault("metric_for_best_model", "micro_f1")
    if "num_train_epochs" in values:  # so many are asked for; no preset sets it
        values.setdefault("early_stopping_patience", 0)


def _check_self_training(given: dict[str, Any]) -> None:
    """Refuse a flag that would change nothing."""
    flags = (
        "teacher",
        "num_generations",
        "pseudo_label_selection",
        "pseudo_labels_per_class",
        "pseudo_label_threshold",
    )
    idle = [name for name in flags if name in given]
    if idle and given.get("unlabeled_file") is None:
        value = " ".join(given["teacher"]) if idle[0] == "teacher" else given[idle[0]]
        raise ConfigError(f"--{idle[0]} {value} is for self-training; add --unlabeled_file, or drop --{idle[0]}")
    for name, selection in (("pseudo_labels_per_class", "balanced"), ("pseudo_label_threshold", "confidence")):
        if name in given and given.get("pseudo_label_selection") != selection:
            raise ConfigError(
                f"--{name} {given[name]} is for --pseudo_label_selection {selection}; add that, or drop --{name}"
            )


def add_flags(parser: argparse.ArgumentParser, titles: dict[str, str], kind: type) -> None:
    """A dataclass's fields as flags, in groups: `titles` by the `group` of a field's metadata."""
    groups = {name: parser.add_argument_group(title) for name, title in titles.items()}
    hints = typing.get_type_hints(kind)
    for item in dataclasses.fields(kind):
        add_flag(groups[item.metadata["group"]], item, hints[item.name])


def add_flag(group, item: dataclasses.Field, hint) -> None:
    """One dataclass field as a flag; SUPPRESS as default, so that what is given can be told from what is not."""
    kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    kind = kinds[0] if typing.get_origin(hint) is typing.Union else hint
    optional = type(None) in typing.get_args(hint) or item.default is None
    default = item.default if item.default is not dataclasses.MISSING else None
    text = item.metadata.get("help", "").replace("%", "%%").strip()
    if "(default" not in text and default not in (None, False, ""):
        text += f" (default: {getattr(default, 'value', default)})"
    options: dict[str, Any] = {"help": text, "default": argparse.SUPPRESS}
    if kind is bool:
        options.update(nargs="?", const=True, type=_or_none(_bool) if optional else _bool, metavar="BOOL")
    elif typing.get_origin(kind) is list:
        options.update(nargs="+", type=typing.get_args(kind)[0], metavar="NAME")
    else:
        base = str if isinstance(kind, type) and issubclass(kind, enum.Enum) else kind
        options["type"] = _or_none(base) if optional else item.metadata.get("parse", base)
        options["metavar"] = getattr(base, "__name__", "VALUE").upper()
        if "choices" in item.metadata:
            options.update(choices=item.metadata["choices"], metavar=None)
    group.add_argument(f"--{item.name}", **options)


def _bool(text: str) -> bool:
    if text.lower() in ("true", "1", "yes", "y", "on", "t"):
        return True
    if text.lower() in ("false", "0", "no", "n", "off", "f"):
        return False
    raise ValueError(text)


_bool.__name__ = "true or false"


def _or_none(kind):
    def convert(text: str):
        return None if text.lower() in ("none", "null") else kind(text)

    convert.__name__ = getattr(kind, "__name__", "value")
    return convert
