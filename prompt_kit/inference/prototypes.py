"""Prototypes: a label is the mean direction of its examples, and a text belongs to the label whose prototype is nearest.

Snell et al., Prototypical Networks for Few-shot Learning, NeurIPS 2017 (arXiv:1703.05175). They compare by squared Euclidean
distance, here it is the cosine of centred states, as in SimpleShot (Wang et al., 2019, arXiv:1911.04623): of vectors of
length 1 both order the labels the same way.
"""

from __future__ import annotations

import numpy as np


def prototypes(states: np.ndarray, labels: np.ndarray, num_labels: int) -> np.ndarray:
    """[C, D] of length 1: the mean direction of each label's examples.

    Args:
        states: [N, D] of length 1.
        labels: [N] label ids below `num_labels`; each label has an example.
    """
    sums = np.eye(num_labels, dtype=states.dtype)[labels].T @ states
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return sums / np.maximum(lengths, 1e-12)
