"""Metrics by hand."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_kit.metrics import (
    BadCase,
    ClassScore,
    bad_cases,
    expected_calibration_error,
    reliability,
    softmax,
    wilson_interval,
)

GOLD = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 0])


@pytest.fixture
def metrics():
    pytest.importorskip("sklearn")
    import prompt_kit.metrics

    return prompt_kit.metrics


def test_accuracy_and_macro_f1(metrics):
    """Class 0: precision 2/4, recall 2/3, F1 4/7. Class 1: 1/2, 1/2, F1 1/2. Class 2 is never predicted: F1 0."""
    scores = metrics.accuracy_and_f1(PREDICTED, GOLD)
    assert scores == {"accuracy": pytest.approx(3 / 6), "macro_f1": pytest.approx((4 / 7 + 1 / 2 + 0) / 3)}
    assert all(type(value) is float for value in scores.values()), "json must take them"


def test_macro_f1_counts_a_label_that_is_only_predicted_and_not_one_that_never_occurs(metrics):
    """Gold 0 0, predicted 0 3: F1 of 0 is 2/3, of 3 is 0; labels 1 and 2 have no place in the mean."""
    assert metrics.accuracy_and_f1(np.array([0, 3]), np.array([0, 0]))["macro_f1"] == pytest.approx(1 / 3)


def test_perfect(metrics):
    assert metrics.accuracy_and_f1(GOLD, GOLD) == {"accuracy": 1.0, "macro_f1": 1.0}


def test_confusion_matrix_has_gold_in_rows_and_all_labels(metrics):
    matrix = metrics.confusion_matrix(PREDICTED, GOLD, 4)
    assert matrix.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_class_report_names_every_label_in_file_order(metrics):
    rows = [line.split() for line in metrics.class_report(PREDICTED, GOLD, ["汽车", "10", "2", "none"]).splitlines()]
    assert rows[2:6] == [
        ["汽车", "0.5000", "0.6667", "0.5714", "3"],
        ["10", "0.5000", "0.5000", "0.5000", "2"],
        ["2", "0.0000", "0.0000", "0.0000", "1"],
        ["none", "0.0000", "0.0000", "0.0000", "0"],
    ]


def test_bad_cases_are_the_wrong_ones_most_confident_first():
    probabilities = np.array([[0.6, 0.4], [0.3, 0.7], [0.1, 0.9], [0.2, 0.8]])
    wrong = bad_cases(["a", "b", "c", "d"], probabilities, [0, 0, 0, 1], ["x", "y"])
    assert wrong == [BadCase("c", "y", 0.9, "x"), BadCase("b", "y", 0.7, "x")]


def test_no_bad_cases():
    assert bad_cases(["a"], np.array([[0.1, 0.9]]), [1], ["x", "y"]) == []


def test_softmax():
    probabilities = softmax(np.log([[1.0, 3.0], [2.0, 2.0]]).astype("float32"))
    np.testing.assert_allclose(probabilities, [[0.25, 0.75], [0.5, 0.5]], rtol=1e-6)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(softmax(np.array([1000.0, 0.0, -1000.0])), [1.0, 0.0, 0.0])
    np.testing.assert_allclose(softmax([[[0.0, 0.0]]]), [[[0.5, 0.5]]])


@pytest.mark.parametrize(
    ("right", "total", "interval"), [(8, 10, (0.4902, 0.9433)), (0, 20, (0.0, 0.1611)), (1, 1, (0.2065, 1.0))]
)
def test_wilson_interval(right, total, interval):
    assert wilson_interval(right, total) == pytest.approx(interval, abs=1e-4)


def test_reliability_by_hand():
    probabilities = np.array([[0.55, 0.45], [0.6, 0.4], [0.05, 0.95], [1.0, 0.0]])
    bins = reliability(probabilities, np.array([0, 1, 1, 0]), num_bins=10)
    assert [one.texts for one in bins] == [0, 0, 0, 0, 0, 2, 0, 0, 0, 2], "0.6 is in the bin up to 0.6, 1 in the last"
    assert (bins[5].low, bins[5].high) == (0.5, 0.6)
    assert bins[5][3:] == pytest.approx((0.575, 0.5)) and bins[9][3:] == pytest.approx((0.975, 1.0))
    assert expected_calibration_error(bins) == pytest.approx((0.075 + 0.025) / 2)


def test_class_scores_are_those_of_the_table(metrics):
    scores = metrics.class_scores(np.array([0, 0, 1]), np.array([0, 1, 1]), 3)
    assert scores == [
        ClassScore(0.5, 1.0, pytest.approx(2 / 3), 1),
        ClassScore(1.0, 0.5, pytest.approx(2 / 3), 2),
        (0, 0, 0, 0),
    ]
