"""A model's answers to labelled texts, and what a report counts of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Optional

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.errors import DataError
from prompt_kit.inference.explanation import Explanation
from prompt_kit.metrics import (
    BadCase,
    Bin,
    ClassScore,
    bad_cases,
    class_scores,
    confusion_matrix,
    expected_calibration_error,
    reliability,
    wilson_interval,
)


class Neighbour(NamedTuple):
    """A training example near a text: its text, its label, and the cosine of the two mask states."""

    text: str
    label: str
    similarity: float


class Case(NamedTuple):
    """A text with the wrong label: its row, what it is, what it was taken for, and the probabilities of both."""

    row: int
    text: str
    gold: str
    predicted: str
    gold_probability: float
    probability: float


class Confusion(NamedTuple):
    """`cases` of the `texts` texts of `gold` were taken for `predicted`."""

    gold: str
    predicted: str
    cases: int
    texts: int


@dataclass(frozen=True)
class Evaluation:
    """Labelled texts and the probabilities [N, C] that a model gives.

    split          the file they are of: test, dev
    explanations   row -> what its characters do for the predicted label, for some of the wrong cases
    neighbours     row -> training examples, the nearest first, for some of the wrong cases
    num_cut        texts longer than the model reads; None if nobody counted

    Raises DataError where an example has no label, or there is no example.
    """

    split: str
    labels: tuple[str, ...]
    examples: Sequence[Example]
    probabilities: np.ndarray
    num_cut: Optional[int] = None
    explanations: dict[int, Explanation] = field(default_factory=dict)
    neighbours: dict[int, list[Neighbour]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bare = next((row for row, one in enumerate(self.examples, start=1) if one.label is None), None)
        if bare is not None or not len(self.examples):
            found = f"line {bare} of {self.split}.txt has none" if len(self.examples) else "there is none"
            raise DataError(f"a report compares with labels, expected labelled texts, but {found}; give text<TAB>label")

    @cached_property
    def gold(self) -> np.ndarray:
        """[N] ids."""
        ids = {label: number for number, label in enumerate(self.labels)}
        return np.array([ids[one.gold] for one in self.examples])

    @cached_property
    def predicted(self) -> np.ndarray:
        """[N] ids."""
        return self.probabilities.argmax(axis=1)

    @property
    def num_right(self) -> int:
        return int((self.predicted == self.gold).sum())

    @property
    def accuracy(self) -> float:
        return self.num_right / len(self.examples)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy (Wilson)."""
        return wilson_interval(self.num_right, len(self.examples))

    @cached_property
    def classes(self) -> list[ClassScore]:
        return class_scores(self.predicted, self.gold, len(self.labels))

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the labels that occur, as texts' or as predictions', as in the results files."""
        occur = np.union1d(self.gold, self.predicted)
        return float(np.mean([self.classes[place].f1 for place in occur]))

    @cached_property
    def confusion(self) -> np.ndarray:
        """[C, C] counts; row: gold, column: predicted."""
        return confusion_matrix(self.predicted, self.gold, len(self.labels))

    @cached_property
    def bins(self) -> list[Bin]:
        return reliability(self.probabilities, self.gold)

    @property
    def calibration_error(self) -> float:
        return expected_calibration_error(self.bins)

    def confusions(self, most: int = 10) -> list[Confusion]:
        """The pairs of labels that are mixed up most often."""
        pairs = [
            Confusion(self.labels[g], self.labels[p], int(count), int(self.confusion[g].sum()))
            for (g, p), count in np.ndenumerate(self.confusion)
            if g != p and count
        ]
        return sorted(pairs, key=lambda one: -one.cases)[:most]

    @cached_property
    def cases(self) -> list[Case]:
        """Every wrong answer, the most confident first."""
        wrong = [
            Case(
                row, self.examples[row].text_a, self.labels[g], self.labels[p],
                float(self.probabilities[row, g]), float(self.probabilities[row, p]),
            )
            for row, (g, p) in enumerate(zip(self.gold, self.predicted)) if g != p
        ]  # fmt: skip
        return sorted(wrong, key=lambda case: -case.probability)

    def bad_cases(self) -> list[BadCase]:
        """The same, as the table of wrong cases has them."""
        return bad_cases(
            [one.text_a for one in self.examples], self.probabilities, self.gold.tolist(), list(self.labels)
        )
