"""Classes: from whatever a user calls labels to names, words and ids, and back to the user's own labels."""

from __future__ import annotations

import json

import numpy as np
import pytest

from prompt_kit.errors import CheckpointError, DataError, VerbalizerError
from prompt_kit.prompt.classes import Classes
from prompt_kit.prompt.verbalizer import Verbalizer

WORDS = (("体育",), ("汽车", "轿车"))


@pytest.fixture
def label_file(tmp_path):
    path = tmp_path / "label.txt"
    path.write_text("sports==体育\ncar==汽车,轿车\n", encoding="utf-8")
    return path


def test_every_way_to_say_the_same(label_file):
    expected = Verbalizer(("sports", "car"), WORDS)
    for labels in (
        {"sports": "体育", "car": "汽车，轿车"},
        {"sports": ["体育"], "car": ("汽车", "轿车")},
        ["sports==体育", "car==汽车,轿车"],
        label_file,
        str(label_file),
        label_file.parent,
        expected,
    ):
        classes = Classes.from_labels(labels)
        assert classes.verbalizer == expected and classes.values == ("sports", "car")


def test_a_list_of_labels_is_their_words_too():
    for labels in (["体育", "汽车"], ("体育", "汽车"), np.array(["体育", "汽车"])):
        assert Classes.from_labels(labels).verbalizer == Verbalizer(("体育", "汽车"), (("体育",), ("汽车",)))


def test_ids_keep_the_order_and_the_array_is_sorted():
    classes = Classes.from_labels({"sports": "体育", "car": "汽车"})
    assert classes.values == ("sports", "car") and len(classes) == 2
    assert classes.array.tolist() == ["car", "sports"] and classes.order == [1, 0]
    assert classes.array.dtype.kind == "U"


@pytest.mark.parametrize(
    "labels, kind", [([2, 0, 1], "i"), ([0.5, 0.25], "f"), ([True, False], "b"), ([2**70, 1], "O"), (["b", 1], "O")]
)
def test_the_array_is_of_the_labels_own_type(labels, kind):
    classes = Classes.from_labels({label: f"词{place}" for place, label in enumerate(labels)})
    assert classes.array.dtype.kind == kind
    assert set(classes.array.tolist()) == set(labels) and classes.verbalizer.labels == tuple(map(str, labels))


def test_tuples_as_labels():
    labels = [("news", 1), ("news", 0)]
    classes = Classes.from_labels({label: f"词{place}" for place, label in enumerate(labels)})
    assert classes.array.shape == (2,) and classes.array.tolist() == [("news", 0), ("news", 1)]
    with pytest.raises(VerbalizerError, match="is a tuple, which a folder cannot keep"):
        classes.to_json()


def test_from_examples():
    classes = Classes.from_examples([3, 1, 3])
    assert classes.values == (1, 3) and classes.verbalizer.words == (("1",), ("3",))
    with pytest.raises(VerbalizerError, match="expected at least 2 labels, got 1; a classifier needs a choice"):
        Classes.from_examples(["a", "a"])


def test_names_of():
    classes = Classes.from_labels({7: "体育", 8: "汽车"})
    assert classes.names_of([8, 7, 8]) == ["8", "7", "8"]
    with pytest.raises(DataError, match=r"^labels\[1\]: unknown label '8', expected one of the 2 labels: 7, 8$"):
        classes.names_of([8, "8"])


def test_numbers_for_labels_that_are_none():
    classes = Classes.from_labels({"a": "体育", "b": "汽车"})
    with pytest.raises(DataError, match=r"unknown label 1, .*'a', 'b'; where scikit-learn has numbered the labels"):
        classes.names_of([1, 0])


def test_json_gives_the_same_back():
    classes = Classes.from_labels({7: "体育", "八": "汽车", 9.5: "股票", False: "科技"})
    values = json.loads(json.dumps(classes.to_json()))
    assert Classes.from_json(values, classes.verbalizer, "here") == classes
    for wrong in (None, [7], ["7", "8", "9.5", "False"], [["7"], "八", 9.5, False]):
        with pytest.raises(CheckpointError, match="^here: its classes are not the labels"):
            Classes.from_json(wrong, classes.verbalizer, "here")


@pytest.mark.parametrize(
    "labels, message",
    [
        ({"a": 1, "b": "汽车"}, "label 'a': expected its word, or a list of words, got 1"),
        ({"a": ["汽车", 2], "b": "体育"}, "label 'a': expected its word"),
        ({"a": "汽车", "b": "汽车"}, "have the same word '汽车'"),
        ({"a": "汽车"}, "expected at least 2 labels, got 1"),
        ({1: "汽车", "1": "体育"}, "repeated label '1'"),
        (["a", "a"], "repeated label 'a'"),
    ],
)
def test_mistakes(labels, message):
    with pytest.raises(VerbalizerError, match=message):
        Classes.from_labels(labels)


def test_labels_that_are_no_labels(tmp_path):
    with pytest.raises(DataError, match=r"labels: empty"):
        Classes.from_labels([])
    with pytest.raises(VerbalizerError, match="no such file"):
        Classes.from_labels("体育")
