"""One exported model on ONNX Runtime: its template and tokenizer, and its graph on the device that it can really use."""

from __future__ import annotations

import contextlib
import io
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.errors import BundleError, DependencyError
from prompt_kit.inference.bundle import OUTPUT_NAME, BundleConfig, bundle_file, load_prompt_tokenizer
from prompt_kit.inference.integer_cpu import multiplies_int8
from prompt_kit.metrics import softmax
from prompt_kit.prompt.prompt_tokenizer import Features, collate

logger = logging.getLogger(__name__)

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_GPU_RECIPE = 'pip uninstall -y onnxruntime onnxruntime-gpu && pip install ".[infer-gpu]"'
# More than this in one call makes a CPU hardly faster, and its activations are what fills the memory: docs/speed.md.
_CPU_TOKENS = 768
_WARNINGS, _SILENT = 2, 4  # onnxruntime's severities; what CUDA lacks is reported in a line of ours


class OnnxModel:
    """Examples -> label probabilities, by one exported model.

    folder, config  of the bundle; the other arguments and what is raised are Predictor's

    `device`, `precision` and `path` say what really runs, `notices` why it is not what was asked for.
    """

    def __init__(
        self,
        folder: Path,
        config: BundleConfig,
        device: str,
        device_id: int,
        num_threads: int,
        precision: str,
        max_seq_length: Optional[int] = None,
    ):
        self.folder, self.config = folder, config
        self.device_id, self.num_threads = device_id, num_threads
        self.notices: list[str] = []
        self.prompt_tokenizer = load_prompt_tokenizer(folder, config, max_seq_length)
        self._start(device, precision)

    def probabilities(self, examples: Sequence[Example], batch_size: int) -> np.ndarray:
        """[N, C] float64, in the order of the examples; neighbours in length share a batch."""
        features = self.prompt_tokenizer.encode_many(examples)
        probabilities = np.empty((len(features), len(self.config.labels)))
        for places in self._batches([len(one.input_ids) for one in features], batch_size):
            logits = self.logits([features[place] for place in places])
            if not np.isfinite(logits).all():
                raise BundleError(
                    f"{self.folder}: the model's logits are not numbers, so it has no answer; its training ran away, "
                    "or its files are damaged: train again with a lower rate, or copy the folder again"
                )
            probabilities[places] = softmax(logits)
        return probabilities

    def _batches(self, lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
        """The places of each batch, shortest first; on a CPU, of no more than _CPU_TOKENS tokens with its padding."""
        most = _CPU_TOKENS if self.device == "cpu" else math.inf
        batch: list[int] = []
        for place in sorted(range(len(lengths)), key=lengths.__getitem__):
            if len(batch) == batch_size or (batch and (len(batch) + 1) * lengths[place] > most):
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch

    def logits(self, features: Sequence[Features]) -> np.ndarray:
        """Label logits [B, C] float32 of one batch."""
        arrays = collate(features, self.prompt_tokenizer.tokenizer.pad_id)
        try:
            return self._session.run([OUTPUT_NAME], arrays)[0]
        except Exception as error:  # onnxruntime's exceptions have no base class of their own
            raise BundleError(f"{self.path} fails on this batch: {_first_line(error)}") from error

    def _start(self, device: str, precision: str) -> None:
        """Open the session; from here on `device` and `precision` say what is really used."""
        onnxruntime = _import_onnxruntime()
        on_gpu = "fp16" if precision == "auto" and self._has("fp16") else precision.replace("auto", "fp32")
        cpu_only = device == "cpu" or precision == "int8"
        session, problem = (None, "") if cpu_only else self._open_on_gpu(onnxruntime, on_gpu)
        self.device, self.precision = ("cpu", self._cpu_precision(precision)) if session is None else ("gpu", on_gpu)
        self.path = self._path_of(self.precision)
        # a damaged model fails here too, and is reported as such before CUDA is blamed
        self._session = session or self._open(onnxruntime, self.path, [_CPU])
        if self.device == "cpu" and device == "gpu":
            raise DependencyError(f"device gpu cannot be used: {problem}; {_GPU_RECIPE}, or use device cpu")
        if self.device == "cpu" and precision == "fp16":
            self.notices.append("fp16 is for GPUs: running fp32 on the CPU")
        if precision == "int8" and not multiplies_int8():
            self.notices.append(
                "this CPU has no VNNI: int8 is no faster here, and sums that overflow may change labels"
            )
        self._check_graph()

    def _has(self, precision: str) -> bool:
        files = self.config.graph_files(precision)
        return bool(files) and all((self.folder / name).is_file() for name in files)

    def _cpu_precision(self, asked: str) -> str:
        """What runs on a CPU when `asked` is."""
        fast = asked == "auto" and self._has("int8") and self.config.agrees("int8") and multiplies_int8()
        return "int8" if fast or asked == "int8" else "fp32"

    def _open_on_gpu(self, onnxruntime: Any, precision: str) -> tuple[Any, str]:
        """(session, "") if it really runs on CUDA, else (None, why not)."""
        if _CUDA not in onnxruntime.get_available_providers():
            problem = "the installed onnxruntime is the CPU build"
            logger.info("running on the CPU: %s", problem)
            return None, problem
        path = self._path_of(precision)
        problem = "onnxruntime cannot start CUDA (driver, CUDA or cuDNN missing or of another version)"
        onnxruntime.set_default_logger_severity(_SILENT)
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # onnxruntime prints its fallback to stdout
                if hasattr(onnxruntime, "preload_dlls"):  # finds the CUDA libraries that pip installed
                    onnxruntime.preload_dlls()
                session = self._open(onnxruntime, path, [(_CUDA, {"device_id": str(self.device_id)}), _CPU])
            if session.get_providers()[0] == _CUDA:
                return session, ""
        except BundleError as error:
            problem = f"onnxruntime cannot start CUDA ({_first_line(error.__cause__ or error)})"
        finally:
            onnxruntime.set_default_logger_severity(_WARNINGS)
        self.notices.append(f"CUDA cannot be used: {problem}")
        return None, problem

    def _path_of(self, precision: str) -> Path:
        if precision not in self.config.models:
            how = "with --int8 --data_dir FOLDER" if precision == "int8" else "without --no_fp16"
            raise BundleError(
                f"{self.folder} has no {precision} model, only {', '.join(self.config.models)}; export it again {how}, "
                "or use fp32"
            )
        graph, *_ = [bundle_file(self.folder, name) for name in self.config.graph_files(precision)]
        return graph  # onnxruntime finds the weights itself, but says less when they are missing

    def _open(self, onnxruntime: Any, path: Path, providers: list[Any]) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.num_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _SILENT
        try:
            return onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # onnxruntime's exceptions have no base class of their own
            raise BundleError(f"{path} cannot be loaded, it is damaged or half-copied: {_first_line(error)}") from error

    def _check_graph(self) -> None:
        """The graph must have the inputs and the output that prompt_config.json declares."""
        inputs = sorted(each.name for each in self._session.get_inputs())
        outputs = {each.name: each.shape for each in self._session.get_outputs()}
        if inputs != sorted(self.config.inputs) or OUTPUT_NAME not in outputs:
            raise BundleError(
                f"{self.path} does not belong to its prompt_config.json: expected inputs "
                f"{sorted(self.config.inputs)} and output {OUTPUT_NAME}, got {inputs} and {sorted(outputs)}; export again"
            )
        width = outputs[OUTPUT_NAME][-1]
        if isinstance(width, int) and width != len(self.config.labels):
            raise BundleError(
                f"{self.path} gives {width} logits, but prompt_config.json has {len(self.config.labels)} labels; "
                "the files are of different exports: export again"
            )


def _import_onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError(
            f"onnxruntime cannot be imported ({_first_line(error)}); inference needs the extra 'infer' (CPU): "
            'pip install ".[infer]", or \'infer-gpu\' (NVIDIA GPU): pip install ".[infer-gpu]"'
        ) from None
    if not hasattr(onnxruntime, "InferenceSession"):  # what uninstalling one of the two packages leaves of the other
        raise DependencyError(
            "onnxruntime is installed in part, because onnxruntime and onnxruntime-gpu overwrite each other: "
            'pip uninstall -y onnxruntime onnxruntime-gpu && pip install ".[infer]" (or ".[infer-gpu]")'
        )
    return onnxruntime


def _first_line(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:300]
