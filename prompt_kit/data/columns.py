"""Columns in memory -> lists: texts and labels from lists, tuples, numpy arrays and pandas Series, checked.

pandas is not imported: a Series says of itself what is asked here.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from prompt_kit.data.texts import half_character, is_empty
from prompt_kit.errors import DataError, shown


def read_column(values: Any, name: str) -> list:
    """The values of one column as plain Python objects, in order. DataError for what is no column, or an empty one."""
    if isinstance(values, (str, bytes, os.PathLike)):
        raise DataError(
            f"{name}: expected a list, got the string {_shown(values)}; for a single one write [{name[:-1]}]"
        )
    if isinstance(values, (Mapping, Set)):
        raise DataError(f"{name}: expected a list, got a {type(values).__name__}, which is no column with an order")
    if not hasattr(values, "ndim") and hasattr(values, "__array__"):
        values = np.asarray(values)
    if getattr(values, "ndim", 1) != 1:
        raise DataError(
            f"{name}: expected one dimension, got the shape {tuple(values.shape)}; give one column of it, of a DataFrame for "
            "example frame['text']"
        )
    try:
        column = values.tolist() if hasattr(values, "tolist") else list(values)
    except TypeError:
        raise DataError(f"{name}: expected a list, got {_shown(values)}, a {type(values).__name__}") from None
    if not column:
        raise DataError(f"{name}: empty, expected at least one")
    return [value.item() if isinstance(value, np.generic) else value for value in column]


def read_text_column(values: Any, name: str = "texts") -> list[str]:
    """The same of texts, each a string with something in it. DataError names the first that is not, counted from 0."""
    column = read_column(values, name)
    for place, text in enumerate(column):
        if not isinstance(text, str):
            raise DataError(f"{name}[{place}]: expected a string, got {_shown(text)}, a {type(text).__name__}")
        if broken := half_character(text):
            raise DataError(f"{name}[{place}] {broken}")
        if is_empty(text):
            raise DataError(f"{name}[{place}]: empty text {shown(text)}; leave it out")
    return column


def read_pair_column(values: Any, name: str = "texts") -> list[tuple[str, str]]:
    """Pairs of texts: N sequences of two, or an array or frame [N, 2]. DataError as `read_text_column` raises it."""
    if getattr(values, "ndim", 1) == 2:
        values = np.asarray(values).tolist()
    found = []
    for place, pair in enumerate(read_column(values, name)):
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise DataError(f"{name}[{place}]: expected two texts, (text_a, text_b), got {_shown(pair)}")
        text_a, text_b = read_text_column(list(pair), f"{name}[{place}]")
        found.append((text_a, text_b))
    return found


def read_label_column(values: Any, name: str = "labels") -> list[Hashable]:
    """The same of labels: strings, numbers, anything hashable but a missing value."""
    column = read_column(values, name)
    for place, label in enumerate(column):
        try:
            hash(label)
            missing = label is None or bool(label != label)
        except TypeError:  # unhashable, or pandas.NA, which is neither equal to itself nor not
            raise DataError(
                f"{name}[{place}]: expected one label, a string or a number, got {_shown(label)}, a {type(label).__name__}"
            ) from None
        if missing:
            raise DataError(f"{name}[{place}]: missing ({label}), expected a label; leave this text out")
    return column


def check_lengths(texts: Sequence[Any], labels: Sequence[Any], names: tuple[str, str] = ("texts", "labels")) -> None:
    """DataError unless there is one label a text."""
    if len(texts) != len(labels):
        raise DataError(f"{len(texts)} {names[0]} but {len(labels)} {names[1]}; give every text its label")


def unique(values: Iterable[Hashable]) -> list[Hashable]:
    """Each value once, sorted where they can be compared, else in the order of their first places."""
    found: list[Any] = list(dict.fromkeys(values))
    try:
        return sorted(found)
    except TypeError:
        return found


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"
