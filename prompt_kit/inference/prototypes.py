"""Prototypes: a label is the mean direction of its examples, and a text belongs to the label whose prototype is nearest.

Snell et al., Prototypical Networks for Few-shot Learning, NeurIPS 2017 (arXiv:1703.05175). They compare by squared Euclidean
distance, here it is the cosine of centred states, as in SimpleShot (Wang et al., 2019, arXiv:1911.04623): of vectors of
length 1 both order the labels the same way.
"""

from __future__ import annotations

import numpy as np

WORD_EXAMPLES = 3.0  # examples that the words of a label are worth: see docs/methods.md for what it was chosen by
# Cosine between two texts of one label. It only says how much shorter than that of many examples the mean of a few falls on
# their label's texts; chosen by what added labels get and cost (docs/transfer.md).
_WITHIN_LABEL = 0.3


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [..., D] at length 1; zero stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    shortened: np.ndarray = vectors / np.maximum(lengths, 1e-12)
    return shortened


def prototypes(states: np.ndarray, labels: np.ndarray, num_labels: int) -> np.ndarray:
    """[C, D] of length 1: the mean direction of each label's examples.

    Args:
        states: [N, D] of length 1.
        labels: [N] label ids below `num_labels`; each label has an example.
    """
    return unit(np.eye(num_labels, dtype=states.dtype)[labels].T @ states)


def word_prototypes(words: np.ndarray, labels: np.ndarray, num_labels: int) -> np.ndarray:
    """[C, D] of length 1: the mean direction of each label's words, from the mean of all labels' words.

    Words are no texts of the task: they have more in common with each other than with any text, and that is taken away.

    Args:
        words: [W, D] of length 1, read through the template as texts.
        labels: [W] label ids below `num_labels`; each label has a word.
    """
    if num_labels < 2:
        return prototypes(words, labels, num_labels)
    of_label = np.eye(num_labels, dtype=words.dtype)[labels].T
    center = (of_label @ words / of_label.sum(axis=1, keepdims=True)).mean(axis=0)
    return prototypes(unit(words - center), labels, num_labels)


def expected_gain(examples: np.ndarray) -> np.ndarray:
    """By what a text's cosine to the mean of few examples of its label falls short of that to the mean of very many: [C] >= 1.

    Of n examples of length 1, with the cosine r between any two, the mean has the expected cosine r sqrt(n / (1 + (n - 1) r)) to
    another text of the label, and sqrt(r) for large n. A label of few examples that stands beside labels of many is multiplied
    by the quotient; else it is found too rarely.

    Args:
        examples: [C] how many each label has, more than 0.
    """
    return np.sqrt((1 + (examples - 1) * _WITHIN_LABEL) / (examples * _WITHIN_LABEL))
