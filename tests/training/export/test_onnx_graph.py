"""What is done to a converted graph, on graphs of a few nodes, and what is kept from the user's terminal."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from refusals import refusal

from prompt_kit.errors import BundleError
from prompt_kit.training.export import onnx_graph

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

TABLE = np.array([[1, 2], [3, 4]], "float32")


def value(name, shape=("B", 2)):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def node(kind, *names):
    """The last name is the output's."""
    return helper.make_node(kind, list(names[:-1]), [names[-1]])


def graph_of(nodes, constants, output="y"):
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    return helper.make_graph(nodes, "g", [value("x")], [value(output)], tensors)


def answer(graph, **arrays):
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, arrays)[0]


def test_identities_go_and_constants_become_initializers():
    constant = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(TABLE, "anything"))
    nodes = [constant, node("Identity", "x", "a"), node("Identity", "a", "b"), node("MatMul", "b", "c", "d")]
    graph = graph_of([*nodes, node("Identity", "d", "y")], {})
    x = np.array([[1, 1], [0, 2]], "float32")
    before = answer(graph, x=x)
    onnx_graph._simplify(graph)
    assert [(one.op_type, list(one.input), list(one.output)) for one in graph.node] == [("MatMul", ["x", "c"], ["y"])]
    assert answer(graph, x=x).tolist() == before.tolist() == [[4, 6], [6, 8]]


def test_an_input_that_is_handed_through_stays():
    graph = graph_of([node("Identity", "x", "y")], {})
    onnx_graph._simplify(graph)
    assert [one.op_type for one in graph.node] == ["Identity"]


def test_products_of_constants_are_folded_and_what_nobody_reads_goes():
    mask, half = np.array([[0], [1]], "float32"), np.array(0.5, "float32")
    nodes = [node("Mul", "table", "mask", "t"), node("Mul", "t", "half", "u"), node("MatMul", "x", "u", "y")]
    graph = graph_of(nodes, {"table": TABLE, "mask": mask, "half": half})
    onnx_graph._fold_products(graph)
    onnx_graph.drop_unused(graph)
    assert [one.op_type for one in graph.node] == ["MatMul"]
    assert {one.name: numpy_helper.to_array(one).tolist() for one in graph.initializer} == {"u": [[0, 0], [1.5, 2]]}


def test_names_and_free_dimensions():
    graph = graph_of([node("MatMul", "x", "t", "fetch_name_0")], {"t": TABLE}, "fetch_name_0")
    onnx_graph._name(graph, {"x": ("batch", 2)}, {"logits": ("batch", 2)})
    (output,) = graph.output
    assert (output.name, graph.node[0].output[0]) == ("logits", "logits")
    assert [one.dim_param or one.dim_value for one in output.type.tensor_type.shape.dim] == ["batch", 2]
    said = refusal(BundleError, onnx_graph._name, graph, {"x": ("batch", 2)}, {"logits": ("batch", 3)})
    assert said == "the graph's logits has shape ['?', 2], expected ['batch', 3]: labels or masks differ"
    said = refusal(BundleError, onnx_graph._name, graph, {"ids": ("batch", 2)}, {"logits": ("batch", 2)})
    assert said.startswith("the graph has inputs ['x'] and 1 output(s); expected ['ids'] and 1, logits: ")


def test_large_weights_lie_beside_the_graph_at_aligned_places(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "_LARGE", TABLE.nbytes)
    graph = graph_of([node("MatMul", "x", "a", "h"), node("MatMul", "h", "b", "k"), node("Mul", "k", "c", "y")],
                     {"a": TABLE, "b": 2 * TABLE, "c": np.array(3, "float32")})  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx_graph.save_onnx(model, tmp_path / "m.onnx", "m.bin")
    content = (tmp_path / "m.bin").read_bytes()
    start = onnx_graph._ALIGNMENT
    assert content[:16] == TABLE.tobytes() and content[start:] == (2 * TABLE).tobytes()
    x = np.array([[1, 0]], "float32")
    assert onnx_graph.open_onnx(tmp_path / "m.onnx", "y")({"x": x}).tolist() == (x @ TABLE @ TABLE * 6).tolist()


def test_what_a_library_prints_is_kept(capfd):
    with onnx_graph.silenced() as said:
        print("from Python")
        os.write(2, b"from C++\n")
        print("a warning", file=sys.stderr)
        found = said()
    assert sorted(found.splitlines()) == ["a warning", "from C++", "from Python"] and capfd.readouterr() == ("", "")


def test_the_last_line_that_says_something():
    assert onnx_graph.last_line("a\n  b \n\n") == "b" and onnx_graph.last_line(" \n") == ""
