"""A table of texts with other columns (CSV, TSV, JSON lines) -> its rows; and such rows, with predictions, -> a file.

A row is a mapping of column to value: strings in CSV and TSV, whatever JSON holds in JSON lines. The file is read whole,
as its encoding is told by all of its bytes.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, TextIO

from prompt_kit.data.dataset import AText, Example
from prompt_kit.data.importers.json_objects import is_json, read_objects
from prompt_kit.data.importers.sources import Source, decode, open_sources
from prompt_kit.data.importers.tables import TEXT_NAMES, column, read_table
from prompt_kit.data.pairs import PAIR_NAMES, named_columns
from prompt_kit.data.texts import HALF, half_character, is_empty
from prompt_kit.errors import ConfigError, DataError

FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".json": "jsonl"}
_DELIMITERS = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True)
class TableFile:
    """format: csv, tsv or jsonl; rows: (file:line, row) in order; text_column: where the texts are; pair_column: where the
    second texts are, None if a row has one."""

    format: str
    header: tuple[str, ...]
    rows: list[tuple[str, dict[str, Any]]]
    text_column: str
    pair_column: Optional[str] = None

    def texts(self) -> list[AText]:
        """The texts, in order; of two, Examples. DataError with file:line for one that is empty or no string."""
        first = [_text(where, row, self.text_column) for where, row in self.rows]
        if self.pair_column is None:
            return list(first)
        second = [_text(where, row, self.pair_column) for where, row in self.rows]
        return [Example(text, text_b=other) for text, other in zip(first, second)]


def read_table_file(
    path: str,
    text_column: Optional[str] = None,
    encoding: Optional[str] = None,
    pair_column: Optional[str] = None,
    pairs: bool = False,
) -> TableFile:
    """Read the table at `path`; its content says whether it is JSON, its first line which delimiter it has.

    `text_column` is the name of a column or, in CSV and TSV, its number from 1; without it a usual name is looked for. With
    `pairs` so is `pair_column`, that of the second texts.
    Raises DataError with file:line, ConfigError for a column that is not there.
    """
    (source,) = _one_source(path)
    text, _ = decode(source, encoding)
    if is_json(text):
        rows = list(read_objects(path, text))
        header = tuple(dict.fromkeys(key for _, row in rows for key in row))
        names = _columns(path, header, text_column, pair_column, pairs)
        return TableFile("jsonl", header, rows, *names)
    table = read_table(path, text)
    if len(set(table.header)) < len(table.header):
        twice = next(name for name in table.header if table.header.count(name) > 1)
        raise DataError(f"{path}:1: two columns are called {twice!r}; give each a name of its own")
    names = _columns(path, table.header, text_column, pair_column, pairs)
    rows = [(row.where, dict(zip(table.header, row.cells))) for row in table.rows]
    if not rows:
        raise DataError(f"{path}: there is no row under the first line")
    format_ = "tsv" if "\t" in text.partition("\n")[0] else "csv"
    return TableFile(format_, table.header, rows, *names)


def _columns(
    path: str, header: Sequence[str], text_column: Optional[str], pair_column: Optional[str], pairs: bool
) -> tuple[str, Optional[str]]:
    """The names of the columns of the texts, and of the second texts."""
    if not pairs:
        return header[column(path, header, text_column, TEXT_NAMES, "text_column")], None
    usual = named_columns(header)
    if usual is not None and text_column is None and pair_column is None:
        return header[usual[0]], header[usual[1]]
    first = column(path, header, text_column, [one for one, _ in PAIR_NAMES], "text_column")
    second = column(path, header, pair_column, [one for _, one in PAIR_NAMES], "text_pair_column")
    return header[first], header[second]


def format_of(path: str) -> str:
    """The format that a file's suffix names; ConfigError for another."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in FORMATS or suffix == ".json":
        raise ConfigError(f"--output_file {path}: expected a name that ends with .csv, .tsv or .jsonl")
    return FORMATS[suffix]


def check_new_columns(table: TableFile, names: Sequence[str], path: str) -> None:
    """ConfigError when a column that is to be added is there already, as in the output of an earlier run."""
    for name in names:
        if name in table.header:
            raise ConfigError(f"{path} has a column {name!r} already; rename it or leave it out")


def write_rows(stream: TextIO, format_: str, header: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows to an open text stream; in CSV and TSV, lists and objects of JSON become JSON in their cells.

    Half of a surrogate pair, which JSON can spell and no file can hold, is spelled again, and in CSV and TSV is U+FFFD.
    """
    if format_ == "jsonl":
        for row in rows:
            line = json.dumps(row, ensure_ascii=False)
            stream.write((json.dumps(row) if half_character(line) else line) + "\n")
        return
    writer = csv.writer(stream, delimiter=_DELIMITERS[format_], lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in header])


def _one_source(path: str) -> list[Source]:
    if os.path.isdir(path) or path.lower().endswith(".zip"):
        raise ConfigError(f"--input_file {path}: expected one CSV, TSV or JSON lines file")
    return list(open_sources([path], ()))


def _text(where: str, row: Mapping[str, Any], name: str) -> str:
    text = row.get(name)
    if not isinstance(text, str):
        raise DataError(f"{where}: expected a text under {name!r}, got {json.dumps(text, ensure_ascii=False)[:40]}")
    if broken := half_character(text):
        raise DataError(f"{where}: the text under {name!r} {broken}")
    if is_empty(text):
        raise DataError(f"{where}: empty text under {name!r}; delete the row, or fill it in")
    return text


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    cell = value if isinstance(value, (str, int, float)) else json.dumps(value, ensure_ascii=False)
    return HALF.sub("\ufffd", cell) if isinstance(cell, str) else cell
