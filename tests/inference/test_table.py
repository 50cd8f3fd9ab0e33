"""Rows of a table are read back exactly by the csv module and by pandas."""

from __future__ import annotations

import csv
import io
import random

import pytest

from prompt_kit.inference.table import table_row

TEXTS = ["今晚国足 迎战，日本队", '"开头', 'a"b', '"', '""', "一\t二", "一\n二", "一\r二", "\r\n", " 空格 ", "\u3000",
         "'单'", "\\", "#", "\ufeff头", "a\u2028b\x85c",
         "NA", "null", "=1+1", "0123", ",;|"]  # fmt: skip


@pytest.mark.parametrize("text", ["今晚国足迎战日本队", "a, b; 'c' \\ #", "两  个 空格\u3000", "", "0.5"])
def test_an_ordinary_text_stands_as_it_is(text):
    assert table_row([text, "sports", "0.900000"]) == f"{text}\tsports\t0.900000"


def test_quotes():
    assert table_row(['他说"好"', "一\t二"]) == '"他说""好"""\t"一\t二"'


def rows():
    draw = random.Random(1)
    parts = ['"', "\t", "\n", "\r", "字", " ", "\ufeff", "'", "a"]
    made = ["".join(draw.choices(parts, k=draw.randint(1, 8))) for _ in range(2000)]
    return [[text, "sports", "0.500000"] for text in TEXTS + made]


def test_the_csv_module_reads_them_back():
    written = "".join(table_row(row) + "\n" for row in rows())
    assert list(csv.reader(io.StringIO(written, newline=""), delimiter="\t")) == rows()


@pytest.mark.parametrize("engine", ["c", "python"])
def test_pandas_reads_them_back(tmp_path, engine):
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "a.tsv"
    path.write_text("".join(table_row(row) + "\n" for row in rows()), encoding="utf-8", newline="")
    found = pandas.read_csv(path, sep="\t", header=None, keep_default_na=False, dtype=str, engine=engine)
    assert found.values.tolist() == rows()
