"""Predictor: an exported folder -> labels of texts, with onnxruntime, tokenizers and numpy alone.

predictor = Predictor("checkpoints/export")
predictor.predict(["今晚国足迎战日本队"])[0].label
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from prompt_kit.bundle import OUTPUT_NAME, bundle_file, bundle_folder, load_prompt_tokenizer, read_bundle
from prompt_kit.cores import physical_cores
from prompt_kit.data import Example
from prompt_kit.errors import BundleError, ConfigError, DependencyError
from prompt_kit.integer_cpu import multiplies_int8
from prompt_kit.lines import PathLike
from prompt_kit.metrics import softmax
from prompt_kit.prompt_tokenizer import Features, collate

logger = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "gpu")
PRECISIONS = ("auto", "fp32", "fp16", "int8")
WINDOW = 64  # batches whose texts are sorted by length together: less padding, and still little memory

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_GPU_RECIPE = 'pip uninstall -y onnxruntime onnxruntime-gpu && pip install ".[infer-gpu]"'
_WARNINGS, _SILENT = 2, 4  # onnxruntime's severities; what CUDA lacks is reported in a line of ours


@dataclass(frozen=True)
class Prediction:
    """The label of a text, its probability, and the `top` labels with their probabilities, best first."""

    text: str
    label: str
    score: float
    top: tuple[tuple[str, float], ...]


class Predictor:
    """Classifies texts with a bundle that export.py wrote.

    path            the exported folder, or PaddleNLP's prefix: folder/model
    device          "cpu", "gpu", or "auto": the GPU if onnxruntime can really use it
    device_id       which GPU
    num_threads     CPU threads of onnxruntime; None: the physical cores
    precision       "fp32"; "fp16", for GPUs: on a CPU fp32 runs in its place, with a notice; "int8", for CPUs, on which
                    it runs whatever the device "auto" would be; or "auto": fp16 on a GPU, and on a CPU int8 if export.py
                    found that it keeps 99 % of the labels and this CPU is fast at it, else fp32
    max_seq_length  shorter than the bundle's, for speed; None: the bundle's

    Raises BundleError for a bundle that is missing, incomplete or damaged, ConfigError for arguments out of range, and
    DependencyError when onnxruntime is absent or device="gpu" cannot be had. Threads may share it. It can be pickled, as its
    arguments: the process that unpickles it must find the folder at the same path.
    """

    def __init__(
        self,
        path: PathLike,
        device: str = "auto",
        device_id: int = 0,
        num_threads: Optional[int] = None,
        precision: str = "auto",
        max_seq_length: Optional[int] = None,
    ):
        _check_choice("device", device, DEVICES)
        _check_choice("precision", precision, PRECISIONS)
        if precision == "int8" and device == "gpu":
            raise ConfigError("int8 is for CPUs: use device cpu, or precision fp16 on the GPU")
        _check_number("device_id", device_id, 0)
        _check_number("num_threads", num_threads, 1)
        self.folder = bundle_folder(path)
        self.config = read_bundle(self.folder)
        if max_seq_length is not None and max_seq_length > self.config.max_seq_length:
            raise ConfigError(
                f"max_seq_length {max_seq_length} exceeds the exported model's {self.config.max_seq_length}: "
                f"use {self.config.max_seq_length} or less, or train and export with a longer one"
            )
        self.labels = self.config.labels
        self.prompt_tokenizer = load_prompt_tokenizer(self.folder, self.config, max_seq_length)
        self.device_id = device_id
        self.num_threads = physical_cores() if num_threads is None else num_threads
        self._asked = (device, precision)
        self._settings = (self.folder, device, device_id, num_threads, precision, max_seq_length)
        self._start()

    def predict(self, texts: Sequence[Union[str, Example]], batch_size: int = 32, top_k: int = 1) -> list[Prediction]:
        """Predictions in the order of the texts; an Example for a template that reads text_b too."""
        if isinstance(texts, str):
            raise ConfigError("predict takes a list of texts; for one text write predict([text])")
        return list(self.predict_stream(texts, batch_size, top_k))

    def predict_stream(
        self, texts: Iterable[Union[str, Example]], batch_size: int = 32, top_k: int = 1
    ) -> Iterator[Prediction]:
        """Predictions one by one, in the order of the texts, in bounded memory however many there are.

        Texts are read ahead 64 batches at a time and sorted by length among these; with batch_size 1 none are, so
        each text is answered as it comes.
        """
        window_size(batch_size)  # a mistake surfaces at this call, not at the first text
        _check_number("top_k", top_k, 1)
        if top_k > len(self.labels):
            raise ConfigError(f"top_k {top_k} exceeds the model's {len(self.labels)} labels")
        return self._stream(iter(texts), batch_size, top_k)

    def _stream(self, texts: Iterator[Union[str, Example]], batch_size: int, top_k: int) -> Iterator[Prediction]:
        window = window_size(batch_size)
        while True:
            examples = [Example(text) if isinstance(text, str) else text for text in islice(texts, window)]
            if not examples:
                return
            features = self.prompt_tokenizer.encode_many(examples)
            order = sorted(range(len(features)), key=lambda place: len(features[place].input_ids))
            probabilities = np.empty((len(features), len(self.labels)))
            for start in range(0, len(order), batch_size):
                places = order[start : start + batch_size]
                probabilities[places] = softmax(self.logits([features[place] for place in places]))
            best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
            for example, row, columns in zip(examples, probabilities, best):
                top = tuple((self.labels[column], float(row[column])) for column in columns)
                yield Prediction(example.text_a, *top[0], top)

    def logits(self, features: Sequence[Features]) -> np.ndarray:
        """Label logits [B, C] float32 of one batch."""
        arrays = collate(features, self.prompt_tokenizer.tokenizer.pad_id)
        try:
            return self._session.run([OUTPUT_NAME], arrays)[0]
        except Exception as error:  # onnxruntime's exceptions have no base class of their own
            raise BundleError(f"{self._model_path} fails on this batch: {_first_line(error)}") from error

    def _start(self) -> None:
        """Open the session; from here on `device` and `precision` say what is really used."""
        device, precision = self._asked
        onnxruntime = _import_onnxruntime()
        on_gpu = "fp16" if precision == "auto" and self._has("fp16") else precision.replace("auto", "fp32")
        cpu_only = device == "cpu" or precision == "int8"
        session, problem = (None, "") if cpu_only else self._open_on_gpu(onnxruntime, on_gpu)
        self.device, self.precision = ("cpu", self._cpu_precision(precision)) if session is None else ("gpu", on_gpu)
        self._model_path = self._path_of(self.precision)
        # a damaged model fails here too, and is reported as such before CUDA is blamed
        self._session = session or self._open(onnxruntime, self._model_path, [_CPU])
        if self.device == "cpu" and device == "gpu":
            raise DependencyError(f"device gpu cannot be used: {problem}; {_GPU_RECIPE}, or use device cpu")
        if self.device == "cpu" and precision == "fp16":
            logger.warning("fp16 is for GPUs: running fp32 on the CPU")
        if precision == "int8" and not multiplies_int8():
            logger.warning("this CPU has no VNNI: int8 is no faster here, and sums that overflow may change labels")
        self._check_graph()

    def _has(self, precision: str) -> bool:
        name = self.config.models.get(precision)
        return name is not None and (self.folder / name).is_file()

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
        logger.warning("CUDA cannot be used: %s", problem)
        return None, problem

    def _path_of(self, precision: str) -> Path:
        if precision not in self.config.models:
            how = "with --int8 --data_dir FOLDER" if precision == "int8" else "without --no_fp16"
            raise BundleError(
                f"{self.folder} has no {precision} model, only {', '.join(self.config.models)}; export it again {how}, "
                "or use fp32"
            )
        return bundle_file(self.folder, self.config.models[precision])

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
                f"{self._model_path} does not belong to its prompt_config.json: expected inputs "
                f"{sorted(self.config.inputs)} and output {OUTPUT_NAME}, got {inputs} and {sorted(outputs)}; export again"
            )
        width = outputs[OUTPUT_NAME][-1]
        if isinstance(width, int) and width != len(self.labels):
            raise BundleError(
                f"{self._model_path} gives {width} logits, but prompt_config.json has {len(self.labels)} labels; "
                "the files are of different exports: export again"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its arguments: the process that unpickles it reads the folder, and uses the cores that it has."""
        return type(self), self._settings

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r}, device={self.device!r}, precision={self.precision!r})"


def window_size(batch_size: int) -> int:
    """How many texts `Predictor.predict_stream` reads before it answers the first of them; ConfigError below 1."""
    _check_number("batch_size", batch_size, 1)
    return 1 if batch_size == 1 else batch_size * WINDOW


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


def _check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def _check_number(name: str, value: Any, least: int) -> None:
    if value is None and name == "num_threads":
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name} must be a whole number of {least} or more, got {value!r}")


def _first_line(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:300]
