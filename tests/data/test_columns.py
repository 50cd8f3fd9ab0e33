"""Columns of texts and labels in memory: every kind of container gives the same list, every mistake one clear line."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_kit.data.columns import check_lengths, read_column, read_label_column, read_text_column, unique
from prompt_kit.errors import DataError

TEXTS = ["今晚国足迎战日本队", "新车油耗"]


class NotAnArray:
    """As scikit-learn's checks have it: nothing but `__array__`."""

    def __array__(self, dtype=None, copy=None):
        return np.array(TEXTS)


@pytest.mark.parametrize(
    "column",
    [TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, dtype=object), (text for text in TEXTS), NotAnArray()],
    ids=["list", "tuple", "array", "objects", "generator", "not an array"],
)
def test_texts_of_every_container(column):
    read = read_text_column(column)
    assert read == TEXTS and {type(text) for text in read} == {str}


def test_pandas_series_whatever_their_index_and_type():
    pandas = pytest.importorskip("pandas")
    for kind in (object, "string", "category"):
        series = pandas.Series(TEXTS, index=[7, 3], dtype=kind)
        assert read_text_column(series) == TEXTS and read_label_column(series) == TEXTS
    assert read_label_column(pandas.Series([1, 0])) == [1, 0]
    with pytest.raises(DataError, match=r"^texts\[1\]: expected a string, got .*nan"):
        read_text_column(pandas.Series(["新车", None]).astype(object).where(lambda text: text == "新车", float("nan")))
    with pytest.raises(DataError, match=r"labels\[0\]: expected one label"):
        read_label_column(pandas.Series([pandas.NA, "a"], dtype="string"))
    with pytest.raises(DataError, match=r"one dimension, got the shape \(2, 1\); .*frame\['text'\]"):
        read_text_column(pandas.DataFrame({"text": TEXTS}))


def test_numbers_of_numpy_become_numbers_of_python():
    for labels in (np.array([1, 0]), [np.int64(1), np.int64(0)], np.array([1, 0], dtype=object)):
        read = read_label_column(labels)
        assert read == [1, 0] and {type(label) for label in read} == {int}


@pytest.mark.parametrize(
    "column, message",
    [
        ("今晚国足", r"^texts: expected a list, got the string '今晚国足'; for a single one write \[text\]$"),
        (b"ab", "got the string b'ab'"),
        ({"a": 1}, "got a dict, which is no column with an order"),
        ({"a", "b"}, "got a set, which"),
        (None, "expected a list, got None, a NoneType"),
        (3, "expected a list, got 3, a int"),
        ([], "^texts: empty, expected at least one$"),
        (np.array([]), "^texts: empty"),
        (np.array([TEXTS]), r"one dimension, got the shape \(1, 2\)"),
        (np.array("今"), r"one dimension, got the shape \(\)"),
    ],
)
def test_what_is_no_column(column, message):
    with pytest.raises(DataError, match=message) as caught:
        read_text_column(column)
    assert isinstance(caught.value, ValueError) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, message",
    [
        (None, r"^texts\[1\]: expected a string, got None, a NoneType$"),
        (3, r"^texts\[1\]: expected a string, got 3, a int$"),
        (["今"], r"^texts\[1\]: expected a string, got \['今'\], a list$"),
        (
            "车\ud83d",
            r"^texts\[1\] holds half of a surrogate pair, U\+D83D at 1, .* text.encode\('utf-8', 'ignore'\).decode\(\)$",
        ),
        (" \t", r"^texts\[1\]: empty text ' \\t'; leave it out$"),
    ],
)
def test_what_is_no_text(text, message):
    with pytest.raises(DataError, match=message):
        read_text_column(["新车", text])


@pytest.mark.parametrize(
    "label, message",
    [
        (None, r"^labels\[1\]: missing \(None\)"),
        (float("nan"), r"^labels\[1\]: missing \(nan\)"),
        (["a", "b"], r"^labels\[1\]: expected one label, a string or a number, got \['a', 'b'\], a list$"),
    ],
)
def test_what_is_no_label(label, message):
    with pytest.raises(DataError, match=message):
        read_label_column(["a", label])


def test_any_hashable_is_a_label():
    labels = ["a", 1, 2.5, True, ("x", 1)]
    assert read_column(labels, "labels") == read_label_column(labels) == labels


def test_lengths():
    check_lengths(["a"], [1])
    with pytest.raises(DataError, match="^2 texts but 1 labels; give every text its label$"):
        check_lengths(["a", "b"], [1])


def test_unique_sorts_what_can_be_sorted():
    assert unique([3, 1, 3, 2]) == [1, 2, 3]
    assert unique(["b", 1, "b"]) == ["b", 1]


@pytest.mark.parametrize("text", ["", " \t", "\u200b", "\u3000\x00"])
def test_a_text_that_shows_nothing_is_empty_in_python_too(text):
    with pytest.raises(DataError, match=r"^texts\[1\]: empty text"):
        read_text_column(["新车", text])
