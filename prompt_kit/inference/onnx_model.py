"""One exported model: its template and tokenizer, and its graph on the engine and the device that it can really use."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.errors import BundleError, DependencyError
from prompt_kit.inference.bundle import bundle_file, load_prompt_tokenizer
from prompt_kit.inference.engines import onnxruntime, openvino
from prompt_kit.inference.engines.choice import choose
from prompt_kit.inference.engines.session import Session, first_line
from prompt_kit.inference.integer_cpu import multiplies_int8
from prompt_kit.prompt.prompt_tokenizer import Features, collate
from prompt_kit.prompt_config.kinds import OUTPUT_NAME, STATES_NAME, BundleConfig

logger = logging.getLogger(__name__)

# More than this in one call makes a CPU hardly faster, and its activations are what fills the memory: docs/speed.md.
_CPU_TOKENS = 768
WITH_STATES = "again: python export.py --resume_from_checkpoint CHECKPOINT --with_states"


class OnnxModel:
    """Examples -> label probabilities, by one exported model.

    folder, config  of the bundle; the other arguments and what is raised are Predictor's

    `engine`, `device`, `precision` and `path` say what really runs, `notices` why it is not what was asked for.
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
        engine: str = "auto",
    ):
        self.folder, self.config = folder, config
        self.device_id, self.num_threads = device_id, num_threads
        self.notices: list[str] = []
        self.prompt_tokenizer = load_prompt_tokenizer(folder, config, max_seq_length)
        self._start(device, precision, engine)

    def probabilities(self, examples: Sequence[Example], batch_size: int) -> np.ndarray:
        """[N, C] float64, in the order of the examples; neighbours in length share a batch."""
        (logits,) = self._gather(examples, batch_size, [len(self.config.labels)], lambda batch: [self.logits(batch)])
        return self.config.task.probabilities(logits, self.config.labels)

    def outputs(self, examples: Sequence[Example], batch_size: int, names: Sequence[str]) -> list[np.ndarray]:
        """Outputs of the graph, each [N, its width] float32, in the order of the examples."""
        widths = [self.config.outputs[name][-1] for name in names]
        return self._gather(examples, batch_size, widths, lambda batch: self._fetch(batch, names))

    def _gather(
        self,
        examples: Sequence[Example],
        batch_size: int,
        widths: Sequence[Any],
        answer: Callable[[Sequence[Features]], list[np.ndarray]],
    ) -> list[np.ndarray]:
        """What `answer` gives for each batch, in the order of the examples: arrays [N, width] float32."""
        features = self.prompt_tokenizer.encode_many(examples)
        found = [np.empty((len(features), width), np.float32) for width in widths]
        for places in self._batches([len(one.input_ids) for one in features], batch_size):
            for rows, output in zip(found, answer([features[place] for place in places])):
                if not np.isfinite(output).all():
                    raise BundleError(
                        f"{self.folder}: the model's logits are not numbers, so it has no answer; its training ran away, "
                        "or its files are damaged: train again with a lower rate, or copy the folder again"
                    )
                rows[places] = output
        return found

    def states(self, examples: Sequence[Example], batch_size: int) -> np.ndarray:
        """[N, D] float32 of length 1, in the order of the examples; BundleError for a bundle without states."""
        if not self.config.has_states:
            raise BundleError(f"{self.folder} was exported without states, which this needs; export it {WITH_STATES}")
        return self.outputs(examples, batch_size, (STATES_NAME,))[0]

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
        return self._fetch(features, (OUTPUT_NAME,))[0]

    def _fetch(self, features: Sequence[Features], names: Sequence[str]) -> list[np.ndarray]:
        arrays = collate(features, self.prompt_tokenizer.tokenizer.pad_id)
        try:
            return self._session.fetch(names, self._feed(arrays))
        except Exception as error:  # the engines' exceptions have no base class of their own
            raise BundleError(f"{self.path} fails on this batch: {first_line(error)}") from error

    def _feed(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """What the graph is given for the arrays of one batch."""
        return arrays

    def _start(self, device: str, precision: str, engine: str) -> None:
        """Open the session; from here on `engine`, `device` and `precision` say what is really used."""
        on_gpu = "fp16" if precision == "auto" and self._has("fp16") else precision.replace("auto", "fp32")
        cpu_only = device == "cpu" or precision in ("int8", "bf16") or engine == "openvino"
        session, problem = (None, "") if cpu_only else self._open_on_gpu(on_gpu)
        if session is not None:
            self.engine, self.device, self.precision = "onnxruntime", "gpu", on_gpu
        else:
            self.device = "cpu"
            self.engine, self.precision = self._choose(engine, precision)
        self.path = self._path_of(self.precision)
        # a damaged model fails here too, and is reported as such before CUDA is blamed
        self._session = session or self._open_on_cpu()
        if self.device == "cpu" and device == "gpu":
            raise DependencyError(f"device gpu cannot be used: {problem}; {onnxruntime.GPU_RECIPE}, or use device cpu")
        if self.device == "cpu" and precision == "fp16":
            self.notices.append("fp16 is for GPUs: running fp32 on the CPU")
        if precision == "int8" and not multiplies_int8():
            self.notices.append(
                "this CPU has no VNNI: int8 is no faster here, and sums that overflow may change labels"
            )
        self._check_graph()

    def _has(self, precision: str) -> bool:
        files = self.config.graph_files(_graph_of(precision))
        return bool(files) and all((self.folder / name).is_file() for name in files)

    def _choose(self, engine: str, precision: str) -> tuple[str, str]:
        """(engine, precision) that run on a CPU when these are asked for."""
        if precision == "bf16":
            self._check_bf16()
            if not openvino.computes_in_bf16():
                self.notices.append("this CPU has no bfloat16 products (AVX-512 BF16 or AMX): running fp32")
                precision = "fp32"
        kept = {name for name in ("int8", "bf16") if self._has(name) and self.config.agrees(name)}
        if not multiplies_int8():
            kept.discard("int8")
        return choose(engine, precision, kept)

    def _check_bf16(self) -> None:
        """Refuse bf16 where the export found that it changes too many labels; say so where it was not compared."""
        if "bf16" not in self.config.agreement:
            self.notices.append("the export did not compare bf16 with fp32: labels may differ (export.py --check bf16)")
        elif not self.config.agrees("bf16"):
            raise BundleError(
                f"{self.folder}: bf16 changes more labels than a bundle may, {self.config.agreement['bf16']} were found "
                "at export: use precision fp32"
            )

    def _open_on_gpu(self, precision: str) -> tuple[Optional[Session], str]:
        """(session, "") if it really runs on CUDA, else (None, why not)."""
        session, problem = onnxruntime.open_on_gpu(self._path_of(precision), self.num_threads, self.device_id)
        if problem == onnxruntime.NO_CUDA:
            logger.info("running on the CPU: %s", problem)
        elif problem:
            self.notices.append(f"CUDA cannot be used: {problem}")
        return session, problem

    def _open_on_cpu(self) -> Session:
        if self.engine == "openvino":
            return openvino.open_on_cpu(self.path, self.num_threads, self.precision)
        return onnxruntime.open_on_cpu(self.path, self.num_threads)

    def _path_of(self, precision: str) -> Path:
        precision = _graph_of(precision)
        if precision not in self.config.models:
            how = "with --int8 --data_dir FOLDER" if precision == "int8" else "without --no_fp16"
            raise BundleError(
                f"{self.folder} has no {precision} model, only {', '.join(self.config.models)}; export it again {how}, "
                "or use fp32"
            )
        graph, *_ = [bundle_file(self.folder, name) for name in self.config.graph_files(precision)]
        return graph  # the engine finds the weights itself, but says less when they are missing

    def _check_graph(self) -> None:
        """The graph must have the inputs and the output that prompt_config.json declares."""
        inputs, outputs = sorted(self._session.inputs), self._session.outputs
        if inputs != sorted(self.config.inputs) or not set(self.config.outputs) <= set(outputs):
            raise BundleError(
                f"{self.path} does not belong to its prompt_config.json: expected inputs {sorted(self.config.inputs)} and "
                f"output {' and '.join(self.config.outputs)}, got {inputs} and {sorted(outputs)}; export again"
            )
        width = outputs[OUTPUT_NAME][-1]
        if isinstance(width, int) and width != len(self.config.labels):
            raise BundleError(
                f"{self.path} gives {width} logits, but prompt_config.json has {len(self.config.labels)} labels; "
                "the files are of different exports: export again"
            )


def _graph_of(precision: str) -> str:
    """Whose graph is run: bf16 needs none of its own, the engine rounds fp32's."""
    return "fp32" if precision == "bf16" else precision
