"""A text as it stands on one line of a data file."""

from __future__ import annotations

import pytest

from prompt_kit.data.importers.records import clean, has_breaks


@pytest.mark.parametrize(
    ("text", "cleaned", "broken"),
    [
        ("甲\t\r\n乙  丙", "甲 乙  丙", True),
        ("\ufeff \n甲\n", "甲", False),  # breaks at the ends make no space
        ("题\ud83d", "题\ufffd", False),
        ("", "", False),
    ],
)
def test_one_line(text, cleaned, broken):
    assert (clean(text), has_breaks(text)) == (cleaned, broken)
