"""Accuracy, macro-F1, per-class report, confusion matrix and the wrong cases. scikit-learn does the counting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class BadCase(NamedTuple):
    """A wrong prediction: its text, the label predicted with its probability, and the right one."""

    text: str
    predicted: str
    probability: float
    gold: str


def softmax(logits: np.ndarray) -> np.ndarray:
    """[..., C] -> [..., C] probabilities, in float64."""
    logits = np.asarray(logits, dtype=np.float64)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def accuracy_and_f1(predicted: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """{"accuracy", "macro_f1"} of label ids [N]; the F1 is the mean over the labels that occur in either."""
    from sklearn.metrics import f1_score

    return {
        "accuracy": float(np.mean(np.asarray(predicted) == np.asarray(gold))),
        "macro_f1": float(f1_score(gold, predicted, average="macro", zero_division=0.0)),
    }


def class_report(predicted: np.ndarray, gold: np.ndarray, labels: Sequence[str]) -> str:
    """A table of precision, recall, F1 and support of each label."""
    from sklearn.metrics import classification_report

    return classification_report(
        gold, predicted, labels=list(range(len(labels))), target_names=list(labels), digits=4, zero_division=0.0
    )


def confusion_matrix(predicted: np.ndarray, gold: np.ndarray, num_labels: int) -> np.ndarray:
    """[C, C] counts; row: gold, column: predicted."""
    from sklearn.metrics import confusion_matrix as count

    return count(gold, predicted, labels=list(range(num_labels)))


def bad_cases(
    texts: Sequence[str], probabilities: np.ndarray, gold: Sequence[int], labels: Sequence[str]
) -> list[BadCase]:
    """Every wrong prediction, the most confident first."""
    predicted = probabilities.argmax(axis=-1)
    wrong = [
        BadCase(text, labels[p], float(row[p]), labels[g])
        for text, row, p, g in zip(texts, probabilities, predicted, gold)
        if p != g
    ]
    return sorted(wrong, key=lambda case: -case.probability)


def wilson_interval(right: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share that `right` of `total` trials were right, at 95 % by default (Wilson, 1927).

    Unlike mean +- 2 standard errors it stays within 0 and 1 and is right for few trials.
    """
    share, spread = right / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / total + spread / total / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
