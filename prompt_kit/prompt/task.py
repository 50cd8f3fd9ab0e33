"""Task: what kind of answer a text has, and how label logits become that answer.

    multi-class   one label a text: a softmax over the labels, of which the most probable one is the answer
    multi-label   any number of labels a text: a sigmoid a label, of which those that reach a threshold are the answer
    hierarchical  multi-label, and the labels are paths: `a##b` lies under `a`, and is never answered without it

A hierarchical text's probability of a label is the largest one of the label and what lies under it, so that a label that
reaches the threshold always has the label above it. Source: Giunchiglia & Lukasiewicz, Coherent Hierarchical Multi-Label
Classification Networks, NeurIPS 2020 (arXiv:2010.10151), the max constraint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Optional

import numpy as np

from prompt_kit.data.line_format import LEVELS, Label, LineFormat, has_comma
from prompt_kit.errors import ConfigError, shown
from prompt_kit.metrics import accuracy_and_f1, label_set_scores, micro_f1, softmax

MULTI_CLASS, MULTI_LABEL, HIERARCHICAL = TASK_TYPES = ("multi-class", "multi-label", "hierarchical")
_CANDIDATES = 400  # thresholds that are tried


@dataclass(frozen=True)
class Task:
    """A kind of task, and its decision.

    kind          one of TASK_TYPES
    threshold     least probability of a label that is answered; not for multi-class
    at_least_one  whether a text none of whose labels reaches the threshold is given its most probable one
    """

    kind: str = MULTI_CLASS
    threshold: float = 0.5
    at_least_one: bool = True

    def __post_init__(self) -> None:
        if self.kind not in TASK_TYPES:
            raise ConfigError(f"task type {shown(self.kind)}: expected one of {', '.join(TASK_TYPES)}")
        number = isinstance(self.threshold, (int, float)) and not isinstance(self.threshold, bool)
        if not number or not 0 <= self.threshold <= 1 or not isinstance(self.at_least_one, bool):
            raise ConfigError(
                f"task: expected a threshold from 0 to 1 and at_least_one true or false, got {shown(self.threshold)} and "
                f"{shown(self.at_least_one)}"
            )

    @property
    def several(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self.kind != MULTI_CLASS

    def line_format(self, pairs: bool = False) -> LineFormat:
        """How the lines of its data files are read."""
        return LineFormat(self.several, self.kind == HIERARCHICAL, pairs)

    def check_labels(self, labels: Sequence[str]) -> None:
        """ConfigError for labels that the task cannot have: with a comma, or below a label that is not there."""
        if not self.several:
            return
        for label in labels:
            if has_comma(label):
                raise ConfigError(
                    f"label {shown(label)} has a comma, which separates the labels of a text in a {self.kind} task; rename it"
                )
        if self.kind == HIERARCHICAL:
            above_of(tuple(labels))

    def probabilities(self, logits: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        """Label logits [..., C] of C `labels` -> probabilities [..., C], float64."""
        if not self.several:
            return softmax(logits)
        logits = np.asarray(logits, dtype=np.float64)
        powers = np.exp(-np.abs(logits))
        found = np.where(logits >= 0, 1.0, powers) / (1.0 + powers)
        if self.kind == HIERARCHICAL:
            for label, above in above_of(tuple(labels)):  # the lowest first
                found[..., above] = np.maximum(found[..., above], found[..., label])
        return found

    def chosen(self, probabilities: np.ndarray) -> np.ndarray:
        """[N, C] -> bool [N, C], the labels that are answered."""
        best = probabilities.max(axis=1, keepdims=True)
        if not self.several:
            return np.arange(probabilities.shape[1]) == probabilities.argmax(axis=1)[:, None]
        # equal ones together: a path's labels all have the probability of its lowest one
        least = np.minimum(best, self.threshold) if self.at_least_one else self.threshold
        return probabilities >= least

    def answer(self, row: np.ndarray, labels: Sequence[str]) -> Label:
        """Probabilities [C] of one text -> its label, or its labels in the order of label.txt."""
        places = np.flatnonzero(self.chosen(row[None])[0])
        return tuple(labels[place] for place in places) if self.several else labels[places[0]]

    def targets(self, answers: Sequence[Optional[Label]], label_to_id: Mapping[str, int]) -> np.ndarray:
        """Right answers of N texts -> label ids [N], or [N, C] float32 of ones and zeros."""
        if not self.several:
            return np.array([label_to_id[answer] for answer in answers if isinstance(answer, str)])
        found = np.zeros((len(answers), len(label_to_id)), dtype="float32")
        for row, answer in enumerate(answers):
            found[row, [label_to_id[label] for label in answer or ()]] = 1.0
        return found

    def right(self, probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """[N] bool: which texts get exactly the right answer."""
        if not self.several:
            return np.asarray(probabilities.argmax(axis=1) == targets)
        return np.asarray((self.chosen(probabilities) == (targets > 0.5)).all(axis=1))

    def scores(self, probabilities: np.ndarray, targets: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
        """accuracy and macro_f1, with several labels also micro_f1, with levels also the accuracy of each.

        The accuracy is the share of texts whose answer is exactly right; of a level, of those whose labels of that level are.
        """
        if not self.several:
            return accuracy_and_f1(probabilities.argmax(axis=1), targets)
        predicted, gold = self.chosen(probabilities), targets > 0.5
        found = label_set_scores(predicted, gold)
        if self.kind == HIERARCHICAL:
            level = np.array([label.count(LEVELS) for label in labels])
            for number in range(int(level.max()) + 1):
                same = (predicted == gold)[:, level == number].all(axis=1)
                found[f"level{number + 1}_accuracy"] = float(same.mean())
        return found

    def loss(self, logits: np.ndarray, targets: np.ndarray) -> float:
        """The mean over texts of minus the log-probability of the right answer, in nats."""
        logits = np.asarray(logits, dtype=np.float64)
        if self.several:  # log(1 + e^z) - y z, summed over the labels
            return float((np.logaddexp(0.0, logits) - targets * logits).sum(axis=1).mean())
        right = softmax(logits)[np.arange(len(targets)), targets]
        return float(-np.log(right).mean())

    def loss_of(self, probabilities: np.ndarray, targets: np.ndarray) -> float:
        """`loss` of probabilities [N, C], none of them taken for less than the smallest number there is."""
        least = np.finfo(float).tiny
        if not self.several:
            return float(-np.log(np.maximum(probabilities[np.arange(len(targets)), targets], least)).mean())
        right = np.where(targets > 0.5, probabilities, 1.0 - probabilities)
        return float(-np.log(np.maximum(right, least)).sum(axis=1).mean())

    def decided_on(self, probabilities: np.ndarray, targets: np.ndarray) -> Task:
        """The same task with the threshold that has the best micro F1 on labelled texts; itself if it has none.

        The middle one of those that are equally good, halfway between two probabilities that occur.
        """
        if not self.several:
            return self
        gold = targets > 0.5
        places = np.unique(probabilities)
        middles = (places[1:] + places[:-1]) / 2 if len(places) > 1 else places
        if len(middles) > _CANDIDATES:
            middles = middles[np.linspace(0, len(middles) - 1, _CANDIDATES).round().astype(int)]
        found = [micro_f1(replace(self, threshold=float(one)).chosen(probabilities), gold) for one in middles]
        best = np.flatnonzero(np.array(found) >= max(found) - 1e-12)
        return replace(self, threshold=float(middles[best[len(best) // 2]]))

    def to_entries(self) -> dict[str, Any]:
        """The entries of prompt_config.json that say it; None for those that one label a text has not."""
        several = self.several
        return {
            "task_type": self.kind,
            "threshold": self.threshold if several else None,
            "at_least_one": self.at_least_one if several else None,
        }


ONE_LABEL = Task()


@lru_cache(maxsize=64)
def above_of(labels: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """(label, the label above it), as places in `labels`, of every label that has one; the lowest levels first.

    Raises ConfigError where a label above is not among the labels.
    """
    places = {label: place for place, label in enumerate(labels)}
    found = []
    for place, label in enumerate(labels):
        above, sign, _ = label.rpartition(LEVELS)
        if not sign:
            continue
        if above not in places:
            raise ConfigError(
                f"label {shown(label)} lies under {shown(above)}, which is no label; add a line {above} to label.txt"
            )
        found.append((label.count(LEVELS), place, places[above]))
    return tuple((place, above) for _, place, above in sorted(found, key=lambda one: -one[0]))
