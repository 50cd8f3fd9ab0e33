"""Prototypes: mean directions by hand, and what the mean of few examples falls short by."""

from __future__ import annotations

import math

import numpy as np
import pytest

from prompt_kit.inference.prototypes import expected_gain, prototypes, word_prototypes

pytest.importorskip("onnxruntime")


def test_prototypes_by_hand():
    states = np.array([[1, 0], [0, 1], [0, 1], [-1, 0]], "float32")
    found = prototypes(states, np.array([0, 0, 2, 1]), 3)
    assert found == pytest.approx(np.array([[math.sqrt(0.5)] * 2, [-1, 0], [0, 1]]))


def test_prototype_of_states_that_cancel_out_is_no_number_of_nobody():
    assert (prototypes(np.array([[1.0], [-1.0]]), np.array([0, 0]), 1) == 0).all()


def test_word_prototypes_by_hand():
    """Two words of the first label and one of the second: the labels count alike, not the words."""
    words = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], "float64")
    center = np.array([0.25, 0.25, 0.5])
    first = [one / np.linalg.norm(one) for one in (words - center)]
    expected = np.stack([first[0] + first[1], first[2]])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert word_prototypes(words, np.array([0, 0, 1]), 2) == pytest.approx(expected)
    assert word_prototypes(words[:1], np.array([0]), 1) == pytest.approx(words[:1])


def test_expected_gain_is_what_a_mean_of_few_falls_short_by():
    """Against draws: vectors of length 1 with the cosine 0.3 between any two, to a further one of them."""
    rng, size = np.random.default_rng(0), 2000
    shared, own = (
        np.linalg.qr(rng.standard_normal((size, 65)))[0].T[[0]],
        np.linalg.qr(rng.standard_normal((size, 65)))[0].T,
    )
    own -= own @ shared.T @ shared
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    texts = math.sqrt(0.3) * shared + math.sqrt(0.7) * own
    for count in (1, 4, 16, 64):
        mean = texts[:count].mean(axis=0)
        cosine = texts[64] @ mean / np.linalg.norm(mean)
        assert expected_gain(np.array([count]))[0] == pytest.approx(math.sqrt(0.3) / cosine, rel=0.06)
    assert expected_gain(np.array([1e9]))[0] == pytest.approx(1)
