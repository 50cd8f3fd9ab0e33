"""LineFormat: which columns a line of a data file has, and what stands in the last one.

text<TAB>label                    one label a text
text<TAB>label,label              several labels a text, or none: text<TAB>
text<TAB>a,a##b                   labels with levels; those above `a##b` may be left out
text_a<TAB>text_b<TAB>label       two texts, with each of these labels
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from typing import Optional, Union

Label = Union[str, tuple[str, ...]]  # of one text: its label, or in a task of several labels all that it has

LEVELS = "##"  # between the levels of a label
_COMMA = re.compile("[,，]")


@dataclass(frozen=True)
class LineFormat:
    """several: of labels a text; levels: a label brings those above it; pairs: a line has two texts."""

    several: bool = False
    levels: bool = False
    pairs: bool = False

    @property
    def expected(self) -> str:
        """What a message calls a labelled line."""
        return f"{self.texts}<TAB>{'label,label' if self.several else 'label'}"

    @property
    def texts(self) -> str:
        """What a message calls a line without a label."""
        return "text_a<TAB>text_b" if self.pairs else "text"

    def read_label(self, text: str) -> Label:
        """The last column as a label, whether or not it is known."""
        if not self.several:
            return text
        found = split_labels(text)
        if not self.levels:
            return found
        return tuple(dict.fromkeys(one for label in found for one in (*labels_above(label), label)))

    def is_label(self, text: str, known: Set[str]) -> bool:
        """Whether a last column names labels, all of them known."""
        if not self.several:
            return text in known
        return bool(text) and all(label in known for label in split_labels(text))

    def unknown(self, label: Label, known: Set[str]) -> Optional[str]:
        """The first name in a label that is none; None if all are known."""
        names = (label,) if isinstance(label, str) else label
        return next((name for name in names if name not in known), None)


TEXT_AND_LABEL = LineFormat()


def split_labels(text: str) -> tuple[str, ...]:
    """`a,b` -> ("a", "b"), each once, as several labels stand in a line; an empty text has none."""
    return tuple(dict.fromkeys(part.strip() for part in _COMMA.split(text) if part.strip()))


def has_comma(label: str) -> bool:
    """Whether a label would fall apart where several stand in a line."""
    return _COMMA.search(label) is not None


def labels_above(label: str) -> tuple[str, ...]:
    """`a##b##c` -> ("a", "a##b"), the highest first."""
    parts = label.split(LEVELS)
    return tuple(LEVELS.join(parts[:number]) for number in range(1, len(parts)))


def label_text(label: Optional[Label]) -> str:
    """The labels of a text as one string, separated by commas; empty without any."""
    return label if isinstance(label, str) else ",".join(label or ())


def labels_of(label: Optional[Label]) -> tuple[str, ...]:
    """The labels of a text, however many."""
    return (label,) if isinstance(label, str) else label or ()
