"""Rows of a table with the lines they are on: delimiters, quotation marks, widths; and the choice of a column."""

from __future__ import annotations

import pytest

from prompt_kit.data.importers.tables import TEXT_NAMES, column, listed, read_table
from prompt_kit.errors import ConfigError, DataError


def read(text, **flags):
    return [(row.where, *row.cells) for row in read_table("f.csv", text, **flags).rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_first_lines(delimiter):
    assert read(f"标题{delimiter}标签\n甲{delimiter}体育\n") == [("f.csv:2", "甲", "体育")]


def test_another_delimiter():
    assert read("text|label\n甲,乙|体育\n", delimiter="|") == [("f.csv:2", "甲,乙", "体育")]
    with pytest.raises(ConfigError, match="--delimiter '..' must be one character"):
        read("text||label\n", delimiter="||")


def test_quotation_marks_that_quote_nothing():
    text = 'text\tlabel\n"大新闻"来了\t体育\n'
    with pytest.raises(DataError, match="f.csv:2: not a row of a table .*--no_quotes"):
        read(text)
    assert read(text, quotes=False) == [("f.csv:2", '"大新闻"来了', "体育")]


def test_a_quotation_mark_that_is_never_closed_is_found_where_it_opens():
    with pytest.raises(DataError, match="^f.csv:3: not a row of a table .unexpected end of data"):
        read('text,label\n甲,体育\n"乙,体育\n丙,汽车\n')


def test_rows_of_another_width():
    assert read("text,label\n甲,体育,,\n") == [("f.csv:2", "甲", "体育")]
    with pytest.raises(DataError, match="^f.csv:3: 3 columns, but the first line has 2 .'text', 'label'."):
        read("text,label\n甲,体育\n乙,丙,汽车\n")
    with pytest.raises(DataError, match="^f.csv:2: 1 columns, but the first line has 2"):
        read("text,label\n甲\n")


def test_a_long_cell_is_no_limit():
    assert len(read(f"text,label\n{'长' * 200000},体育\n")[0][1]) == 200000


def test_columns_without_names_are_counted():
    table = read_table("f.csv", "甲;体育\n", has_header=False)
    assert table.header == ("1", "2") and [row.cells for row in table.rows] == [("甲", "体育")]


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        (None, 2),  # of two usual names the one that stands first among TEXT_NAMES, whatever its case
        ("内容", 1),
        ("3", 2),
        ("1", 3),  # a name before a number
    ],
)
def test_which_column(asked, place):
    assert column("f.csv", ("x", "内容", "Text", "1"), asked, TEXT_NAMES, "text_column") == place


def test_a_name_that_two_columns_have_is_no_answer():
    assert column("f.csv", ("text", "text", "title"), None, TEXT_NAMES, "text_column") == 2
    with pytest.raises(ConfigError, match="--text_column 5: f.csv has the columns 'a', 'b'"):
        column("f.csv", ("a", "b"), "5", TEXT_NAMES, "text_column")


def test_names_in_a_message_are_cut():
    assert listed(["a", "b" * 25, "c"], most=2) == f"'a', '{'b' * 24}…' and 1 more" and listed([]) == "nothing"
