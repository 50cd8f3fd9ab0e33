"""What a report counts, on seven answers by hand."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_kit.data.dataset import Example
from prompt_kit.errors import DataError
from prompt_kit.report.evaluation import Case, Confusion, Evaluation

pytest.importorskip("sklearn")

LABELS = ("car", "sports", "none")
ROWS = [
    ("一", "car", (0.9, 0.1, 0.0)),
    ("二", "car", (0.6, 0.4, 0.0)),
    ("三", "car", (0.2, 0.8, 0.0)),
    ("四", "sports", (0.1, 0.9, 0.0)),
    ("五", "sports", (0.7, 0.2, 0.1)),
    ("六", "car", (0.05, 0.95, 0.0)),
    ("七", "sports", (0.5, 0.5, 0.0)),  # of equals the first
]


def evaluation(**changes) -> Evaluation:
    examples = [Example(text, label) for text, label, _ in ROWS]
    return Evaluation("test", LABELS, examples, np.array([row for *_, row in ROWS]), **changes)


def test_counts():
    found = evaluation()
    assert (found.num_right, found.accuracy) == (3, pytest.approx(3 / 7))
    assert found.interval == pytest.approx((0.1582, 0.7495), abs=1e-4)
    assert found.confusion.tolist() == [[2, 2, 0], [2, 1, 0], [0, 0, 0]]
    car, sports, none = found.classes
    assert car == pytest.approx((0.5, 0.5, 0.5, 4)) and sports == pytest.approx((1 / 3, 1 / 3, 1 / 3, 3))
    assert none == (0, 0, 0, 0)
    assert found.macro_f1 == pytest.approx((0.5 + 1 / 3) / 2), "the label that never occurs does not count"


def test_wrong_cases_are_the_most_confident_first():
    found = evaluation()
    assert [case.text for case in found.cases] == ["六", "三", "五", "七"]
    assert found.cases[2] == Case(4, "五", "sports", "car", 0.2, 0.7)
    assert [case.text for case in found.bad_cases()] == ["六", "三", "五", "七"]
    assert found.confusions() == [Confusion("car", "sports", 2, 4), Confusion("sports", "car", 2, 3)]
    assert len(found.confusions(most=1)) == 1


def test_labels_are_needed():
    with pytest.raises(DataError, match="line 2 of test.txt has none"):
        Evaluation("test", LABELS, [Example("一", "car"), Example("二")], np.zeros((2, 3)))
    with pytest.raises(DataError, match="there is none"):
        Evaluation("test", LABELS, [], np.zeros((0, 3)))
