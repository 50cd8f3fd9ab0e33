"""What every reader yields: a text with the labels that annotators gave it, and where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from prompt_kit.data.texts import HALF

_BREAKS = re.compile(r"[\t\r\n]+")  # what ends a column or a line of a data file

# A BOM at the start of a file would be lost on reading it, and a label copied from a web page with a zero-width space behind
# it would be a label of its own.
_ENDS = re.compile(r"^[\s\ufeff\u200b\u2060]+|[\s\ufeff\u200b\u2060]+$")


@dataclass(frozen=True)
class Record:
    """One task as a tool exports it, or one row of a table.

    where    file:line, for messages
    text     as it stands in the source
    votes    the labels of each annotator; empty when nobody labelled it
    skipped  an annotator refused the task, and none labelled it
    answers  annotators who labelled it
    text_b   the second text of a pair, None where a record has one text
    """

    where: str
    text: str
    votes: tuple[str, ...] = ()
    skipped: bool = False
    answers: int = 1
    text_b: Optional[str] = None


def clean(text: str) -> str:
    """The text on one line: runs of tabs and line breaks become a space, half a surrogate pair becomes U+FFFD."""
    text = _BREAKS.sub(" ", _ENDS.sub("", text))
    return HALF.sub("\ufffd", text)


def has_breaks(text: str) -> bool:
    """Whether `clean` puts a space into the text."""
    return bool(_BREAKS.search(_ENDS.sub("", text)))
