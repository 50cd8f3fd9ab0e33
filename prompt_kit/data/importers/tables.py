"""A table as text (CSV, TSV) -> rows with their line numbers, and the choice of its columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Optional

from prompt_kit.data.pairs import names_beside, pair_hint
from prompt_kit.errors import ConfigError, DataError

TEXT_NAMES = ("text", "sentence", "content", "title", "文本", "正文", "内容", "标题", "句子", "评论", "review", "data")
LABEL_NAMES = ("label", "labels", "class", "category", "标签", "类别", "分类", "类", "label_desc", "label_name")
_LONGEST_CELL = 1 << 27
_TAB = ("tab", "\\t")  # how people type a tab where a shell gives them none


@dataclass(frozen=True)
class Row:
    """where: file:line; cells: as many as the header has."""

    where: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """The names of the columns, and the rows, read as they are taken."""

    name: str
    header: tuple[str, ...]
    rows: Iterator[Row]


def read_table(
    name: str, text: str, delimiter: Optional[str] = None, has_header: bool = True, quotes: bool = True
) -> Table:
    """The rows of `text`; without `delimiter` it is the first line's tab, or the one of comma and semicolon that it has most of.

    `has_header` False names the columns 1, 2, …; `quotes` False takes quotation marks as part of the text.
    Raises DataError with file:line for a quotation mark that is never closed, and a row of another width.
    """
    if delimiter is not None and delimiter.lower() in _TAB:
        delimiter = "\t"
    delimiter = _delimiter(text) if delimiter is None else delimiter
    rows = _rows(name, text, delimiter, quotes)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{name}: the file is empty, expected a table")
    if not has_header:
        header = tuple(str(number + 1) for number in range(len(first.cells)))
        return Table(name, header, _checked(_again(first, rows), header))
    header = tuple(cell.strip().lstrip("\ufeff") for cell in first.cells)
    return Table(name, header, _checked(rows, header))


def column(
    table_name: str, header: Sequence[str], asked: Optional[str], names: Sequence[str], flag: str, hint: str = ""
) -> int:
    """The place of the column that `asked` names (or counts, from 1), else of the first of `names` that is there.

    `hint` ends the message for one that is not found.
    """
    lowered = [one.lower() for one in header]
    if asked is not None:
        if asked in header:
            return list(header).index(asked)
        if asked.isdecimal() and 1 <= int(asked) <= len(header):
            return int(asked) - 1
        raise ConfigError(f"--{flag} {asked}: {table_name} has the columns {listed(header)}")
    for one in names:
        if lowered.count(one) == 1:
            return lowered.index(one)
    hint = (pair_hint(header) if flag == "text_column" else "") or hint
    raise DataError(
        f"{table_name}:1: which column is the {flag.partition('_')[0]}? The first line has {listed(header)}; give --{flag} NAME"
        f" (or its number){hint}"
    )


def text_columns(
    table_name: str,
    header: Sequence[str],
    text_column: Optional[str],
    text_pair_column: Optional[str],
    names: Sequence[str] = TEXT_NAMES,
    hint: str = "",
) -> tuple[int, Optional[int]]:
    """The places of the column of texts and of that of second texts, None where `text_pair_column` names none.

    `hint` ends the message where the texts are not found.
    """
    if text_pair_column is None:
        return column(table_name, header, text_column, names, "text_column", hint), None
    second = column(table_name, header, text_pair_column, (), "text_pair_column")
    first = column(table_name, header, text_column, (*names_beside(header[second]), *names), "text_column", hint)
    if first == second:
        raise ConfigError(f"{table_name}: both texts are the same column, {header[first]!r}; name two")
    return first, second


def listed(names: Sequence[str], most: int = 12) -> str:
    """The names, quoted, for a message; long ones and many are cut."""
    shown = ", ".join(repr(one if len(one) <= 24 else one[:24] + "…") for one in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "") or "nothing"


def _delimiter(text: str) -> str:
    """A tab if the first line has one, since texts seldom do; else the one of comma and semicolon that it has most of."""
    line = text.lstrip("\ufeff").partition("\n")[0]
    line = re.sub('"[^"]*"', "", line)  # what stands in quotation marks separates nothing
    return "\t" if "\t" in line else max(",;", key=line.count)


def _again(first: Row, rows: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rows


def _rows(name: str, text: str, delimiter: str, quotes: bool) -> Iterator[Row]:
    """Rows that are not blank; `where` is the line on which a row begins."""
    if len(delimiter) != 1:
        raise ConfigError(f"--delimiter {delimiter!r} must be one character, such as ',' or ';', or the word tab")
    if delimiter in '\r\n"':
        raise ConfigError(
            f"--delimiter {delimiter!r} ends a line or quotes a cell; give what stands between two columns"
        )
    earlier = csv.field_size_limit(_LONGEST_CELL)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
    start = 1
    try:
        while True:
            csv.field_size_limit(_LONGEST_CELL)  # the limit is the process's, and others may set it between two rows
            try:
                cells = next(reader)
            except StopIteration:
                return
            finally:
                csv.field_size_limit(earlier)
            if any(cell.strip() for cell in cells):
                yield Row(f"{name}:{start}", tuple(cells))
            start = reader.line_num + 1
    except csv.Error as problem:
        raise DataError(
            f"{name}:{start}: not a row of a table ({problem}); close or double its quotation marks, or give --no_quotes "
            "where they are part of the text"
        ) from None


def _checked(rows: Iterator[Row], header: Sequence[str]) -> Iterator[Row]:
    width = len(header)
    for row in rows:
        cells = row.cells
        while len(cells) > width and not cells[-1].strip():  # spreadsheets write empty columns behind the last
            cells = cells[:-1]
        if len(cells) != width:
            raise DataError(
                f"{row.where}: {len(cells)} columns, but the first line has {width} ({listed(header)}); a text that holds "
                "the delimiter needs quotation marks around it"
            )
        yield Row(row.where, cells)
