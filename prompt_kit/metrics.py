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


class ClassScore(NamedTuple):
    """How one label did: of the texts given it, the share that is right, and of its texts, the share that was found."""

    precision: float
    recall: float
    f1: float
    texts: int


class Bin(NamedTuple):
    """Predictions whose probability lies above `low` and up to `high`: how many, their mean probability, the share right."""

    low: float
    high: float
    texts: int
    probability: float
    right: float


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


def micro_f1(predicted: np.ndarray, gold: np.ndarray) -> float:
    """Of label sets [N, C] bool: 2 TP / (2 TP + FP + FN) over all texts and labels; 0 where there is nothing to find."""
    right, wrong = int((predicted & gold).sum()), int((predicted ^ gold).sum())
    return 2 * right / (2 * right + wrong) if right else 0.0


def label_set_scores(predicted: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """{"accuracy", "micro_f1", "macro_f1"} of label sets [N, C] bool.

    The accuracy is the share of texts all of whose labels are right; the macro F1 is the mean over the labels that occur in
    either.
    """
    from sklearn.metrics import accuracy_score, f1_score

    occur = (predicted | gold).any(axis=0)
    each = f1_score(gold, predicted, average=None, zero_division=0.0)
    return {
        "accuracy": float(accuracy_score(gold, predicted)),
        "micro_f1": float(f1_score(gold, predicted, average="micro", zero_division=0.0)),
        "macro_f1": float(np.atleast_1d(each)[occur].mean()) if occur.any() else 0.0,
    }


def class_report(predicted: np.ndarray, gold: np.ndarray, labels: Sequence[str]) -> str:
    """A table of precision, recall, F1 and support of each label."""
    from sklearn.metrics import classification_report

    return classification_report(
        gold, predicted, labels=list(range(len(labels))), target_names=list(labels), digits=4, zero_division=0.0
    )


def class_scores(predicted: np.ndarray, gold: np.ndarray, num_labels: int) -> list[ClassScore]:
    """Precision, recall, F1 and support of each label, 0 where there is nothing to divide by."""
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(gold, predicted, labels=list(range(num_labels)), zero_division=0.0)
    return [ClassScore(float(p), float(r), float(f), int(n)) for p, r, f, n in zip(*columns)]


def reliability(probabilities: np.ndarray, gold: np.ndarray, num_bins: int = 10) -> list[Bin]:
    """The predictions of [N, C] probabilities, by the probability of the predicted label, in bins of equal width."""
    best = probabilities.max(axis=1)
    return _binned(best, probabilities.argmax(axis=1) == gold, num_bins)


def reliability_of_sets(probabilities: np.ndarray, gold: np.ndarray, num_bins: int = 10) -> list[Bin]:
    """The same of every label of every text, [N, C]: its probability, and whether it is in the label set [N, C] bool."""
    return _binned(probabilities.ravel(), gold.ravel(), num_bins)


def _binned(best: np.ndarray, right: np.ndarray, num_bins: int) -> list[Bin]:
    places = np.clip(np.ceil(best * num_bins).astype(int) - 1, 0, num_bins - 1)
    bins = []
    for place in range(num_bins):
        inside = places == place
        count = int(inside.sum())
        means = (float(best[inside].mean()), float(right[inside].mean())) if count else (math.nan, math.nan)
        bins.append(Bin(place / num_bins, (place + 1) / num_bins, count, *means))
    return bins


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """The mean distance of a prediction's probability and its bin's share of right ones, weighted by the bins' texts.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (arXiv:1706.04599), equation 3.
    """
    total = sum(one.texts for one in bins)
    return sum(one.texts / total * abs(one.right - one.probability) for one in bins if one.texts)


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
