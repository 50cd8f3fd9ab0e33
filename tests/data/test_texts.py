"""The one rule for empty texts, and the characters that no label may hold."""

from __future__ import annotations

import pytest

from prompt_kit.data.texts import control_character, is_empty


@pytest.mark.parametrize(
    "text",
    ["", " \t\n", "\u3000\xa0", "\u200b\u200d\ufeff", "\x00\x1b\x7f\x9b", "\u0301\ufe0f", "\ue000",
     "\ufffd", "\u3164\u2800", "\udcb9"],
)  # fmt: skip
def test_nothing_to_read(text):
    assert is_empty(text) and is_empty(text * 1000)


@pytest.mark.parametrize(
    "text", ["a", "！", "😀", "…", "\u200b字", "\x00 1", "[MASK]", "\U000e0fff\U0003fffd", "\ufffd车"]
)
def test_something_to_read(text):
    assert not is_empty(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [("体育\n", "U+000A"), ("\x1b[31m", "U+001B"), ("a\x9bb", "U+009B"),
     ("\u2028", "U+2028"), ("a\u202eb", "U+202E"), ("\ud800", "U+D800")],
)  # fmt: skip
def test_characters_that_steer_a_terminal(text, found):
    assert control_character(text) == found


@pytest.mark.parametrize("text", ["体育", "new car", "👨‍👩‍👧", "a\xa0b", ""])
def test_others_do_not(text):
    assert control_character(text) is None
