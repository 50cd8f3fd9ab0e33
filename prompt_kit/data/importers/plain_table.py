"""A table with a column of texts, or two, and one of labels -> Records: CSV, TSV, or a sheet of an Excel workbook."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Optional

from prompt_kit.data.importers.records import Record
from prompt_kit.data.importers.sources import Source
from prompt_kit.data.importers.tables import LABEL_NAMES, Row, Table, column, listed, read_table, text_columns
from prompt_kit.errors import ConfigError, DataError, DependencyError

CSV_SUFFIXES = (".csv", ".tsv", ".txt")
EXCEL_SUFFIXES = (".xlsx", ".xlsm")
_WORKBOOK = b"PK\x03\x04"  # .xlsx is a zip archive


def read_csv(
    name: str,
    text: str,
    text_column: Optional[str] = None,
    label_column: Optional[str] = None,
    delimiter: Optional[str] = None,
    has_header: bool = True,
    quotes: bool = True,
    text_pair_column: Optional[str] = None,
) -> Iterator[Record]:
    """The rows of a table; a cell without a label leaves its text unlabelled."""
    table = read_table(name, text, delimiter, has_header, quotes)
    return _records(table, text_column, label_column, text_pair_column)


def read_excel(
    source: Source,
    text_column: Optional[str] = None,
    label_column: Optional[str] = None,
    sheet: Optional[str] = None,
    has_header: bool = True,
    text_pair_column: Optional[str] = None,
) -> Iterator[Record]:
    """The rows of a sheet, by default of the first; `where` is file:sheet:row. Numbers are read as Excel shows whole ones.

    A formula counts as the value that Excel last stored for it. Raises DependencyError without openpyxl (extra `excel`).
    """
    try:
        import openpyxl
    except ImportError:
        raise DependencyError('openpyxl is not installed; Excel files need it: pip install ".[excel]"') from None
    if not source.data.startswith(_WORKBOOK):
        raise DataError(f"{source.name}: not an .xlsx workbook; open it in Excel or LibreOffice and save it as .xlsx")
    try:
        book = openpyxl.load_workbook(io.BytesIO(source.data), read_only=True, data_only=True)
        names = [one.title for one in book.worksheets]
        if sheet is not None and sheet not in names:
            raise ConfigError(f"--sheet {sheet}: {source.name} has the sheets {listed(names)}")
        page = book[sheet if sheet is not None else names[0]]
        page.reset_dimensions()  # some programs write a wrong size, which openpyxl would believe
        rows = [tuple(_cell(one) for one in row) for row in page.iter_rows(values_only=True)]
    except ConfigError:
        raise
    except Exception as problem:  # openpyxl raises whatever zipfile, expat and its own classes do
        raise DataError(f"{source.name}: not a workbook that can be read ({_line(problem)}); save it again") from None
    name = f"{source.name}:{page.title}"
    return _records(_table(name, rows, has_header), text_column, label_column, text_pair_column)


def _records(
    table: Table, text_column: Optional[str], label_column: Optional[str], text_pair_column: Optional[str]
) -> Iterator[Record]:
    hint = ", and --no_header where that line is data"
    if len(table.header) == 1:
        hint += "; columns that neither a tab, a comma nor a semicolon separates need --delimiter"
    at_text, at_pair = text_columns(table.name, table.header, text_column, text_pair_column, hint=hint)
    at_label = column(table.name, table.header, label_column, LABEL_NAMES, "label_column", hint)
    if at_label in (at_text, at_pair):
        raise ConfigError(f"{table.name}: text and label are the same column, {table.header[at_label]!r}; name two")
    for row in table.rows:
        label = row.cells[at_label].strip()
        text_b = None if at_pair is None else row.cells[at_pair]
        yield Record(row.where, row.cells[at_text], (label,) if label else (), text_b=text_b)


def _table(name: str, rows: list[tuple[str, ...]], has_header: bool) -> Table:
    filled = [(number, row) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)]
    if not filled:
        raise DataError(f"{name}: the sheet is empty, expected a table")
    width = max(len(row) for _, row in filled)
    cells = [(number, row + ("",) * (width - len(row))) for number, row in filled]
    header = tuple(str(place + 1) for place in range(width))
    if has_header:
        header = tuple(cell.strip() for cell in cells[0][1])
        cells = cells[1:]
    return Table(name, header, (Row(f"{name}:{number}", row) for number, row in cells))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # Excel keeps 1 as 1.0
    return str(value)


def _line(problem: BaseException) -> str:
    return " ".join((str(problem) or type(problem).__name__).split())[:200]
