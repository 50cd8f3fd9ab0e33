"""ONNX model -> the same with 8-bit matrix products: ranges of activations found as it runs, weights rounded once.

onnxruntime has a quantizer too (`quantize_dynamic`); this one keeps more labels as they are, for two reasons. It leaves
in float what is done for the mask rows alone, which costs next to nothing. And it evens out the channels: one range
serves a whole activation, and a few channels of a transformer are several times larger than the rest, so most values
would share a few of the 256 steps. Such a channel is divided by a constant before the product, and the weights that
it meets are multiplied by it, after Xiao et al., SmoothQuant, ICML 2023 (arXiv:2211.10438), restricted to outliers.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import BundleError
from prompt_kit.inference.cores import physical_cores
from prompt_kit.prompt_config.kinds import LEAST_AGREEMENT
from prompt_kit.training.export.onnx_graph import drop_unused

# Channels up to the peak of nine in ten keep their size. Measured on a 4-layer model: 90 kept more labels than 70, or
# than moving half of every channel's size.
_ORDINARY = 90
_LARGEST = 127  # symmetric: zero is exact, and no weight falls on -128


@dataclass(frozen=True)
class Int8:
    """Ask for model_int8.onnx too, made and compared on the texts of `data_dir`: dev.txt, and test.txt and data.txt.

    force  write it though it changes more than 1 % of the labels
    """

    data_dir: PathLike
    force: bool = False

    def accept(self, found: dict[str, float]) -> None:
        """Raises BundleError when too few labels are those of model.onnx."""
        least = LEAST_AGREEMENT["int8"]
        if found["share"] < least and not self.force:
            raise BundleError(
                f"model_int8.onnx gives only {found['share']:.2%} of {found['texts']} texts of {os.fspath(self.data_dir)} the "
                f"label that model.onnx gives, less than {least:.0%}: export without --int8, or with --force; nothing was written"
            )


def to_int8(model: Any, batches: Sequence[dict[str, np.ndarray]], narrowing: bool = True) -> Any:
    """The same model with 8-bit products, in standard ONNX operators; inputs and output keep their types.

    Args:
        model: an onnx.ModelProto with [B, L, ·] activations.
        batches: inputs of ordinary texts; the channels' sizes are read off these.
        narrowing: also the products to fewer channels, the second ones of feed-forward layers. They read what comes out of
            GELU, which 8 bits hold worst: without them labels that were lost are kept, and the model is slower.

    Raises BundleError when no product of the graph has constant weights and all rows.
    """
    from onnx import numpy_helper

    model = copy.deepcopy(model)
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}
    products = [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights]
    peaks = channel_peaks(model, {node.input[0] for node in products}, batches)
    products = [node for node in products if node.input[0] in peaks]
    if not narrowing:
        products = [node for node in products if weights[node.input[1]].dims[0] <= weights[node.input[1]].dims[1]]
    if not products:
        raise BundleError("the graph has no matrix product of all rows with constant weights, so nothing to make int8")
    divisors = {name: outlier_divisors(peak) for name, peak in peaks.items()}
    rewritten: set[str] = set()  # activations that are quantized already; the query, key and value read one
    nodes: list[Any] = []
    for node in graph.node:
        if node not in products:
            nodes.append(copy.deepcopy(node))
            continue
        name = node.input[0]
        if name not in rewritten:
            rewritten.add(name)
            nodes += _quantize_activation(graph, name, divisors[name])
        weight = numpy_helper.to_array(weights[node.input[1]]) * divisors[name][:, None]
        nodes += _integer_product(graph, node, weight)
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unused(graph)
    return model


def channel_peaks(model: Any, names: set[str], batches: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Activation [B, L, K] -> the largest |value| of each channel, [K]. Those of other rows, [B, M, K], are left out."""
    import onnxruntime
    from onnx import helper

    watched = copy.deepcopy(model)
    wanted = sorted(names)
    watched.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in wanted)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = physical_cores()
    options.log_severity_level = 4  # errors come as exceptions
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    peaks: dict[str, np.ndarray] = {}
    for batch in batches:
        size, length = batch["input_ids"].shape
        for name, value in zip(wanted, session.run(wanted, batch)):
            # a model may make several inputs of each
            if value.ndim == 3 and value.shape[0] % size == 0 and value.shape[1] == length:
                peak = np.abs(value).max(axis=(0, 1))
                peaks[name] = np.maximum(peaks.get(name, 0), peak)
    return peaks


def outlier_divisors(peaks: np.ndarray) -> np.ndarray:
    """[K] float32: what brings a channel's peak down to the one that nine in ten channels stay below; 1 for those."""
    ordinary = max(float(np.percentile(peaks, _ORDINARY)), np.finfo(np.float32).tiny)
    return np.maximum(peaks / ordinary, 1).astype(np.float32)


def round_weights(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[K, N] -> (int8 [K, N], float32 scale of each column [N]); their product is the weight, rounded."""
    scale = np.maximum(np.abs(weight).max(axis=0), np.finfo(np.float32).tiny * _LARGEST) / _LARGEST
    return np.rint(weight / scale).astype(np.int8), scale.astype(np.float32)


def _quantize_activation(graph: Any, name: str, divisors: np.ndarray) -> list[Any]:
    """name -> name/int8, name/scale, name/zero, through name/even where a channel is divided."""
    from onnx import helper

    nodes, source = [], name
    if (divisors > 1).any():
        source = f"{name}/even"
        factors = _constant(graph, f"{name}/factors", 1 / divisors)
        nodes.append(helper.make_node("Mul", [name, factors], [source]))
    outputs = [f"{name}/int8", f"{name}/scale", f"{name}/zero"]
    return [*nodes, helper.make_node("DynamicQuantizeLinear", [source], outputs)]


def _integer_product(graph: Any, node: Any, weight: np.ndarray) -> list[Any]:
    """The nodes that take the place of `node`, in the order that onnxruntime fuses to one."""
    from onnx import TensorProto, helper

    name, result = node.input[0], node.output[0]
    whole, scale = round_weights(weight)
    names = [f"{result}/{part}" for part in ("weight", "columns", "zero")]
    for part, array in zip(names, (whole, scale, np.zeros(len(scale), np.int8))):
        _constant(graph, part, array)
    integers = [f"{name}/int8", names[0], f"{name}/zero", names[2]]
    return [
        helper.make_node("MatMulInteger", integers, [f"{result}/sum"]),
        helper.make_node("Cast", [f"{result}/sum"], [f"{result}/float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}/scale", names[1]], [f"{result}/unit"]),
        helper.make_node("Mul", [f"{result}/float", f"{result}/unit"], [result]),
    ]


def _constant(graph: Any, name: str, array: np.ndarray) -> str:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
    return name
