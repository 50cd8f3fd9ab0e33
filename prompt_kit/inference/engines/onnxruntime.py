"""ONNX Runtime: the engine of the default install, on the CPU and on NVIDIA GPUs."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

from prompt_kit.errors import BundleError, DependencyError
from prompt_kit.inference.engines.session import first_line
from prompt_kit.prompt_config.kinds import OUTPUT_NAME

GPU_RECIPE = 'pip uninstall -y onnxruntime onnxruntime-gpu && pip install ".[infer-gpu]"'
NO_CUDA = "the installed onnxruntime is the CPU build"
_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_WARNINGS, _SILENT = 2, 4  # onnxruntime's severities; what CUDA lacks is reported in a line of ours


class OnnxRuntimeSession:
    """A graph in onnxruntime; see engines.session.Session."""

    def __init__(self, session: Any):
        self.session = session
        self.inputs = [each.name for each in session.get_inputs()]
        self.outputs = {each.name: each.shape for each in session.get_outputs()}

    def run(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.fetch([OUTPUT_NAME], arrays)[0]

    def fetch(self, names: Sequence[str], arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        outputs: list[np.ndarray] = self.session.run(list(names), arrays)
        return outputs


def open_on_cpu(path: Path, num_threads: int) -> OnnxRuntimeSession:
    """Raises BundleError for a damaged graph, DependencyError when onnxruntime is absent."""
    return OnnxRuntimeSession(_open(_import_onnxruntime(), path, num_threads, [_CPU]))


def open_on_gpu(path: Path, num_threads: int, device_id: int) -> tuple[Optional[OnnxRuntimeSession], str]:
    """(session, "") if it really runs on CUDA, else (None, why not); NO_CUDA for a build without it.

    Raises DependencyError when onnxruntime is absent.
    """
    onnxruntime = _import_onnxruntime()
    if _CUDA not in onnxruntime.get_available_providers():
        return None, NO_CUDA
    onnxruntime.set_default_logger_severity(_SILENT)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # onnxruntime prints its fallback to stdout
            if hasattr(onnxruntime, "preload_dlls"):  # finds the CUDA libraries that pip installed
                onnxruntime.preload_dlls()
            session = _open(onnxruntime, path, num_threads, [(_CUDA, {"device_id": str(device_id)}), _CPU])
        if session.get_providers()[0] == _CUDA:
            return OnnxRuntimeSession(session), ""
    except BundleError as error:
        return None, f"onnxruntime cannot start CUDA ({first_line(error.__cause__ or error)})"
    finally:
        onnxruntime.set_default_logger_severity(_WARNINGS)
    return None, "onnxruntime cannot start CUDA (driver, CUDA or cuDNN missing or of another version)"


def _open(onnxruntime: Any, path: Path, num_threads: int, providers: list[Any]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _SILENT
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise BundleError(f"{path} cannot be loaded, it is damaged or half-copied: {first_line(error)}") from error


def _import_onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError(
            f"onnxruntime cannot be imported ({first_line(error)}); inference needs the extra 'infer' (CPU): "
            'pip install ".[infer]", or \'infer-gpu\' (NVIDIA GPU): pip install ".[infer-gpu]"'
        ) from None
    if not hasattr(onnxruntime, "InferenceSession"):  # what uninstalling one of the two packages leaves of the other
        raise DependencyError(
            "onnxruntime is installed in part, because onnxruntime and onnxruntime-gpu overwrite each other: "
            'pip uninstall -y onnxruntime onnxruntime-gpu && pip install ".[infer]" (or ".[infer-gpu]")'
        )
    return onnxruntime
