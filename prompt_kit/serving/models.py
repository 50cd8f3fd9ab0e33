"""The models of a service, by name: each an exported folder, its predictor and its queue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Optional, Protocol

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError
from prompt_kit.prompt.task import Task
from prompt_kit.serving.batching import Batcher
from prompt_kit.serving.limits import Limits
from prompt_kit.serving.metrics import Metrics
from prompt_kit.serving.refusals import Refusal

_NAME = re.compile(r"[\w.-]{1,100}")


class Classifier(Protocol):
    """What a service needs of a prompt_kit.Predictor."""

    @property
    def labels(self) -> Sequence[str]: ...

    @property
    def decision(self) -> Task: ...

    @property
    def device(self) -> str: ...

    @property
    def precision(self) -> str: ...

    @property
    def models(self) -> Sequence[Any]: ...

    def probabilities(self, examples: Sequence[Example], batch_size: int = 32) -> np.ndarray: ...


@dataclass(frozen=True)
class ServedModel:
    """needs_pair: its template reads text_b too, so that each text comes with a second one."""

    name: str
    predictor: Classifier
    batcher: Batcher
    needs_pair: bool

    def describe(self) -> dict[str, Any]:
        """What GET /models says of it."""
        return {
            "name": self.name,
            "labels": list(self.predictor.labels),
            "task_type": self.predictor.decision.kind,
            "text_pair": self.needs_pair,
            "device": self.predictor.device,
            "precision": self.predictor.precision,
        }

    def column_of(self, label: Optional[str]) -> Optional[int]:
        """The label's id; Refusal 422 where the model does not have it."""
        if label is None:
            return None
        if label not in self.predictor.labels:
            raise Refusal(
                422, "no_such_label", f"model {self.name} has no label {label[:60]!r}; GET /models lists its labels"
            )
        return list(self.predictor.labels).index(label)

    def best(self, row: np.ndarray, top_k: int) -> list[tuple[int, float]]:
        """(label's id, its probability) of the `top_k` best, best first. row: [C]."""
        order = np.argsort(-row, kind="stable")[:top_k]
        return [(int(place), float(row[place])) for place in order]

    def answered(self, row: np.ndarray) -> list[tuple[int, float]]:
        """The same of the labels that are answered where a text may have several, in the order of label.txt."""
        return [
            (int(place), float(row[place])) for place in np.flatnonzero(self.predictor.decision.chosen(row[None])[0])
        ]


class Models:
    """The models by name; the first is the one that a request without a name means."""

    def __init__(self, predictors: Mapping[str, Classifier], limits: Limits, metrics: Metrics):
        if not predictors:
            raise ConfigError("a service needs a model: give --model_path_prefix or --model NAME=PREFIX")
        self._models: dict[str, ServedModel] = {}
        for name, predictor in predictors.items():
            check_name(name)
            batcher = Batcher(
                partial(predictor.probabilities, batch_size=limits.batch),
                limits.batch,
                limits.wait_ms / 1000,
                limits.waiting,
                metrics.batches(name),
            )
            needs_pair = any("text_b" in part.prompt_tokenizer.template.fields for part in predictor.models)
            self._models[name] = ServedModel(name, predictor, batcher, needs_pair)
            metrics.watch(name, batcher)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models.values())

    def get(self, name: Optional[str]) -> ServedModel:
        """The model of that name, or the first; Refusal 404 where there is none."""
        if name is None:
            return next(iter(self._models.values()))
        if name not in self._models:
            known = ", ".join(self._models)
            raise Refusal(404, "no_such_model", f"no model is called {name[:100]!r}; there is: {known}")
        return self._models[name]

    def start(self) -> None:
        for model in self:
            model.batcher.start()

    async def stop(self) -> None:
        for model in self:
            await model.batcher.stop()


def check_name(name: str) -> None:
    """ConfigError for a name that no path could hold."""
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise ConfigError(
            f"model name {name!r}: expected letters, digits, '.', '-' and '_', as in news=checkpoints/export"
        )
