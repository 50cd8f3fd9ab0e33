"""What a flag of train.py may be: ranges of numbers, and what is inherited from PaddleNLP's Trainer but has no effect here.

A flag that would change nothing is refused, since whoever gives it expects something of it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from paddlenlp.trainer.integrations import INTEGRATION_TO_CALLBACK

from prompt_kit.disk import as_typed, check_place
from prompt_kit.errors import ConfigError, DependencyError
from prompt_kit.json_file import is_number

_LARGEST = 2**31 - 1  # of a whole number: further down they are int32
_WORKERS = 64  # processes that read data; each is a copy of this one

_RATES = ("learning_rate", "ppt_learning_rate")
_POSITIVE = (*_RATES, "num_train_epochs", "adam_epsilon", "ppt_adam_epsilon", "power", "scale_loss")
_AT_LEAST_ONE = (
    "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "eval_steps", "save_steps",
    "logging_steps", "num_generations", "pseudo_labels_per_class", "eval_accumulation_steps",
)  # fmt: skip
_NOT_NEGATIVE = (
    "alpha_rdrop", "alpha_rgl", "alpha_prototype", "ppt_weight_decay", "weight_decay", "early_stopping_patience",
    "warmup_steps", "warmup_ratio", "max_grad_norm", "seed", "num_teachers", "save_total_limit", "dataloader_num_workers",
    "num_cycles", "lr_end",
)  # fmt: skip
_WHOLE = (
    *_AT_LEAST_ONE, "early_stopping_patience", "warmup_steps", "num_teachers", "save_total_limit", "episode_shots", "max_steps",
)  # fmt: skip
_RANGES = (
    ((*_POSITIVE, *_AT_LEAST_ONE, *_NOT_NEGATIVE), is_number, "a finite number"),
    (_RATES, lambda value: value <= 10, "10 at most"),
    (("seed",), lambda value: value < 2**32, "below 4294967296"),
    (("num_train_epochs",), lambda value: value <= 1e6, "1000000 at most"),
    (("dataloader_num_workers",), lambda value: value <= _WORKERS, f"{_WORKERS} at most"),
    (_WHOLE, lambda value: value <= _LARGEST, f"{_LARGEST} at most"),
    (_POSITIVE, lambda value: value > 0, "above 0"),
    (_AT_LEAST_ONE, lambda value: value >= 1, "at least 1"),
    (_NOT_NEGATIVE, lambda value: value >= 0, "0 or more"),
    (("episode_shots",), lambda value: value >= 2, "at least 2"),
    (("cross_validation",), lambda value: 2 <= value <= 100, "2 to 100"),
    (("max_steps",), lambda value: value == -1 or value >= 1, "at least 1, or -1 for --num_train_epochs"),
    (
        ("adam_beta1", "adam_beta2", "ppt_adam_beta1", "ppt_adam_beta2", "ema_decay"),
        lambda value: 0 <= value < 1,
        "at least 0 and below 1",
    ),
    (("pseudo_label_threshold",), lambda value: 0 < value <= 1, "above 0 and at most 1"),
)

_PARALLEL = "training is data parallel alone: python -m paddle.distributed.launch train.py"
_WHOLE_DEV = "all of dev.txt and test.txt is evaluated"
# flag -> (what it may be, as a printed configuration has it; why nothing else)
_WITHOUT_EFFECT: dict[str, tuple[tuple, str]] = {
    **dict.fromkeys(
        ("tensor_parallel_degree", "pipeline_parallel_degree", "sep_parallel_degree", "sharding_parallel_degree",
         "sharding_degree"),
        ((-1, 0, 1), _PARALLEL),
    ),
    **dict.fromkeys(
        ("sharding", "data_parallel_config", "tensor_parallel_config", "pipeline_parallel_config",
         "sharding_parallel_config", "unified_checkpoint_config"),
        ((None, "", [], False, "[]"), _PARALLEL),
    ),
    **dict.fromkeys(
        ("save_sharded_model", "load_sharded_model", "force_reshard_pp", "enable_auto_parallel", "use_expert_parallel",
         "distributed_dataloader", "flatten_param_grads"),
        ((False, None), _PARALLEL),
    ),
    "hybrid_parallel_topo_order": ((None, "pp_first"), _PARALLEL),
    **dict.fromkeys(
        ("unified_checkpoint", "ignore_save_lr_and_optim"), ((False, None), "a checkpoint holds all that a run needs to go on")
    ),
    "to_static": ((False, None), "training is dynamic; --do_export writes a static graph"),
    "prediction_loss_only": ((False,), "an evaluation needs the predictions"),
    "label_names": ((None, ["labels"], "labels"), "the labels are those of label.txt"),
    "past_index": ((-1,), "these models have no past states"),
    "dataloader_drop_last": ((False,), "every example counts once an epoch"),
    "max_evaluate_steps": ((-1,), _WHOLE_DEV),
    "minimum_eval_times": ((None,), "give --eval_steps"),
    "local_rank": ((-1, int(os.environ.get("PADDLE_RANK_IN_NODE", -1))), "the launcher sets it"),
}  # fmt: skip
# flags that change something beside another flag alone: their names, that flag, and the values of it that they need
_NEEDS: tuple[tuple[tuple[str, ...], str, tuple], ...] = (
    (("alpha_rdrop",), "use_rdrop", (True,)),
    (("alpha_rgl",), "use_rgl", (True,)),
    (("alpha_prototype", "episode_shots"), "verbalizer", ("prototype",)),
    (("lr_end", "power"), "lr_scheduler_type", ("polynomial",)),
    (("num_cycles",), "lr_scheduler_type", ("cosine",)),
    (("language",), "report", (True,)),
)

_PACKAGES = {"visualdl": ("visualdl",), "wandb": ("wandb",), "tensorboard": ("tensorboardX", "tensorboard"),
             "autonlp": ("ray.air",)}  # fmt: skip
_NAMES_A_PLACE = (
    "output_dir",
    "resume_from_checkpoint",
    "unlabeled_file",
    "logging_dir",
    "data_dir",
    "model_name_or_path",
)


def check_numbers(arguments: Any) -> None:
    """Raise ConfigError for a number that is out of its range."""
    for names, fits, wanted in _RANGES:
        for name in names:
            value = getattr(arguments, name, None)
            if value is not None and not fits(value):
                raise ConfigError(f"--{name} must be {wanted}, got {as_typed(value)}")


def check_without_effect(arguments: Any) -> None:
    """Raise ConfigError for a flag that PaddleNLP's Trainer has and that would change nothing, or break something, here."""
    for name, (accepted, why) in _WITHOUT_EFFECT.items():
        value = getattr(arguments, name, accepted[0])
        if not any(type(value) is type(one) and value == one for one in accepted):
            raise ConfigError(f"--{name} {as_typed(value)} has no effect here: {why}; drop --{name}")


def check_needs(given: Mapping[str, Any], values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raise ConfigError for a flag that would change nothing, since it is of another one that is off.

    Args:
        given: the flags that were given, {name: value}. One that has its default is accepted: a printed configuration has it.
        values: those and what follows from them.
        defaults: of every flag.
    """
    for names, other, wanted in _NEEDS:
        for name in names:
            found = values.get(other, defaults[other])
            if name in given and given[name] != defaults[name] and found not in wanted:
                add = f"--{other}" if wanted == (True,) else f"--{other} {wanted[0]}"
                raise ConfigError(
                    f"--{name} {as_typed(given[name])} has no effect with --{other} {as_typed(found)}; give {add}, "
                    f"or drop --{name}"
                )


def check_places(arguments: Any) -> None:
    """Raise ConfigError for a path that no file can have: empty, too long, a circle of links."""
    for name in _NAMES_A_PLACE:
        value = getattr(arguments, name, None)
        if value is not None:
            check_place(f"--{name}", value)
    for value in getattr(arguments, "teacher", None) or ():
        check_place("--teacher", value)


def choose_reports(report_to: Any) -> Any:
    """What `--report_to` means: the default is VisualDL where it is installed, else nothing.

    Raises ConfigError for a name that is none, DependencyError for one that is not installed.
    """
    if report_to is None:
        return "visualdl" if _installed("visualdl") else "none"
    names: Sequence[str] = [report_to] if isinstance(report_to, str) else list(report_to)
    if unknown := sorted(set(names) - {*INTEGRATION_TO_CALLBACK, "all", "none"}):
        raise ConfigError(
            f"--report_to {' '.join(unknown)}: expected {', '.join(sorted(INTEGRATION_TO_CALLBACK))}, all or none"
        )
    if len(names) > 1 and {"all", "none"} & set(names):
        raise ConfigError(f"--report_to {' '.join(names)}: all and none stand alone")
    for name in names:
        if name in _PACKAGES and not _installed(name):
            raise DependencyError(
                f"--report_to {name}: {_PACKAGES[name][0]} is not installed; pip install {_PACKAGES[name][0].split('.')[0]}, or "
                "drop --report_to"
            )
    return report_to


def _installed(name: str) -> bool:
    return any(_find(package) for package in _PACKAGES[name])


def _find(package: str) -> Optional[Any]:
    try:
        return importlib.util.find_spec(package)
    except ModuleNotFoundError:  # of a package within one that is not there
        return None
