"""What counts as an empty or a broken text, and which characters no label may hold: one rule for files, flags and Python."""

from __future__ import annotations

import re
import unicodedata
from typing import Optional

# Letters and symbols that show nothing: the fillers of Hangul and the blank of Braille. U+FFFD stands for a character that
# was lost before it came here, and the tokenizer drops it.
_BLANK = "\u115f\u1160\u3164\uffa0\u2800\ufffd"
# What reorders the line that it stands in, on a terminal that writes in both directions.
_REORDERING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HALF = re.compile("[\ud800-\udfff]")


def is_empty(text: str) -> bool:
    """Whether there is nothing to read in a text: no letter, digit, symbol or mark of punctuation.

    Spaces, control characters, zero-width characters, combining marks with nothing to combine with, private and lost
    characters (U+FFFD) are nothing to read. Unassigned code points count as something: a newer Unicode has an emoji there.
    """
    return all(map(_shows_nothing, text))  # stops at the first character that shows something


def half_character(text: str) -> str:
    """What is wrong with a text that holds half of a surrogate pair; "" for any other.

    Such a half is what is left of a character that was cut in two, as JSON's \\ud83d without its \\ude00. No file can hold
    it, so that what is read from files never has one.
    """
    found = HALF.search(text)
    if found is None:
        return ""
    return (
        f"holds half of a surrogate pair, U+{ord(found[0]):04X} at {found.start()}, which is no character; take it out, in "
        "Python text.encode('utf-8', 'ignore').decode()"
    )


def control_character(text: str) -> Optional[str]:
    """The first character that would steer a terminal or break a line, as 'U+001B'; None without one.

    These are control characters, line and paragraph separators, those that reorder a line, and lone surrogates, which
    cannot be written at all.
    """
    for char in text:
        if unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") or char in _REORDERING:
            return f"U+{ord(char):04X}"
    return None


def _shows_nothing(char: str) -> bool:
    category = unicodedata.category(char)
    return (category[0] in "ZCM" and category != "Cn") or char in _BLANK
