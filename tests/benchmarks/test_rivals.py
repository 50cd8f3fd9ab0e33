"""The rival's heads, by hand."""

from __future__ import annotations

import numpy as np
from scripts import load_script

rivals = load_script("benchmarks/rivals")


def test_words_alone_are_centred_on_their_mean():
    found = rivals.words_and_means(np.array([[3.0, 1.0], [1.0, 1.0]]), np.empty([0, 2]), np.empty(0, int))
    np.testing.assert_allclose(found, [[1, 0], [-1, 0]])


def test_means_and_a_word():
    words, examples = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[0.0, 2.0]] * 16 + [[3.0, 0.0]] * 8)
    found = rivals.words_and_means(words, examples, np.array([0] * 16 + [1] * 8))
    np.testing.assert_allclose(found, [[1 / 17**0.5, 4 / 17**0.5], [1.0, 0.0]])  # (1, 4), and (2 - 1, 0)


def test_soft_k_means_moves_to_the_texts_and_stays_near_the_start():
    texts = np.array([[1.0, 0.0]] * 9 + [[0.0, 1.0]] * 9)
    start = rivals.unit(np.array([[1.0, 0.4], [0.4, 1.0]]))
    found = rivals.soft_k_means(start, texts)
    assert start[0] @ [1, 0] < found[0] @ [1, 0] < 1 and found[1] @ [0, 1] > start[1] @ [0, 1]


def test_logistic_regression_takes_the_c_of_the_best_dev_accuracy():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(60, 4))
    labels = (vectors[:, 0] > 0).astype(int)
    predict = rivals.logistic_regression(vectors[:30], labels[:30], vectors[30:], labels[30:])
    assert (predict(vectors[30:]) == labels[30:]).mean() > 0.8
