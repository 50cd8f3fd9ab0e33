"""The ONNX files of an export beside the model and beside each other, by graphs whose answers are written here."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_kit.errors import BundleError
from prompt_kit.training.export import onnx_parity
from prompt_kit.training.export.onnx_parity import check_onnx, compare_int8

LOGITS = np.array([[2.0, 0.0], [0.0, 1.0]], "float32")
STATES = np.eye(2, dtype="float32")


@pytest.fixture
def graphs(monkeypatch):
    """File name, or (file name, output) -> what the graph gives for every batch."""
    answers = {}

    def open_onnx(path, output="logits"):
        return lambda batch: answers[path.name if output == "logits" else (path.name, output)]

    monkeypatch.setattr(onnx_parity, "open_onnx", open_onnx)
    return answers


def check(tmp_path, precision, **expected):
    path = tmp_path / {"fp32": "model.onnx", "fp16": "model_fp16.onnx"}[precision]
    return check_onnx(path, {name: [array] for name, array in expected.items()}, [{}], precision)


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", 5e-5), ("fp16", 0.02)])
def test_the_largest_difference_of_a_logit(tmp_path, graphs, precision, allowed):
    graphs.update({"model.onnx": LOGITS + 5e-5, "model_fp16.onnx": LOGITS + 0.02})
    assert check(tmp_path, precision, logits=LOGITS) == pytest.approx(allowed, rel=0.01)


def test_half_precision_has_a_way_out(tmp_path, graphs):
    graphs.update({"model.onnx": LOGITS + 0.5, "model_fp16.onnx": LOGITS + 0.5})
    with pytest.raises(BundleError, match=r"model.onnx: logits differ .* nothing was written$"):
        check(tmp_path, "fp32", logits=LOGITS)
    with pytest.raises(BundleError, match="model_fp16.onnx: logits differ .*; .*: export with --no_fp16"):
        check(tmp_path, "fp16", logits=LOGITS)


def test_states_are_compared_too(tmp_path, graphs):
    graphs.update({"model.onnx": LOGITS, ("model.onnx", "states"): STATES})
    assert check(tmp_path, "fp32", logits=LOGITS, states=STATES) == 0
    with pytest.raises(BundleError, match="model.onnx: states differ from the model's by 2"):
        check(tmp_path, "fp32", logits=LOGITS, states=-STATES)


def test_int8_beside_fp32(tmp_path, graphs):
    """Of two texts a batch, two batches, the second one's answer differs: half of four."""
    graphs.update({"model.onnx": LOGITS, "model_int8.onnx": LOGITS + np.array([[0.0, 0.25], [3.0, 0.0]])})
    found = compare_int8(tmp_path, [{}, {}], lambda logits: logits == logits.max(axis=1, keepdims=True))
    assert found == (3.0, {"share": 0.5, "texts": 4})
