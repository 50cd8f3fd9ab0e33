"""The models of a service: what is found of a row of probabilities, and names."""

from __future__ import annotations

import numpy as np
import pytest
from refusals import refusal

for name in ("fastapi", "uvicorn", "prometheus_client"):
    pytest.importorskip(name)

from service import Counting  # noqa: E402

from prompt_kit.errors import ConfigError  # noqa: E402
from prompt_kit.prompt.task import MULTI_LABEL, Task  # noqa: E402
from prompt_kit.serving.limits import Limits  # noqa: E402
from prompt_kit.serving.metrics import Metrics  # noqa: E402
from prompt_kit.serving.models import Models  # noqa: E402
from prompt_kit.serving.refusals import Refusal  # noqa: E402


def models(**predictors) -> Models:
    return Models(predictors, Limits(), Metrics())


def test_the_best_labels_are_best_first_and_of_equals_the_first():
    model = models(m=Counting()).get(None)
    assert model.best(np.array([0.25, 0.5, 0.25]), 2) == [(1, 0.5), (0, 0.25)]


def test_labels_that_a_text_has_are_in_the_order_of_label_txt():
    model = models(m=Counting(task=Task(MULTI_LABEL, 0.5, at_least_one=False))).get("m")
    assert model.answered(np.array([0.75, 0.25, 0.875])) == [(0, 0.75), (2, 0.875)]
    assert model.answered(np.array([0.25, 0.25, 0.25])) == []


def test_a_model_and_a_label_by_name():
    found = models(news=Counting(), pairs=Counting(fields=("text_a", "text_b")))
    assert [(one.name, one.needs_pair) for one in found] == [("news", False), ("pairs", True)]
    assert found.get(None).name == "news" and found.get("pairs").column_of("two") == 2
    assert found.get("news").column_of(None) is None
    assert refusal(Refusal, found.get, "x") == "no model is called 'x'; there is: news, pairs"
    said = refusal(Refusal, found.get("news").column_of, "four")
    assert said == "model news has no label 'four'; GET /models lists its labels"


@pytest.mark.parametrize("name", ["a/b", "", "..", "n" * 101, "a b"])
def test_names_that_no_path_could_hold(name):
    assert f"model name {name!r}: expected letters" in refusal(ConfigError, models, **{name: Counting()})


def test_a_service_without_a_model():
    assert refusal(ConfigError, models).startswith("a service needs a model")
