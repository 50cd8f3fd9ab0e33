"""What is OpenVINO's own: infer requests, and what is opened with which settings."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from toy_bundle import GRAPH

pytest.importorskip("openvino")

import openvino

from prompt_kit.errors import BundleError
from prompt_kit.inference.engines.openvino import computes_in_bf16, is_installed, open_on_cpu


def arrays(ids):
    ids = np.asarray(ids, np.int64)
    return {"input_ids": ids, "token_type_ids": ids * 0, "mask_columns": np.zeros((len(ids), 1), np.int64)}


@pytest.fixture(scope="module")
def session():
    return open_on_cpu(GRAPH, 2, "fp32")


def test_inputs_and_outputs(session):
    assert sorted(session.inputs) == ["input_ids", "mask_columns", "token_type_ids"]
    assert {name: list(shape) for name, shape in session.outputs.items()} == {"logits": [None, 3]}
    assert is_installed()


def test_an_answer_is_not_overwritten_by_the_next(session):
    first = session.run(arrays([[8, 8]]))  # 车车
    second = session.run(arrays([[6]]))  # 球, of another length
    assert first.tolist() == [[0, 6, 0]] and second.tolist() == [[2, 0, 0]]
    assert first.dtype == np.float32


def test_threads_have_requests_of_their_own(session):
    def answer(token):
        return session.run(arrays([[token] * 5] * 3)).tolist()

    tokens = [6, 8, 9] * 40
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(answer, tokens)) == [answer(token) for token in tokens]


def test_settings(session):
    compiled = session._compiled
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 2
    assert not compiled.get_property("ENABLE_CPU_PINNING"), "several processes would share the first cores"
    assert "f32" in str(compiled.get_property("INFERENCE_PRECISION_HINT")).replace("float32", "f32")


def test_damaged(tmp_path):
    (tmp_path / "model.onnx").write_bytes(GRAPH.read_bytes()[:100])
    with pytest.raises(BundleError, match="model.onnx cannot be loaded") as caught:
        open_on_cpu(tmp_path / "model.onnx", 1, "fp32")
    assert "\n" not in str(caught.value)


def test_bf16_keeps_the_gathered_rows_in_float(tmp_path):
    """The rows that the head reads are what bfloat16 spoils; an output of the graph is left in float."""
    op = openvino.opset13
    values, places = op.parameter([-1, 4], np.float32, name="values"), op.parameter([-1, 1], np.int64, name="places")
    gathered = op.gather_elements(values, places, 1)
    logits = op.add(gathered, np.float32(1))
    logits.output(0).set_names({"logits"})
    model = openvino.Model([logits], [values, places])
    for port, name in zip(model.inputs, ("values", "places")):
        port.set_names({name})
    openvino.save_model(model, tmp_path / "graph.xml", compress_to_fp16=False)
    session = open_on_cpu(tmp_path / "graph.xml", 1, "bf16")
    assert len(session._compiled.outputs) == 2
    assert len(open_on_cpu(tmp_path / "graph.xml", 1, "fp32")._compiled.outputs) == 1
    inputs = {"values": np.asarray([[1, 2.001, 3, 4]], np.float32), "places": np.asarray([[1]], np.int64)}
    assert session.run(inputs)[0, 0] == np.float32(2.001) + np.float32(1)  # bfloat16's nearest to 2.001 is 2


def test_whether_the_processor_has_bf16():
    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert computes_in_bf16() == ("BF16" in capabilities)


@pytest.mark.parametrize(
    ("flags", "precision", "separate"),
    [({"amx_bf16", "avx512_bf16"}, "bf16", True), ({"avx512_bf16"}, "bf16", False), ({"amx_bf16"}, "fp32", False)],
)
def test_attention_is_not_one_kernel_in_bf16_on_amx(monkeypatch, tmp_path, flags, precision, separate):
    """Sentences of 30 tokens spend half of their time in it there; elsewhere the settings are what they were."""
    monkeypatch.setattr("prompt_kit.inference.engines.openvino.cpu_flags", lambda: flags)
    op = openvino.opset13
    queries, keys = (op.parameter([-1, 2, -1, 16], np.float32, name=name) for name in ("queries", "keys"))
    weights = op.softmax(op.matmul(queries, keys, False, True), 3)
    logits = op.matmul(weights, keys, False, False)
    logits.output(0).set_names({"logits"})
    model = openvino.Model([logits], [queries, keys])
    for port, name in zip(model.inputs, ("queries", "keys")):
        port.set_names({name})
    openvino.save_model(model, tmp_path / "graph.xml", compress_to_fp16=False)
    session = open_on_cpu(tmp_path / "graph.xml", 1, precision)
    kinds = {node.get_rt_info()["layerType"] for node in session._compiled.get_runtime_model().get_ops()}
    assert "Softmax" in kinds or not separate, kinds
    assert "Subgraph" in kinds or separate or not computes_in_bf16(), kinds
    array = np.eye(16, dtype=np.float32)[None, None, :4].repeat(2, 1)
    answer = session.run({"queries": array, "keys": array})
    expected = np.eye(4) * (np.e - 1) + 1  # each row of the identity weighs e, the others 1
    assert np.allclose(answer[0, 1, :, :4], expected / expected.sum(axis=1, keepdims=True), atol=4e-3)
