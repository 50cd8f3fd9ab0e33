"""Values in messages: on one line, and never longer than a few lines of a terminal."""

from __future__ import annotations

import pytest

from prompt_kit import errors
from prompt_kit.errors import PromptKitError, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("汽车", "'汽车'"),
        ("一\n二", r"'一\n二'"),
        ("字" * 81, "'" + "字" * 80 + "…'"),
        pytest.param("\x00" * 80, ("'" + r"\x00" * 80)[:160] + "…'", id="spelled"),
        (12, "12"),
        (10**81, "a number of many digits"),
        (list(range(100)), repr(list(range(100)))[:80] + "…"),
    ],
)
def test_a_value_in_a_message(value, text):
    assert shown(value) == text


def test_a_value_as_it_was_typed():
    assert shown("a b", quoted=False) == "a b" and shown("字" * 9, 4, quoted=False) == "字字字字…"


def test_one_family():
    """A script catches the base; whoever knows only Python's catches ValueError."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) == 10 and all(issubclass(kind, PromptKitError) for kind in kinds)
    assert issubclass(PromptKitError, ValueError)
