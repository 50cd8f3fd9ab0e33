"""Classes: a user's labels in Python, which may be numbers, and the names and words that a Verbalizer has for them."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from prompt_kit.data.columns import read_label_column, unique
from prompt_kit.errors import CheckpointError, DataError, VerbalizerError, shown
from prompt_kit.prompt.verbalizer import Verbalizer

_PLAIN = (str, bool, int, float)  # what JSON gives back as it was
_MOST = 20  # labels in a message


@dataclass(frozen=True)
class Classes:
    """values[i] is the user's label whose name is verbalizer.labels[i], i being the model's label id."""

    values: tuple[Hashable, ...]
    verbalizer: Verbalizer

    def __post_init__(self) -> None:
        if len(self.values) != len(self.verbalizer):
            raise VerbalizerError(f"{len(self.values)} labels, but names for {len(self.verbalizer)}")

    @classmethod
    def from_labels(cls, labels: Any) -> Classes:
        """From what a user gives as labels.

        Args:
            labels: {label: word or [words]}, a list of labels that are their own words, a list of lines `label==word`,
                the path of a label.txt or of the folder that it is in, or a Verbalizer.
        """
        if isinstance(labels, Verbalizer):
            return cls(labels.labels, labels)
        if isinstance(labels, (str, os.PathLike)):
            path = Path(labels)
            verbalizer = Verbalizer.from_file(path / "label.txt" if path.is_dir() else path)
            return cls(verbalizer.labels, verbalizer)
        if isinstance(labels, Mapping):
            values = read_label_column(list(labels), "labels")
            return cls._named(values, [_words(words, label) for label, words in labels.items()])
        values = read_label_column(labels)
        if any(isinstance(value, str) and "==" in value for value in values):
            verbalizer = Verbalizer.from_lines(map(str, values), "labels")
            return cls(verbalizer.labels, verbalizer)
        return cls._named(values, [(str(value),) for value in values])

    @classmethod
    def from_examples(cls, labels: Iterable[Hashable]) -> Classes:
        """The labels that occur, sorted, each its own word."""
        values = unique(labels)
        return cls._named(values, [(str(value),) for value in values])

    @classmethod
    def _named(cls, values: Sequence[Hashable], words: Sequence[tuple[str, ...]]) -> Classes:
        return cls(tuple(values), Verbalizer(tuple(map(str, values)), tuple(words)))

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def _ids(self) -> dict[Hashable, int]:
        return {value: place for place, value in enumerate(self.values)}

    @cached_property
    def order(self) -> list[int]:
        """Label ids in the order of `array`."""
        return [self._ids[value] for value in unique(self.values)]

    @cached_property
    def array(self) -> np.ndarray:
        """[C] the user's labels, sorted where they can be: scikit-learn's scorers take the columns of probabilities so."""
        return _array([self.values[place] for place in self.order])

    def names_of(self, labels: Sequence[Hashable], where: str = "labels") -> list[str]:
        """The names of labels. DataError for the first one that is unknown."""
        for place, label in enumerate(labels):
            if label not in self._ids:
                known = ", ".join(shown(value, 40) for value in self.values[:_MOST])
                more = f" and {len(self) - _MOST} more" if len(self) > _MOST else ""
                raise DataError(
                    f"{where}[{place}]: unknown label {shown(label)}, expected one of the {len(self)} labels: {known}{more}"
                    f"{self._hint(label)}"
                )
        return [self.verbalizer.labels[self._ids[label]] for label in labels]

    def _hint(self, label: Hashable) -> str:
        if not isinstance(label, int) or any(isinstance(value, int) for value in self.values):
            return ""
        return (
            "; where scikit-learn has numbered the labels (cross_val_predict with predict_proba, voting, stacking), give "
            "labels that are numbers from 0: {0: word, 1: word}"
        )

    def to_json(self) -> list:
        """`values`, for JSON. VerbalizerError for a label that JSON would not give back as it was."""
        odd = next((value for value in self.values if type(value) not in _PLAIN), None)
        if odd is not None:
            raise VerbalizerError(
                f"label {odd!r} is a {type(odd).__name__}, which a folder cannot keep; use strings or numbers as labels"
            )
        return list(self.values)

    @classmethod
    def from_json(cls, values: Any, verbalizer: Verbalizer, where: str) -> Classes:
        """Inverse of `to_json`. CheckpointError, naming `where`, for anything else."""
        plain = isinstance(values, list) and all(type(value) in _PLAIN for value in values)
        if not plain or tuple(map(str, values)) != verbalizer.labels:
            raise CheckpointError(
                f"{where}: its classes are not the labels of the model beside it; copy the folder again"
            )
        return cls(tuple(values), verbalizer)


def _words(words: Any, label: Hashable) -> tuple[str, ...]:
    """A word, words in one string as in label.txt, or a list of words."""
    if isinstance(words, str):
        return tuple(word.strip() for word in re.split("[,，、;；]", words))
    if isinstance(words, Sequence) and all(isinstance(word, str) for word in words):
        return tuple(words)
    raise VerbalizerError(f"label {shown(label)}: expected its word, or a list of words, got {shown(words)}")


def _array(values: Sequence[Hashable]) -> np.ndarray:
    """[C] of the values' own type; of objects where numpy would turn one of them into another type, or apart."""
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and kinds <= set(_PLAIN):
        try:
            return np.array(values)
        except OverflowError:
            pass
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
