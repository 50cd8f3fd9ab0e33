"""A model's answers to labelled texts, and what a report counts of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Optional

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.errors import DataError
from prompt_kit.inference.carried_examples import Neighbour
from prompt_kit.inference.explanation import Explanation
from prompt_kit.inference.prediction_table import text_of, wrong_sets
from prompt_kit.metrics import (
    BadCase,
    Bin,
    ClassScore,
    bad_cases,
    class_scores,
    confusion_matrix,
    expected_calibration_error,
    reliability,
    reliability_of_sets,
    wilson_interval,
)
from prompt_kit.prompt.task import ONE_LABEL, Task


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
    task           what kind of answer a text has; where it may be several labels, a text is right if all of them are

    Raises DataError where an example has no label, or there is no example.
    """

    split: str
    labels: tuple[str, ...]
    examples: Sequence[Example]
    probabilities: np.ndarray
    num_cut: Optional[int] = None
    explanations: dict[int, Explanation] = field(default_factory=dict)
    neighbours: dict[int, Sequence[Neighbour]] = field(default_factory=dict)
    task: Task = ONE_LABEL

    def __post_init__(self) -> None:
        bare = next((row for row, one in enumerate(self.examples, start=1) if one.label is None), None)
        if bare is not None or not len(self.examples):
            found = f"line {bare} of {self.split}.txt has none" if len(self.examples) else "there is none"
            raise DataError(f"a report compares with labels, expected labelled texts, but {found}; give text<TAB>label")

    @cached_property
    def gold(self) -> np.ndarray:
        """[N] ids, or label sets [N, C] bool."""
        ids = {label: number for number, label in enumerate(self.labels)}
        targets = self.task.targets([one.label for one in self.examples], ids)
        return targets > 0.5 if self.task.several else targets

    @cached_property
    def predicted(self) -> np.ndarray:
        """[N] ids, or label sets [N, C] bool."""
        if self.task.several:
            return self.task.chosen(self.probabilities)
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def num_right(self) -> int:
        return int(self.task.right(self.probabilities, self.gold).sum())

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
        if self.task.several:
            return self.scores["macro_f1"]
        occur = np.union1d(self.gold, self.predicted)
        return float(np.mean([self.classes[place].f1 for place in occur]))

    @cached_property
    def scores(self) -> dict[str, float]:
        """All that the task is measured by: see Task.scores."""
        return self.task.scores(self.probabilities, self.gold, self.labels)

    @cached_property
    def confusion(self) -> np.ndarray:
        """[C, C] counts; row: gold, column: predicted."""
        return confusion_matrix(self.predicted, self.gold, len(self.labels))

    @cached_property
    def bins(self) -> list[Bin]:
        if self.task.several:  # of every label of every text, whether it is there
            return reliability_of_sets(self.probabilities, self.gold)
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
        """Every wrong answer, the most confident first; with several labels by the probability of the best one."""
        if self.task.several:
            return self._cases_of_sets()
        wrong = [
            Case(
                row, text_of(self.examples[row]), self.labels[g], self.labels[p],
                float(self.probabilities[row, g]), float(self.probabilities[row, p]),
            )
            for row, (g, p) in enumerate(zip(self.gold, self.predicted)) if g != p
        ]  # fmt: skip
        return sorted(wrong, key=lambda case: -case.probability)

    def _cases_of_sets(self) -> list[Case]:
        """`probability` is the largest one of a label that is answered, `gold_probability` the smallest of a right one."""
        wrong = []
        for row in np.flatnonzero((self.predicted != self.gold).any(axis=1)).tolist():
            found, right, given = self.predicted[row], self.gold[row], self.probabilities[row]
            names = [",".join(np.array(self.labels)[there].tolist()) or "–" for there in (right, found)]
            least = float(given[right].min()) if right.any() else float(1.0 - given.max())
            most = float(given[found].max()) if found.any() else float(1.0 - given.max())
            wrong.append(Case(row, text_of(self.examples[row]), names[0], names[1], least, most))
        return sorted(wrong, key=lambda case: -case.probability)

    def bad_cases(self) -> list[BadCase]:
        """The same, as the table of wrong cases has them."""
        if self.task.several:
            return wrong_sets(self.examples, self.probabilities, self.labels, self.task)
        texts = [text_of(one) for one in self.examples]
        return bad_cases(texts, self.probabilities, self.gold.tolist(), list(self.labels))
