"""What has no meaning for a text of several labels, and micro F1 for a text of one."""

from __future__ import annotations

import pytest

from prompt_kit.errors import ConfigError
from prompt_kit.training.loop.task_rules import check_task


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "verbalizer": "prototype",
            "use_rgl": True,
            "calibrate": True,
            "augment": "words",
            "metric_for_best_model": "loss",
        },
        {"task_type": "multi-label", "verbalizer": "cosine", "use_rgl": False, "teacher": None},
        {"task_type": "hierarchical", "metric_for_best_model": "eval_micro_f1"},
    ],
)
def test_what_goes_together(settings):
    check_task(settings)


@pytest.mark.parametrize("kind", ["multi-label", "hierarchical"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("verbalizer", "prototype"), ("use_rgl", True), ("calibrate", True), ("unlabeled_file", "data.txt"),
     ("teacher", ["a"]), ("augment", "words"), ("init_prompt_from", "run")],
)  # fmt: skip
def test_what_needs_one_label_a_text(kind, name, value):
    with pytest.raises(ConfigError, match=rf"^--{name} .* is not for --task_type {kind}: .*; drop --{name}$"):
        check_task({"task_type": kind, name: value})


@pytest.mark.parametrize("metric", ["micro_f1", "eval_micro_f1"])
def test_micro_f1_of_one_label_is_the_accuracy(metric):
    with pytest.raises(ConfigError, match="--metric_for_best_model micro_f1 is of tasks with several labels a text"):
        check_task({"metric_for_best_model": metric})
