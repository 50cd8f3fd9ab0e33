"""OpenVINO: an engine for CPUs, which multiplies in bfloat16 where the processor can. It needs the extra infer-openvino."""

from __future__ import annotations

import importlib.util
import queue
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from prompt_kit.errors import BundleError, DependencyError
from prompt_kit.inference.cpu_flags import AMX_BF16, cpu_flags
from prompt_kit.inference.engines.session import first_line
from prompt_kit.prompt_config.kinds import OUTPUT_NAME

# What OpenVINO computes with in each of our precisions. Without a hint it would take bf16 wherever the processor has it.
# An int8 graph's 8-bit products are in the graph itself, and the rest of it stays in float.
_HINTS = {"fp32": "f32", "int8": "f32", "bf16": "bf16"}

# OpenVINO compiles attention to one kernel of its own, a "snippet", which for sentences of some 30 tokens on AMX takes half
# of the whole time (version 2026.4); as products and a softmax of their own it takes a third of that: docs/speed.md.
_SEPARATE_ATTENTION = {"SNIPPETS_MODE": "DISABLE"}


class OpenVinoSession:
    """A graph in OpenVINO; see engines.session.Session.

    An infer request serves one call at a time, so each call takes one that is idle, or makes one.
    """

    def __init__(self, compiled: Any):
        self.inputs = [port.any_name for port in compiled.inputs]
        self.outputs = {name: _shape(port) for port in compiled.outputs for name in port.names}
        self._compiled = compiled
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.fetch([OUTPUT_NAME], arrays)[0]

    def fetch(self, names: Sequence[str], arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            request = self._compiled.create_infer_request()
        request.infer(dict(arrays), share_inputs=True)
        # the request's own memory, which the next call overwrites
        outputs = [request.get_tensor(name).data.copy() for name in names]
        self._idle.put(request)
        return outputs


def is_installed() -> bool:
    """Whether OpenVINO can be imported; it is not imported for it."""
    return importlib.util.find_spec("openvino") is not None


def computes_in_bf16() -> bool:
    """Whether this processor has bfloat16 products that OpenVINO uses; DependencyError when OpenVINO is absent."""
    return "BF16" in _import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def open_on_cpu(path: Path, num_threads: int, precision: str) -> OpenVinoSession:
    """A graph on the CPU, its products in fp32 or bf16, or as an int8 graph says.

    Raises BundleError for a damaged graph, DependencyError when OpenVINO is absent.
    """
    openvino = _import_openvino()
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "INFERENCE_NUM_THREADS": num_threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        # each process would pin its threads to the first cores: several processes on one machine would share these
        "ENABLE_CPU_PINNING": False,
    }
    if precision == "bf16" and AMX_BF16 in cpu_flags():
        settings.update(_SEPARATE_ATTENTION)
    try:
        core = openvino.Core()
        model = core.read_model(path)
        if precision == "bf16":
            _keep_gathered_rows_in_float(model)
        return OpenVinoSession(core.compile_model(model, "CPU", settings))
    except Exception as error:  # OpenVINO raises RuntimeError, and others from its frontends
        raise BundleError(
            f"{path} cannot be loaded by OpenVINO; it is damaged or half-copied, or this OpenVINO is too old for it (engine "
            f"onnxruntime would tell): {first_line(error)}"
        ) from error


def _keep_gathered_rows_in_float(model: Any) -> None:
    """Make outputs of the rows that are gathered for the masks, which keeps them and what they come from in float.

    OpenVINO leaves in float what follows the last product before an output. Where the rows are gathered in bfloat16
    instead, OpenVINO 2026.4 computes logits that are far off: of 500 headlines 12 % changed their label, with this none.
    Nobody reads the outputs, which are as small as a row for each mask.
    """
    gathers = [node for node in model.get_ops() if node.get_type_name() == "GatherElements"]
    if gathers:
        model.add_outputs([node.output(0) for node in gathers])


def _shape(port: Any) -> list[Any]:
    """Sizes of a port; None for a dimension that is free."""
    return [size.get_length() if size.is_static else None for size in port.partial_shape]


def _import_openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise DependencyError(
            f"openvino cannot be imported ({first_line(error)}); this engine needs the extra 'infer-openvino': "
            'pip install ".[infer-openvino]", or use engine onnxruntime'
        ) from None
    return openvino
