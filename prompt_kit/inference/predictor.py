"""Predictor: an exported folder -> labels of texts, with onnxruntime or OpenVINO, tokenizers and numpy alone.

predictor = Predictor("checkpoints/export")
predictor.predict(["今晚国足迎战日本队"])[0].label
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import tee
from typing import Any, Optional, Union

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.data.lines import PathLike
from prompt_kit.data.texts import is_empty
from prompt_kit.errors import BundleError, ConfigError, shown
from prompt_kit.inference.bundle import bundle_folder
from prompt_kit.inference.call_arguments import check_choice, check_number, check_texts
from prompt_kit.inference.carried_examples import Neighbour, TrainingExamples, read_examples_file
from prompt_kit.inference.cores import physical_cores
from prompt_kit.inference.engines.choice import ENGINES
from prompt_kit.inference.ensemble import average, read_models
from prompt_kit.inference.explanation import Explanation, explain
from prompt_kit.inference.onnx_model import OnnxModel
from prompt_kit.inference.support import Support, SupportClassifier
from prompt_kit.inference.task_model import TaskModel
from prompt_kit.inference.text_windows import (
    MOST_IN_BATCH,
    MOST_READ_AHEAD,
    WINDOW,
    answers_by_window,
    check_batch_size,
    to_example,
    window_size,
)
from prompt_kit.prompt.prompt_tokenizer import Features, PromptTokenizer
from prompt_kit.prompt.task import ONE_LABEL
from prompt_kit.prompt_config import TasksConfig

__all__ = [
    "DEVICES",
    "MOST_IN_BATCH",
    "MOST_READ_AHEAD",
    "MOST_THREADS",
    "PRECISIONS",
    "WINDOW",
    "Prediction",
    "Predictor",
    "window_size",
]

logger = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "gpu")
PRECISIONS = ("auto", "fp32", "fp16", "int8", "bf16")
MOST_THREADS = max(
    256, os.cpu_count() or 1
)  # more than a machine has CPUs make it slower, and many more end the process


@dataclass(frozen=True)
class Prediction:
    """The answer to a text.

    label   the label; of a task with several labels a text all of them, with commas between, "" for none
    score   the probability of the most probable label
    top     the most probable labels with their probabilities, best first, whether or not they are answered
    labels  the labels that are answered, each with its probability, in the order of label.txt
    text_b  of two texts the second
    nearest the training examples nearest to the text, where they were asked for
    """

    text: str
    label: str
    score: float
    top: tuple[tuple[str, float], ...]
    labels: tuple[tuple[str, float], ...] = ()
    text_b: Optional[str] = None
    nearest: tuple[Neighbour, ...] = ()


class Predictor:
    """Classifies texts with a bundle that export.py wrote, or with an ensemble of them that tools/ensemble.py wrote.

    path            the exported folder, or PaddleNLP's prefix: folder/model
    device          "cpu", "gpu", or "auto": the GPU if onnxruntime can really use it
    device_id       which GPU
    num_threads     CPU threads of the engine; None: the physical cores
    precision       "fp32"; "fp16", for GPUs: on a CPU fp32 runs in its place, with a notice; "int8", for CPUs, on which
                    it runs whatever the device "auto" would be; or "auto": fp16 on a GPU, and on a CPU int8 if export.py
                    found that it keeps 99 % of the labels and this CPU is fast at it, else fp32; "bf16", for CPUs and
                    OpenVINO: where the CPU lacks it fp32 runs in its place, with a notice
    max_seq_length  shorter than the bundle's, for speed; None: the bundle's
    engine          "onnxruntime"; "openvino", for CPUs; or "auto": on a CPU whichever was measured to be faster with
                    what is installed (see engines.choice), on a GPU onnxruntime
    task            of a folder of several tasks: which; None: each call names its own, and there are no `labels`

    `tasks` are the names of the tasks that share the folder, () for every other one.

    Raises BundleError for a bundle that is missing, incomplete or damaged, ConfigError for arguments out of range, and
    DependencyError when the engine is absent or device="gpu" is not available. Threads may share it. It can be pickled, as its
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
        engine: str = "auto",
        task: Optional[str] = None,
    ):
        check_choice("device", device, DEVICES)
        check_choice("engine", engine, ENGINES)
        check_choice("precision", precision, PRECISIONS)
        if precision == "int8" and device == "gpu":
            raise ConfigError("int8 is for CPUs: use device cpu, or precision fp16 on the GPU")
        if (precision == "bf16" or engine == "openvino") and device == "gpu":
            raise ConfigError("bf16 and engine openvino are for CPUs: use device cpu, or precision fp16 on the GPU")
        if precision == "bf16" and engine == "onnxruntime":
            raise ConfigError("onnxruntime has no bf16 on a CPU: use engine openvino, or precision fp32 or int8")
        device_id = check_number("device_id", device_id, 0)
        num_threads = None if num_threads is None else check_number("num_threads", num_threads, 1, MOST_THREADS)
        if max_seq_length is not None:
            max_seq_length = check_number("max_seq_length", max_seq_length, 1)
        if not isinstance(path, (str, os.PathLike)):
            raise ConfigError(
                f"path: expected the path of an exported folder, got {shown(path)}, a {type(path).__name__}"
            )
        self.folder = bundle_folder(path)
        self.config, parts = read_models(self.folder)
        longest = max(part.config.max_seq_length for part in parts)
        if max_seq_length is not None and max_seq_length > longest:
            raise ConfigError(
                f"max_seq_length {max_seq_length} exceeds the exported model's {longest}: "
                f"use {longest} or less, or train and export with a longer one"
            )
        self.tasks = tuple(self.config.tasks) if isinstance(self.config, TasksConfig) else ()
        self.task: Optional[str] = None
        self.labels: tuple[str, ...] = () if isinstance(self.config, TasksConfig) else self.config.labels
        self._support: Optional[SupportClassifier] = None
        self._given: tuple[Any, ...] = ()  # to `with_support`
        self.decision = parts[0].config.task  # an ensemble's members are of one label a text, see read_models
        self.device_id = device_id
        self.num_threads = physical_cores() if num_threads is None else num_threads
        self._settings = (self.folder, device, device_id, num_threads, precision, max_seq_length, engine, task)
        self._weights = [part.weight for part in parts]
        self.models: list[OnnxModel] = []
        for part in parts:
            length = part.config.max_seq_length
            shorter = length if max_seq_length is None else min(length, max_seq_length)
            options = (device, device_id, self.num_threads, precision, shorter, engine)
            if isinstance(self.config, TasksConfig):
                beside = self.models[0] if self.models else None
                model: OnnxModel = TaskModel(self.config, self.tasks[len(self.models)], beside, part.folder, *options)
            else:
                model = OnnxModel(part.folder, part.config, *options)
            device = model.device  # what the first one can use holds for all, and is found out once
            self.models.append(model)
        self.device = device
        self.precision = "+".join(dict.fromkeys(model.precision for model in self.models))
        self.engine = "+".join(dict.fromkeys(model.engine for model in self.models))
        for notice in dict.fromkeys(notice for model in self.models for notice in model.notices):
            logger.warning(notice)
        if task is not None:
            self._choose_task(task)

    def for_task(self, task: str) -> Predictor:
        """A Predictor of one task of the folder; both share the language model in memory. ConfigError for another name."""
        other = copy.copy(self)
        other._choose_task(task)
        return other

    def _choose_task(self, task: str) -> None:
        if not isinstance(self.config, TasksConfig):
            served = f"serves task {self.task}" if self.task else "is of one task"
            raise ConfigError(f"task {shown(task)}: {self.folder} {served}, so none is to be named; leave task out")
        if task not in self.tasks:
            raise ConfigError(f"task {shown(task)}: {self.folder} serves {', '.join(self.tasks)}; name one of these")
        self.models = [self.models[self.tasks.index(task)]]
        self.task, self._weights = task, [1.0]
        self.config = self.config.tasks[task]
        self.labels, self.decision = self.config.labels, self.config.task
        self._settings = (*self._settings[:-1], task)

    def check_task(self) -> None:
        """Raise ConfigError where the folder serves several tasks and none is chosen."""
        if isinstance(self.config, TasksConfig):
            raise ConfigError(
                f"{self.folder} serves the tasks {', '.join(self.tasks)}: name one, --task NAME, or task= in Python"
            )

    def predict(
        self,
        texts: Sequence[Union[str, Example]],
        batch_size: int = 32,
        top_k: int = 1,
        support: Optional[Support] = None,
        only_support: bool = False,
        task: Optional[str] = None,
        nearest: int = 0,
    ) -> list[Prediction]:
        """Predictions in the order of the texts; an Example for a template that reads text_b too.

        With `support`, as the Predictor that `with_support` gives; with `task`, of a folder of several, as that of `for_task`.
        With `nearest`, each has so many of the training examples that are nearest to its text (see `nearest`).
        Raises DataError, which names the place from 1, for an empty text and for what is no text, and BundleError where
        `nearest` is above 0 and the folder carries no training examples.
        """
        check_texts("predict", texts)
        if task is not None:
            return self.for_task(task).predict(texts, batch_size, top_k, support, only_support, nearest=nearest)
        if support is not None:
            return self.with_support(support, only_support).predict(texts, batch_size, top_k, nearest=nearest)
        if only_support:
            raise ConfigError("only_support needs support, the examples to classify by; give them, or leave it out")
        return list(self.predict_stream(texts, batch_size, top_k, nearest))

    def with_support(self, support: Support, only_support: bool = False) -> Predictor:
        """A Predictor on the same model that also has the labels of a support set; nothing is trained.

        Args:
            support: a few texts of each new label: pairs of text and label, or Examples. A label may be written `label==word`;
                it is the mean direction of its examples and its words, which count as three. `label==word` alone, a string,
                is a label without an example.
            only_support: the labels of the support set alone, whatever the model was trained for.

        Raises BundleError for a folder that was exported without states, ConfigError for an ensemble or a head whose logits
        are no cosines, DataError for a mistake in the support set.
        """
        examples = list(support) if isinstance(support, Iterable) and not isinstance(support, str) else support
        other = copy.copy(self)
        if self.decision.several and not only_support:
            raise ConfigError(
                f"a support set adds labels to a model of one label a text, and this one is {self.decision.kind}; classify by "
                "the support set alone (--only_support, only_support=True)"
            )
        other.decision = ONE_LABEL
        other._support = SupportClassifier(self._only_model(), examples, only_support)
        other.labels = other._support.labels
        other._given = (examples, only_support)
        return other

    def states(self, texts: Sequence[Union[str, Example]], batch_size: int = 32) -> np.ndarray:
        """[N, D] float32, a vector of length 1 for each text, whose cosines say which texts the model takes to be alike.

        Raises BundleError for a folder that was exported without states, ConfigError for an ensemble.
        """
        check_texts("states", texts)
        examples = [to_example(text, number) for number, text in enumerate(texts, start=1)]
        return self._only_model().states(examples, check_batch_size(batch_size))

    def predict_stream(
        self, texts: Iterable[Union[str, Example]], batch_size: int = 32, top_k: int = 1, nearest: int = 0
    ) -> Iterator[Prediction]:
        """Predictions one by one, in the order of the texts, in bounded memory however many there are.

        Texts are read ahead 64 batches at a time and sorted by length among these; with batch_size 1 none are, so
        each text is answered as it comes. What is wrong with a text is raised after the answers of those before it.
        """
        self.check_task()
        batch_size = check_batch_size(batch_size)  # a mistake surfaces at this call, not at the first text
        top_k = check_number("top_k", top_k, 1)
        check_texts("predict_stream", texts)
        if top_k > len(self.labels):
            raise ConfigError(f"top_k {top_k} exceeds the model's {len(self.labels)} labels")
        if check_number("nearest", nearest, 0):
            self._carried()
        answer = partial(self._answers, batch_size=batch_size, top_k=top_k, nearest=nearest)
        return answers_by_window(iter(texts), batch_size, answer, self._check_text)

    def _check_text(self, example: Example) -> None:
        """DataError for a text that a template refuses."""
        for model in self.models:
            model.prompt_tokenizer.encode(example)

    def _answers(self, examples: Sequence[Example], batch_size: int, top_k: int, nearest: int) -> list[Prediction]:
        if not examples:
            return []
        probabilities = self.probabilities(examples, batch_size)
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
        chosen = self.decision.chosen(probabilities)
        near = self.nearest(examples, nearest, batch_size) if nearest else [()] * len(examples)
        answers = []
        for example, row, columns, there, neighbours in zip(examples, probabilities, best, chosen, near):
            top, labels = (
                tuple((self.labels[column], float(row[column])) for column in places)
                for places in (columns, np.flatnonzero(there))
            )
            label = ",".join(name for name, _ in labels)
            answers.append(Prediction(example.text_a, label, top[0][1], top, labels, example.text_b, neighbours))
        return answers

    def probabilities(self, texts: Sequence[Union[str, Example]], batch_size: int = 32) -> np.ndarray:
        """[N, C] float64, label probabilities in the order of the texts and of `labels`; an Example may be empty here."""
        check_texts("probabilities", texts)
        self.check_task()
        examples = [to_example(text, number, isinstance(text, Example)) for number, text in enumerate(texts, start=1)]
        if self._support is not None:
            return self._support.probabilities(examples, batch_size)
        return average([model.probabilities(examples, batch_size) for model in self.models], self._weights)

    @cached_property
    def training_examples(self) -> Optional[TrainingExamples]:
        """What `export.py --with_examples` put into the folder; None where it did not, and for an ensemble.

        Raises BundleError for a damaged file.
        """
        config = self.models[0].config
        if len(self.models) > 1 or config.states is None:
            return None
        return read_examples_file(self.folder, config.states)

    def nearest(
        self, texts: Sequence[Union[str, Example]], count: int = 3, batch_size: int = 32
    ) -> list[tuple[Neighbour, ...]]:
        """The `count` training examples nearest to each text, by the cosine of their mask states, the nearest first.

        Raises BundleError for a folder that was exported without them.
        """
        check_texts("nearest", texts)
        return self._carried().nearest(self.states(texts, batch_size), check_number("nearest", count, 0))

    def _carried(self) -> TrainingExamples:
        if self.training_examples is None:
            raise BundleError(
                f"{self.folder} carries no training examples; export it again with --with_examples --data_dir FOLDER"
            )
        return self.training_examples

    def explain(
        self,
        texts: Iterable[Union[str, Example]],
        top_k: int = 5,
        label: Optional[str] = None,
        batch_size: int = 32,
        nearest: int = 3,
    ) -> list[Explanation]:
        """What each character does for the label (see explanation.py): each text is classified once without each of its
        characters. `label` None: the predicted one. `top_k`: how many characters are named first. `nearest`: how many
        training examples, where the folder carries them."""
        check_texts("explain", texts)
        return list(self.explain_stream(texts, top_k, label, batch_size, nearest))

    def explain_stream(
        self,
        texts: Iterable[Union[str, Example]],
        top_k: int = 5,
        label: Optional[str] = None,
        batch_size: int = 32,
        nearest: int = 3,
    ) -> Iterator[Explanation]:
        """Explanations one by one, in the order of the texts, in bounded memory."""
        check_texts("explain_stream", texts)
        self.check_task()
        check_number("batch_size", batch_size, 1)
        tokenizers = [model.prompt_tokenizer for model in self.models]
        classify = partial(self.probabilities, batch_size=batch_size)
        if not check_number("nearest", nearest, 0) or self.training_examples is None:
            return explain(classify, tokenizers, self.labels, texts, top_k, label)
        texts, again = tee(texts)
        found = explain(classify, tokenizers, self.labels, texts, top_k, label)
        return (self._with_nearest(one, text, nearest) for one, text in zip(found, again))

    def _with_nearest(self, explanation: Explanation, text: Union[str, Example], count: int) -> Explanation:
        if is_empty(explanation.text):
            return explanation
        return replace(explanation, nearest=self.nearest([text], count, 1)[0])

    @property
    def reads_pairs(self) -> bool:
        """Whether a template has two texts."""
        return any("text_b" in model.prompt_tokenizer.template.fields for model in self.models)

    @property
    def prompt_tokenizer(self) -> PromptTokenizer:
        """Template and tokenizer; ConfigError for an ensemble, where each of `models` has its own."""
        return self._only_model().prompt_tokenizer

    def logits(self, features: Sequence[Features]) -> np.ndarray:
        """Label logits [B, C] float32 of one batch; ConfigError for an ensemble, which averages probabilities."""
        return self._only_model().logits(features)

    def _only_model(self) -> OnnxModel:
        self.check_task()
        if len(self.models) > 1:
            raise ConfigError(
                f"{self.folder} holds {len(self.models)} models: use predictor.models, or probabilities()"
            )
        return self.models[0]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as its arguments: the process that unpickles it reads the folder, and uses the cores that it has."""
        return _open, (type(self), self._settings, self._given)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r}, device={self.device!r}, precision={self.precision!r})"


def _open(kind: type[Predictor], settings: tuple[Any, ...], given: tuple[Any, ...]) -> Predictor:
    predictor = kind(*settings)
    return predictor.with_support(*given) if given else predictor
