"""The service over a model whose texts may have several labels."""

from __future__ import annotations

import json

import numpy as np
import pytest

for module in ("fastapi", "uvicorn", "prometheus_client"):
    pytest.importorskip(module)

from service import Counting, running  # noqa: E402

from prompt_kit.prompt.task import MULTI_LABEL, Task  # noqa: E402


class Sets(Counting):
    """Every label whose number is a digit of the text, with 0.8; the others with 0.2."""

    def probabilities(self, examples, batch_size=32):
        rows = [[0.8 if str(place) in one.text_a else 0.2 for place in range(len(self.labels))] for one in examples]
        return np.array(rows)


@pytest.fixture(scope="module")
def client():
    with running({"default": Sets(task=Task(MULTI_LABEL, 0.5, at_least_one=False))}) as client:
        yield client


def test_predict_lists_the_labels(client):
    status, body = client.post("/predict", {"texts": ["甲02", "乙"], "top_k": 2})[:2]
    assert status == 200
    first, second = body["predictions"]
    assert first["labels"] == [{"label": "zero", "score": 0.8}, {"label": "two", "score": 0.8}]
    assert [one["label"] for one in first["top"]] == ["zero", "two"] and len(first["top"]) == 2
    assert second["labels"] == [] and "label" not in second


def test_simple_server_has_a_list_a_text(client):
    status, body = client.post("/models/default", {"data": {"text": ["甲02", "乙", "丙1"]}})[:2]
    assert status == 200
    assert body["result"]["label"] == [[0, 2], [], [1]]
    assert body["result"]["label_name"] == [["zero", "two"], [], ["one"]]
    assert body["result"]["confidence"] == [[0.8, 0.8], [], [0.8]]


def test_models_says_the_kind_of_task(client):
    models = json.loads(client.get("/models")[2])["models"]
    assert models[0]["task_type"] == "multi-label"
