"""Label sets in Python: lists of labels, or a matrix in the order of `classes_`, become the names of a Verbalizer."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_kit.errors import DataError
from prompt_kit.prompt.classes import Classes
from prompt_kit.prompt.label_sets import read_label_sets

CLASSES = Classes.from_labels({"sports": "体育", "car": "汽车", "finance": "财经"})  # classes_: car, finance, sports


def test_lists_of_labels_each_once_in_their_order():
    classes, found = read_label_sets([["car", "sports", "car"], (), {"finance"}], CLASSES)
    assert classes is CLASSES and found == [("car", "sports"), (), ("finance",)]


def test_without_classes_they_are_the_labels_that_occur():
    classes, found = read_label_sets([[3, 1], [], [1]])
    assert classes.values == (1, 3) and found == [("3", "1"), (), ("1",)]


def test_the_columns_of_a_matrix_are_the_sorted_labels():
    class Sparse:
        def toarray(self):
            return np.array([[0, 1, 1]])

    assert read_label_sets(np.array([[1, 0, 0], [0, 0, 0]]), CLASSES)[1] == [("car",), ()]
    assert read_label_sets(Sparse(), CLASSES)[1] == [("finance", "sports")]


@pytest.mark.parametrize(
    ("values", "classes", "said"),
    [
        (np.eye(3), None, "a matrix of ones and zeros does not say what its 3 columns are"),
        (np.eye(2), CLASSES, r"expected ones and zeros in 3 columns, those of classes_, got the shape \(2, 2\)"),
        (np.full((1, 3), 2), CLASSES, "expected ones and zeros in 3 columns"),
        (
            [["car"], "car"],
            CLASSES,
            r"y\[1\]: expected a list of labels, which may be empty, got 'car'; write \['car'\]",
        ),
        ([["car"], 3], CLASSES, r"y\[1\]: expected a list of labels"),
        ([["car"], ["game"]], CLASSES, r"y\[1\]\[0\]: unknown label 'game'"),
    ],
)
def test_mistakes(values, classes, said):
    with pytest.raises(DataError, match=said):
        read_label_sets(values, classes, "y")
