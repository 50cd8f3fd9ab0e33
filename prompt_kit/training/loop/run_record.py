"""run.json of a checkpoint: the data and the settings that its run was started with, which a resumed run must have too.

How long to train (epochs, steps) is not among them: a run may be gone on with for longer.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Set
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from paddlenlp.trainer.trainer_utils import SchedulerType

from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.json_file import BOOLEAN, TEXT, Shape, number, one_of, read_object, whole
from prompt_kit.training.loop.flag_rules import check_numbers

if TYPE_CHECKING:
    from prompt_kit.data.dataset import Example
    from prompt_kit.training.loop.arguments import PromptTrainingArguments

RUN_FILE = "run.json"
SETTINGS = (
    "seed", "learning_rate", "ppt_learning_rate", "per_device_train_batch_size", "gradient_accumulation_steps",
    "weight_decay", "ppt_weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "ppt_adam_beta1", "ppt_adam_beta2",
    "ppt_adam_epsilon", "max_grad_norm", "warmup_ratio", "warmup_steps", "ema_decay", "use_rdrop", "alpha_rdrop", "use_rgl",
    "alpha_rgl", "alpha_prototype", "episode_shots", "freeze_plm", "freeze_dropout", "metric_for_best_model",
    "greater_is_better", "lr_scheduler_type", "num_cycles", "lr_end", "power",
)  # fmt: skip
_COPY = "copy the checkpoint again, or resume from another one"
_SWITCHES = ("use_rdrop", "use_rgl", "freeze_plm", "freeze_dropout", "greater_is_better")
_WHOLE = (
    "seed", "per_device_train_batch_size", "gradient_accumulation_steps", "warmup_steps", "episode_shots",
)  # fmt: skip


def _shape(name: str) -> Shape:
    if name in _SWITCHES:
        return BOOLEAN
    if name == "metric_for_best_model":
        return one_of(
            *(prefix + metric for prefix in ("", "eval_") for metric in ("accuracy", "macro_f1", "micro_f1", "loss"))
        )
    if name == "lr_scheduler_type":
        return one_of(*(kind.value for kind in SchedulerType))
    return whole(0, 2**32) if name in _WHOLE else number()


_SHAPES = {
    "settings": {name: _shape(name).optional() for name in SETTINGS},
    "data": {"train": TEXT.optional(), "dev": TEXT.optional()},
}


def record_of(
    args: PromptTrainingArguments, train: Iterable[Example], dev: Optional[Iterable[Example]]
) -> dict[str, Any]:
    """What run.json holds. Call it when the rates are resolved."""
    return {
        "settings": {name: _plain(getattr(args, name)) for name in SETTINGS},
        "data": {"train": _digest(train), **({} if dev is None else {"dev": _digest(dev)})},
    }


def adopt_settings(folder: Path, args: PromptTrainingArguments, given: Set[str]) -> PromptTrainingArguments:
    """`args` with the settings of the run in checkpoint `folder`, but those that the user has `given`."""
    args = copy.deepcopy(args)
    for name, value in (read_record(folder) or {"settings": {}})["settings"].items():
        if name in SETTINGS and name not in given:
            setattr(args, name, value)
    try:
        check_numbers(args)
    except ConfigError as error:
        raise CheckpointError(f"{(Path(folder) / RUN_FILE).absolute()} is damaged: {error}; {_COPY}") from None
    return args


def check_record(folder: Path, now: dict[str, Any]) -> None:
    """Raise CheckpointError, with both values, where the run of checkpoint `folder` was another than `now`.

    A checkpoint of an earlier prompt-kit, which has no run.json, is not compared.
    """
    then = read_record(folder)
    if then is None:
        return
    for name, value in now["settings"].items():
        if name in then["settings"] and then["settings"][name] != value:
            raise CheckpointError(
                f"--{name} {value} contradicts the run of {folder}, which has {then['settings'][name]}; go on with the "
                "settings that it was started with, or train anew in another --output_dir"
            )
    for split, digest in now["data"].items():
        if then["data"].get(split, digest) != digest:
            raise CheckpointError(
                f"{split}.txt has other texts or labels than when the run of {folder} was started (fingerprint {digest}, "
                f"then {then['data'][split]}); go on with the same data, or train anew in another --output_dir"
            )


def read_record(folder: Path) -> Optional[dict[str, Any]]:
    """run.json of a checkpoint, None if it has none. Raises CheckpointError for a damaged one."""
    path = Path(folder) / RUN_FILE
    if not path.exists():
        return None
    return read_object(path, CheckpointError, _COPY, _SHAPES)


def _plain(value: Any) -> Any:
    """What JSON can hold of a setting: of PaddleNLP's enumerations the value."""
    return value.value if isinstance(value, Enum) else value


def _digest(examples: Iterable[Example]) -> str:
    """16 hex digits that change with a text, a label or their order."""
    digest = hashlib.sha256()
    for one in examples:
        digest.update(json.dumps([one.text_a, one.text_b, one.label], ensure_ascii=True).encode("ascii"))
    return digest.hexdigest()[:16]
