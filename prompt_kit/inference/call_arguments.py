"""What an argument of a call may be: one of several words, or a whole number in a range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, Optional

from prompt_kit.errors import ConfigError, shown


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """ConfigError for what is none of the choices."""
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {shown(value)}")


def check_texts(call: str, texts: Any) -> None:
    """ConfigError for what is no column of texts to `call`: a string, whose characters would be taken for them, a table or a
    mapping, whose keys would, a set, which has no order, an array [N, M] or without dimensions."""
    if isinstance(texts, str):
        raise ConfigError(f"{call} takes a list of texts; for one text write {call}([text])")
    dimensions = getattr(texts, "ndim", 1)
    if isinstance(dimensions, int) and dimensions != 1:
        raise ConfigError(f"{call}: expected one dimension, a text each, got {type(texts).__name__} of {dimensions}")
    if not isinstance(texts, Iterable) or isinstance(texts, (Mapping, set, frozenset)):
        raise ConfigError(f"expected texts, such as a list of strings, got {type(texts).__name__}")


def check_number(name: str, value: Any, least: int, most: Optional[int] = None) -> int:
    """`value` as an int, of whatever whole type (numpy's too); ConfigError out of its range."""
    if (
        isinstance(value, Integral)
        and not isinstance(value, bool)
        and least <= int(value) <= (int(value) if most is None else most)
    ):
        return int(value)
    expected = f"of {least} or more" if most is None else f"from {least} to {most}"
    raise ConfigError(f"{name} must be a whole number {expected}, got {shown(value)}")
