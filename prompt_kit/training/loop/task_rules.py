"""What cannot be had of a task with several labels a text: one line for each, before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prompt_kit.errors import ConfigError
from prompt_kit.prompt.task import MULTI_CLASS

# flag -> (the values that need one label a text, why)
_ONE_LABEL: dict[str, tuple[tuple, str]] = {
    "verbalizer": (("prototype",), "a prototype is of the texts of one label"),
    "use_rgl": ((True,), "RGL asks whether two texts have the same label"),
    "calibrate": (
        (True,),
        "calibration takes away what a softmax prefers; the scale and the bias of a label are fitted",
    ),
}
_ANY_VALUE = {
    "unlabeled_file": "self-training gives a text one label",
    "teacher": "self-training gives a text one label",
    "augment": "a masked language model guesses words for one label",
    "init_prompt_from": "a prompt is taken from a task of one label a text",
}


def check_task(settings: Mapping[str, Any]) -> None:
    """ConfigError for a setting that contradicts `task_type`; `settings` are those that are given."""
    kind = settings.get("task_type", MULTI_CLASS)
    metric = str(settings.get("metric_for_best_model", "")).replace("eval_", "", 1)
    if kind == MULTI_CLASS:
        if metric == "micro_f1":
            raise ConfigError(
                "--metric_for_best_model micro_f1 is of tasks with several labels a text, of one it is the accuracy; use "
                "accuracy, or add --task_type multi-label"
            )
        return
    for name, (values, why) in _ONE_LABEL.items():
        if settings.get(name) in values:
            raise ConfigError(f"--{name} {settings[name]} is not for --task_type {kind}: {why}; drop --{name}")
    for name, why in _ANY_VALUE.items():
        if settings.get(name):
            raise ConfigError(f"--{name} {settings[name]} is not for --task_type {kind}: {why}; drop --{name}")
