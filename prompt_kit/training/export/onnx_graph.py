"""A Paddle static graph on disk -> an ONNX model with our names, and its half-precision twin."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Callable

import numpy as np

from prompt_kit.errors import BundleError
from prompt_kit.inference.cores import physical_cores
from prompt_kit.prompt_config.kinds import OUTPUT_NAME, Axes
from prompt_kit.training.runtime import require

# 17 is the first opset with LayerNormalization as one operator: a quarter fewer nodes, and in fp16 its mean, variance
# and epsilon (1e-12, which fp16 cannot hold) stay inside the operator. onnxruntime reads it since 1.12.
OPSET = 17
_LARGE = 1024  # bytes
_ALIGNMENT = 64  # bytes, a line of a CPU's cache: onnxruntime computes with the mapped weights where they lie


def convert(model_file: Path, params_file: Path, inputs: Mapping[str, Axes], outputs: Mapping[str, Axes]) -> Any:
    """Convert model.json (or .pdmodel) and model.pdiparams to an onnx.ModelProto with exactly these inputs and outputs.

    Raises BundleError when the graph has other inputs or paddle2onnx cannot convert it.
    """
    require("paddle2onnx")
    with silenced() as said:
        try:
            import onnx
            import paddle2onnx

            serialized = paddle2onnx.export(
                str(model_file),
                str(params_file),
                None,
                opset_version=OPSET,
                auto_upgrade_opset=False,
                # the default, polygraphy, pip-installs packages at run time
                optimize_tool="None",
            )
            graph = onnx.load_from_string(serialized)
            _name(graph.graph, inputs, outputs)
            _simplify(graph.graph)
            _fold_products(graph.graph)
            drop_unused(graph.graph)
            onnx.checker.check_model(graph)
        except BundleError:
            raise
        except Exception as error:  # paddle2onnx logs the cause and then fails with an UnboundLocalError
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]} {last_line(said())}"
            raise BundleError(f"{model_file.absolute()} cannot be converted to ONNX: {reason}") from error
    return graph


def to_fp16(graph: Any) -> Any:
    """The same model with half-precision weights and arithmetic; inputs and output keep their types."""
    with silenced():
        from onnxruntime.transformers.float16 import convert_float_to_float16

        graph = copy.deepcopy(graph)
        _widen_integer_arithmetic(graph)
        return convert_float_to_float16(graph, keep_io_types=True)


def _widen_integer_arithmetic(model: Any) -> None:
    """Make doubles of the floats that ids are computed with, so that the conversion to half precision passes over them.

    paddle2onnx adds whole numbers as floats. fp16 holds none above 2048 exactly: a token would become its neighbour.
    """
    from onnx import TensorProto, numpy_helper, shape_inference

    graph, inferred = model.graph, shape_inference.infer_shapes(model).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*inferred.value_info, *inferred.output)}
    kinds.update({tensor.name: tensor.data_type for tensor in graph.initializer})
    makers = {name: node for node in graph.node for name in node.output}
    to_whole = [node for node in graph.node if _casts_to(node, TensorProto.INT64, TensorProto.INT32)]
    floats: set[str] = set()
    ahead = [node.input[0] for node in to_whole]
    while ahead:
        name = ahead.pop()
        if name not in floats and kinds.get(name) == TensorProto.FLOAT:
            floats.add(name)
            ahead += makers[name].input if name in makers else ()
    for node in graph.node:
        if floats.intersection(node.input) and not (floats.issuperset(node.output) or node in to_whole):
            return  # a float that is used elsewhere too: leave all as it is, the comparison with the model will tell
    for node in graph.node:
        if floats.issuperset(node.output) and node.op_type == "Cast":
            node.attribute[0].i = TensorProto.DOUBLE
    for tensor in [tensor for tensor in graph.initializer if tensor.name in floats]:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    known = [value for value in graph.value_info if value.name not in floats]
    del graph.value_info[:]
    graph.value_info.extend(known)


def _casts_to(node: Any, *kinds: int) -> bool:
    return node.op_type == "Cast" and node.attribute[0].i in kinds


def save_onnx(model: Any, path: Path, weights: str) -> None:
    """Write an onnx.ModelProto as `path`, and what is large of it as `weights`, a file beside it.

    onnxruntime maps such a file into memory instead of copying it twice: docs/speed.md.
    """
    from onnx import save_model
    from onnx.external_data_helper import set_external_data

    path.with_name(weights).write_bytes(b"")  # it is there, even if nothing is large
    model = copy.deepcopy(model)  # writing takes the weights out of it
    end = 0
    for tensor in model.graph.initializer:
        size = len(tensor.raw_data)
        if size >= _LARGE:
            end += -end % _ALIGNMENT
            set_external_data(tensor, weights, offset=end, length=size)
            end += size
    save_model(model, path)


def open_onnx(path: Path, output: str = OUTPUT_NAME) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """arrays -> logits [B, C], or another output, run by onnxruntime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = physical_cores()
    options.log_severity_level = 4  # errors come as exceptions
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise BundleError(f"onnxruntime cannot load the exported {path.name}: {last_line(str(error))}") from error

    def answer(arrays: dict[str, np.ndarray]) -> np.ndarray:
        try:
            return session.run([output], arrays)[0]
        except Exception as error:
            raise BundleError(f"onnxruntime cannot run the exported {path.name}: {last_line(str(error))}") from error

    return answer


def _name(graph: Any, inputs: Mapping[str, Axes], outputs: Mapping[str, Axes]) -> None:
    """Check the inputs' names, rename the output (paddle2onnx calls it fetch_name_0), and name the free dimensions."""
    found = [value.name for value in graph.input]
    if sorted(found) != sorted(inputs) or len(graph.output) != len(outputs):
        raise BundleError(
            f"the graph has inputs {found} and {len(graph.output)} output(s); expected {list(inputs)} and "
            f"{len(outputs)}, {', '.join(outputs)}: it was not exported from this template"
        )
    order = {name: place for place, name in enumerate(inputs)}
    values = sorted(graph.input, key=lambda value: order[value.name])
    values = [copy.deepcopy(value) for value in values]
    del graph.input[:]
    graph.input.extend(values)
    for value, name in zip(graph.output, outputs):
        _rename(graph, value.name, name)
        value.name = name
    for value in (*graph.input, *graph.output):
        shape = {**inputs, **outputs}[value.name]
        dims = value.type.tensor_type.shape.dim
        if len(dims) != len(shape) or any(
            isinstance(size, int) and dim.dim_value not in (0, size) for dim, size in zip(dims, shape)
        ):
            got = [dim.dim_value or "?" for dim in dims]
            raise BundleError(
                f"the graph's {value.name} has shape {got}, expected {list(shape)}: labels or masks differ"
            )
        for dim, size in zip(dims, shape):
            dim.Clear()
            if isinstance(size, int):
                dim.dim_value = size
            else:
                dim.dim_param = size


def _rename(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new


def _simplify(graph: Any) -> None:
    """Read what an Identity passes on from its source, and hold constants in the initializers.

    paddle2onnx writes an Identity for every dropout and cast: half of the nodes, and a tenth of the time to load them.
    """
    source: dict[str, str] = {}
    for node in graph.node:  # in the order of the computation, so a source is resolved before it is read
        if node.op_type == "Identity":
            source[node.output[0]] = source.get(node.input[0], node.input[0])
    results = {source[value.name]: value.name for value in graph.output if value.name in source}
    if any(name in results for name in (value.name for value in (*graph.input, *graph.output))):
        return  # an input handed through as an output, or one value as two outputs, which no model of ours does
    names = {**source, **results, **{name: results[kept] for name, kept in source.items() if kept in results}}
    nodes = []
    for node in graph.node:
        for values in (node.input, node.output):
            for place, name in enumerate(values):
                values[place] = names.get(name, name)
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = graph.initializer.add()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
        elif node.op_type != "Identity":
            nodes.append(copy.deepcopy(node))
    del graph.node[:]
    graph.node.extend(nodes)


def _fold_products(graph: Any) -> None:
    """Multiply what is constant now: an embedding with a padding index comes as weights times a mask of their size."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Mul"]:
        if all(name in constants for name in node.input):
            left, right = (numpy_helper.to_array(constants[name]) for name in node.input)
            tensor = numpy_helper.from_array(left * right, node.output[0])
            graph.initializer.append(tensor)
            constants[tensor.name] = tensor
            graph.node.remove(node)


def drop_unused(graph: Any) -> None:
    """Remove constants that no node reads: onnxruntime would warn of each."""
    used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    if len(kept) < len(graph.initializer):
        kept = [copy.deepcopy(tensor) for tensor in kept]
        del graph.initializer[:]
        graph.initializer.extend(kept)


@contextlib.contextmanager
def silenced() -> Iterator[Callable[[], str]]:
    """Keep what Python and C++ print from the user; yields a function that returns what was said so far.

    paddle2onnx prints from C++, so the file descriptors 1 and 2 themselves point elsewhere for the time.
    """
    streams: list[Any] = [stream for stream in (sys.stdout, sys.stderr) if stream is not None]
    text = io.StringIO()
    with tempfile.TemporaryFile() as file:
        for stream in streams:
            stream.flush()
        kept = [(number, os.dup(number)) for number in (1, 2)]
        try:
            for number, _ in kept:
                os.dup2(file.fileno(), number)
            with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield lambda: text.getvalue() + _contents(file)
        finally:
            for number, saved in kept:
                os.dup2(saved, number)
                os.close(saved)


def _contents(file: Any) -> str:
    file.seek(0)
    return file.read().decode("utf-8", errors="replace")


def last_line(text: str) -> str:
    """The last line that says something, cut to a readable length."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
