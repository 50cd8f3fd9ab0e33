"""8-bit products: by hand, against a plain implementation, and which products become 8-bit."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from prompt_kit.errors import BundleError
from prompt_kit.inference.integer_cpu import multiplies_int8
from prompt_kit.training.export.int8 import channel_peaks, outlier_divisors, round_weights, to_int8


def run(model, **arrays):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, arrays)[0]


def graph(weight, bias, head):
    """input_ids [B, L] -> table[ids] @ weight + bias -> the first column's row @ head."""
    rng = np.random.default_rng(0)
    constants = {"table": rng.normal(size=(50, len(weight))).astype("float32"), "weight": weight, "bias": bias}
    constants.update(head=head, columns=np.array([0]))
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["x"]),
        helper.make_node("MatMul", ["x", "weight"], ["product"]),
        helper.make_node("MatMul", ["x", "weight"], ["again"]),
        helper.make_node("Add", ["product", "bias"], ["sum"]),
        helper.make_node("Add", ["sum", "again"], ["both"]),
        helper.make_node("Gather", ["both", "columns"], ["row"], axis=1),
        helper.make_node("MatMul", ["row", "head"], ["logits"]),
    ]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "test",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["B", "L"])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 1, 3])],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


@pytest.fixture
def model():
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(16, 8)).astype("float32")
    return graph(weight, rng.normal(size=8).astype("float32"), rng.normal(size=(8, 3)).astype("float32"))


IDS = np.arange(20).reshape(2, 10)


def test_weights_by_hand():
    whole, scale = round_weights(np.array([[1.27, -4], [0.026, 2], [-0.5, 0.0]], "float32"))
    assert whole.tolist() == [[127, -127], [3, 64], [-50, 0]]  # 63.5 rounds to the even 64
    assert np.allclose(scale, [0.01, 4 / 127])
    whole, scale = round_weights(np.zeros((2, 1), "float32"))
    assert whole.tolist() == [[0], [0]] and np.isfinite(scale).all()


def test_outliers_by_hand():
    peaks = np.array([1.0] * 10 + [5.0], "float32")
    assert outlier_divisors(peaks).tolist() == [1.0] * 10 + [5.0]
    assert outlier_divisors(np.ones(4, "float32")).tolist() == [1.0] * 4
    assert np.isfinite(outlier_divisors(np.zeros(4, "float32"))).all()


def test_peaks_are_of_activations_with_all_rows(model):
    peaks = channel_peaks(model, {"x", "row"}, [{"input_ids": IDS}, {"input_ids": IDS[:, :5] + 20}])
    assert list(peaks) == ["x"]
    table = numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == "table"))
    seen = np.concatenate([IDS.reshape(-1), (IDS[:, :5] + 20).reshape(-1)])
    assert np.allclose(peaks["x"], np.abs(table[seen]).max(axis=0))


@pytest.mark.skipif(not multiplies_int8(), reason="needs a CPU whose 8-bit sums cannot overflow")
def test_close_to_the_float_model_and_equal_to_a_plain_implementation(model):
    quantized = to_int8(model, [{"input_ids": IDS}])
    onnx.checker.check_model(quantized)
    wanted, got = run(model, input_ids=IDS), run(quantized, input_ids=IDS)
    assert 0 < np.abs(wanted - got).max() < 0.2

    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    divisors = outlier_divisors(np.abs(arrays["table"][IDS]).max(axis=(0, 1)))
    x = arrays["table"][IDS] * (1 / divisors)
    scale = np.float32((max(x.max(), 0) - min(x.min(), 0)) / 255)  # DynamicQuantizeLinear of ONNX
    zero = np.clip(np.rint(-min(x.min(), 0) / scale), 0, 255)
    rounded = (np.clip(np.rint(x / scale) + zero, 0, 255) - zero) * scale
    whole, columns = round_weights(arrays["weight"] * divisors[:, None])
    both = 2 * (rounded @ (whole * columns)) + arrays["bias"]
    assert np.allclose(got, both[:, :1] @ arrays["head"], atol=1e-4)


def test_what_becomes_8_bit(model):
    quantized = to_int8(model, [{"input_ids": IDS}]).graph
    kinds = [node.op_type for node in quantized.node]
    assert kinds.count("DynamicQuantizeLinear") == 1, "two products of one activation"
    assert kinds.count("MatMulInteger") == 2 and kinds.count("MatMul") == 1
    names = {tensor.name: tensor.data_type for tensor in quantized.initializer}
    assert "weight" not in names and names["head"] == TensorProto.FLOAT
    assert sorted(set(names.values())) == sorted({TensorProto.FLOAT, TensorProto.INT8, TensorProto.INT64})
    assert [node.op_type for node in model.graph.node].count("MatMul") == 3, "the model given is as it was"


def test_products_to_fewer_channels_can_stay_float(model):
    """Both products of x here are [16, 8]: without them there is nothing left."""
    with pytest.raises(BundleError, match="nothing to make int8"):
        to_int8(model, [{"input_ids": IDS}], narrowing=False)


def test_an_outlier_channel_does_not_coarsen_the_others(model, monkeypatch):
    table = next(tensor for tensor in model.graph.initializer if tensor.name == "table")
    array = numpy_helper.to_array(table).copy()
    array[:, 3] *= 300
    table.CopyFrom(numpy_helper.from_array(array, "table"))
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "weight")
    small = numpy_helper.to_array(weight).copy()
    small[3] /= 300
    weight.CopyFrom(numpy_helper.from_array(small, "weight"))
    wanted, evened = run(model, input_ids=IDS), run(to_int8(model, [{"input_ids": IDS}]), input_ids=IDS)
    monkeypatch.setattr("prompt_kit.training.export.int8._ORDINARY", 100)
    plain = run(to_int8(model, [{"input_ids": IDS}]), input_ids=IDS)
    assert 10 * np.abs(wanted - evened).max() < np.abs(wanted - plain).max()


def test_nothing_to_do(model):
    graph = model.graph
    del graph.node[1:]
    graph.node[0].output[0] = "logits"
    graph.output[0].type.tensor_type.ClearField("shape")
    with pytest.raises(BundleError, match="nothing to make int8"):
        to_int8(model, [{"input_ids": IDS}])
