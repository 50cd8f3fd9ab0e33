"""Files of two texts a line: `text_a<TAB>text_b<TAB>label`, or columns that a first line names, in any order.

sentence1<TAB>sentence2<TAB>label        a first line with one of PAIR_NAMES; other columns are passed over
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from prompt_kit.data.layout import wrong_label
from prompt_kit.data.line_format import Label, LineFormat
from prompt_kit.data.texts import is_empty
from prompt_kit.errors import DataError, shown

PAIR_NAMES = (
    ("text_a", "text_b"), ("sentence1", "sentence2"), ("text", "text_pair"), ("text1", "text2"),
    ("question1", "question2"), ("premise", "hypothesis"), ("query", "title"), ("文本1", "文本2"), ("句子1", "句子2"),
)  # fmt: skip
_LABEL_NAMES = ("label", "labels", "标签", "类别")


@dataclass(frozen=True)
class _Columns:
    """The places of the two texts and of the label, None without one; `count`: of a line's columns, None for any."""

    text_a: int
    text_b: int
    label: Optional[int]
    count: int


def named_columns(header: Sequence[str]) -> Optional[tuple[int, int]]:
    """The places of the two texts among the names of columns; None where no pair of PAIR_NAMES is there."""
    lowered = [name.strip().lower() for name in header]
    for first, second in PAIR_NAMES:
        if first in lowered and second in lowered:
            return lowered.index(first), lowered.index(second)
    return None


def names_beside(second: str) -> tuple[str, ...]:
    """The names that a column of first texts usually has beside one of second texts called `second`."""
    return tuple(one for one, other in PAIR_NAMES if other == second.strip().lower())


def pair_hint(header: Sequence[str]) -> str:
    """What a message adds where no column of texts is found and two of PAIR_NAMES are there; else ''."""
    places = named_columns(header)
    return "" if places is None else f"; for two texts a row --text_pair_column {header[places[1]]}"


def read_labelled_pairs(
    rows: Iterable[tuple[int, str]], name: str, labels: Sequence[str], required: bool, line_format: LineFormat
) -> list[tuple[str, str, Optional[Label]]]:
    """(text_a, text_b, label or None) of numbered lines, which are all labelled or, unless `required`, all not.

    Raises DataError with file:line for another number of columns, an unknown label, and an empty text.
    """
    columns, numbered = _header(list(rows), name)
    known, found = set(labels), []
    for number, line in numbered:
        cells = [cell.strip() for cell in line.split("\t")]
        if columns is None:
            columns = _Columns(
                0, 1, 2 if len(cells) == 3 or required else None, 3 if len(cells) == 3 or required else 2
            )
        expected = line_format.expected if columns.label is not None else line_format.texts
        _check_count(cells, columns.count, f"{name}:{number}", expected)
        text_a, text_b = _texts(cells, columns, f"{name}:{number}")
        label: Optional[Label] = None
        if columns.label is not None:
            label = line_format.read_label(cells[columns.label])
            wrong = line_format.unknown(label, known)
            if wrong is not None:
                raise DataError(
                    f"{name}:{number}: {wrong_label(text_b, wrong, labels, known, number, line_format.several)}"
                )
        elif required:
            raise DataError(f"{name}:1: no column is called label; expected one beside the two texts")
        found.append((text_a, text_b, label))
    return found


def iter_pairs(rows: Iterable[tuple[int, str]], name: str, labels: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """(text_a, text_b) of numbered lines without labels, as they arrive. DataError for a line of another shape."""
    known = set(labels)
    columns: Optional[_Columns] = None
    for number, line in rows:
        cells = [cell.strip() for cell in line.split("\t")]
        if columns is None:
            places = named_columns(cells)
            if places is not None:
                columns = _Columns(*places, None, len(cells))
                continue
            columns = _Columns(0, 1, None, 2)
        if len(cells) == 3 and columns.count == 2 and cells[2] in known:
            raise DataError(
                f"{name}:{number}: ends with the label {shown(cells[2])}, expected text_a<TAB>text_b; cut the labels off: "
                "cut -f1,2"
            )
        _check_count(cells, columns.count, f"{name}:{number}", "text_a<TAB>text_b")
        yield _texts(cells, columns, f"{name}:{number}")


def _header(rows: list[tuple[int, str]], name: str) -> tuple[Optional[_Columns], list[tuple[int, str]]]:
    """What a first line of names says, if it is one, and the lines behind it."""
    cells = rows[0][1].split("\t")
    places = named_columns(cells)
    if places is None:
        return None, rows
    lowered = [cell.strip().lower() for cell in cells]
    label = next((lowered.index(one) for one in _LABEL_NAMES if one in lowered), None)
    if len(rows) == 1:
        raise DataError(f"{name}: nothing but the names of the columns; expected lines under them")
    return _Columns(*places, label, len(cells)), rows[1:]


def _check_count(cells: Sequence[str], count: int, where: str, expected: str) -> None:
    if len(cells) != count:
        listed = ", ".join(shown(cell, 20) for cell in cells[:5]) + (", …" if len(cells) > 5 else "")
        raise DataError(f"{where}: {len(cells)} column(s) ({listed}), expected {count}: {expected}")


def _texts(cells: Sequence[str], columns: _Columns, where: str) -> tuple[str, str]:
    for number, place in enumerate((columns.text_a, columns.text_b), start=1):
        if is_empty(cells[place]):
            raise DataError(f"{where}: text {number} of the two is empty; fill it in, or delete the line")
    return cells[columns.text_a], cells[columns.text_b]
