"""CSV and Excel: quotes, delimiters, columns, rows that do not fit, with the lines they are on."""

from __future__ import annotations

import io

import pytest

from prompt_kit.data.importers.plain_table import read_csv, read_excel
from prompt_kit.data.importers.sources import Source
from prompt_kit.errors import ConfigError, DataError, DependencyError


def read(text, **flags):
    return [(one.where, one.text, one.votes) for one in read_csv("f.csv", text, **flags)]


def test_quotes_commas_tabs_and_line_breaks_inside_a_text():
    text = 'id,text,label\r\n1,"他说""好"",\t走\n了",体育\r\n\r\n2,没有引号,\r\n'
    assert read(text) == [("f.csv:2", '他说"好",\t走\n了', ("体育",)), ("f.csv:5", "没有引号", ())]


def test_without_a_header():
    assert read("体育\t甲\n", has_header=False, text_column="2", label_column="1") == [("f.csv:1", "甲", ("体育",))]


def test_columns():
    table = "a,b,text\n甲,体育,x\n"
    assert read(table, text_column="a", label_column="b") == [("f.csv:2", "甲", ("体育",))]
    with pytest.raises(
        DataError, match="^f.csv:1: which column is the label. .* has 'a', 'b', 'text'; give --label_column"
    ):
        read(table)
    with pytest.raises(ConfigError, match="--text_column c: f.csv has the columns 'a', 'b', 'text'"):
        read(table, text_column="c")
    with pytest.raises(ConfigError, match="text and label are the same column, 'a'"):
        read(table, text_column="a", label_column="1")


def workbook(rows, title="Sheet", more=()):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for name, content in ((title, rows), *more):
        sheet = book.active if name == title else book.create_sheet(name)
        sheet.title = name
        for row in content:
            sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return Source("b.xlsx", stream.getvalue())


def excel(source, **flags):
    return [(one.where, one.text, one.votes) for one in read_excel(source, **flags)]


def test_a_sheet():
    rows = [["编号", "评论", "标签"], [1, "他说\n好", 1.0], [], [2, "乙", None], [3, 12345, "体育"]]
    assert excel(workbook(rows, "评价")) == [
        ("b.xlsx:评价:2", "他说\n好", ("1",)),
        ("b.xlsx:评价:4", "乙", ()),
        ("b.xlsx:评价:5", "12345", ("体育",)),
    ]


def test_another_sheet():
    source = workbook([["x"]], more=(("数据", [["甲", "体育"]]),))
    flags = {"has_header": False, "text_column": "1", "label_column": "2"}
    assert excel(source, sheet="数据", **flags) == [("b.xlsx:数据:1", "甲", ("体育",))]
    with pytest.raises(ConfigError, match="--sheet y: b.xlsx has the sheets 'Sheet', '数据'"):
        excel(source, sheet="y")


def test_what_is_no_workbook():
    pytest.importorskip("openpyxl")
    with pytest.raises(DataError, match="^b.xls: not an .xlsx workbook; open it in Excel"):
        excel(Source("b.xls", b"\xd0\xcf\x11\xe0"))
    with pytest.raises(DataError, match="^b.xlsx: not a workbook that can be read"):
        excel(Source("b.xlsx", b"PK\x03\x04 cut"))
    with pytest.raises(DataError, match="^b.xlsx:Sheet: the sheet is empty"):
        excel(workbook([]))


def test_without_openpyxl(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(DependencyError, match=r'pip install ".\[excel\]"'):
        excel(Source("b.xlsx", b"PK\x03\x04"))


@pytest.mark.parametrize("delimiter", ["\\t", "tab", "TAB", "\t"])
def test_a_tab_as_people_type_it(delimiter):
    assert read("text\tlabel\n甲,乙\t体育\n", delimiter=delimiter) == [("f.csv:2", "甲,乙", ("体育",))]


@pytest.mark.parametrize("delimiter", ["\n", '"', ""])
def test_what_no_delimiter_can_be(delimiter):
    with pytest.raises(ConfigError, match="^--delimiter "):
        read("text\tlabel\n甲\t体育\n", delimiter=delimiter)


def test_a_tab_divides_texts_that_have_more_commas():
    found = read("今天,天气,好\t体育\n", has_header=False, text_column="1", label_column="2")
    assert found == [("f.csv:1", "今天,天气,好", ("体育",))]
    assert read('"标题,正文,摘要";text;label\n甲;乙;体育\n') == [("f.csv:2", "乙", ("体育",))]


def test_a_table_without_names_is_told_of_no_header():
    with pytest.raises(DataError, match="--text_column NAME .or its number., and --no_header where that line is data$"):
        read("房间很好,好评\n服务差,差评\n")
    with pytest.raises(DataError, match="need --delimiter$"):
        read("文本，标签\n房间很好，好评\n")


def pairs(text, **flags):
    return [(one.where, one.text, one.text_b, one.votes) for one in read_csv("f.csv", text, **flags)]


def test_two_texts_a_row():
    """AFQMC, BUSTM and LCQMC call them sentence1 and sentence2, others query and title."""
    table = 'sentence1,sentence2,label\n花呗如何还款,"花呗, 怎么还款",1\n甲,乙,\n'
    expected = [("f.csv:2", "花呗如何还款", "花呗, 怎么还款", ("1",)), ("f.csv:3", "甲", "乙", ())]
    assert pairs(table, text_pair_column="sentence2") == expected
    assert pairs(table, text_pair_column="2", text_column="1") == expected
    assert pairs("id,query,title,label\n1,甲,乙,0\n", text_pair_column="title") == [("f.csv:2", "甲", "乙", ("0",))]
    assert pairs("other,text,label\n乙,甲,0\n", text_pair_column="other") == [("f.csv:2", "甲", "乙", ("0",))]
    assert pairs("甲\t乙\t0\n", has_header=False, text_column="1", text_pair_column="2", label_column="3") == [
        ("f.csv:1", "甲", "乙", ("0",))
    ]


def test_mistakes_in_the_columns_of_two_texts():
    table = "sentence1,sentence2,label\n甲,乙,1\n"
    with pytest.raises(DataError, match="^f.csv:1: which column.*; for two texts a row --text_pair_column sentence2$"):
        pairs(table)
    with pytest.raises(
        ConfigError, match="^--text_pair_column c: f.csv has the columns 'sentence1', 'sentence2', 'label'$"
    ):
        pairs(table, text_pair_column="c")
    with pytest.raises(ConfigError, match="^f.csv: both texts are the same column, 'sentence1'; name two$"):
        pairs(table, text_column="sentence1", text_pair_column="sentence1")
    with pytest.raises(ConfigError, match="^f.csv: text and label are the same column, 'label'; name two$"):
        pairs(table, text_column="sentence1", text_pair_column="label")


def test_two_texts_a_row_of_a_sheet():
    source = workbook([["句子1", "句子2", "标签"], ["甲", 12, 1]])
    (record,) = read_excel(source, text_pair_column="句子2")
    assert (record.where, record.text, record.text_b, record.votes) == ("b.xlsx:Sheet:2", "甲", "12", ("1",))
