"""Tables of texts: what is read of CSV, TSV and JSON lines, and what rows look like when they are written."""

from __future__ import annotations

import io

import pytest

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.inference.table_file import TableFile, check_new_columns, format_of, read_table_file, write_rows


@pytest.fixture
def read(tmp_path):
    """The table in a file of this content and name."""

    def call(content, *arguments, name="in.csv", **options):
        (tmp_path / name).write_text(content, encoding="utf-8")
        return read_table_file(str(tmp_path / name), *arguments, **options)

    return call


def test_csv_rows_have_their_lines_and_all_columns(read, tmp_path):
    table = read('id,text\n7,球队\n8,"新\n车"\n9,股\n')
    path = tmp_path / "in.csv"
    assert (table.format, table.header, table.text_column) == ("csv", ("id", "text"), "text")
    assert table.rows == [
        (f"{path}:2", {"id": "7", "text": "球队"}),
        (f"{path}:3", {"id": "8", "text": "新\n车"}),
        (f"{path}:5", {"id": "9", "text": "股"}),
    ]
    assert table.texts() == ["球队", "新\n车", "股"]


def test_the_first_line_says_tsv_and_the_content_json(read):
    assert read("n\tcontent\n1\t球\n").format == "tsv"
    table = read('{"text": "球", "n": 1}\n{"text": "车", "m": null}\n')
    assert (table.format, table.header) == ("jsonl", ("text", "n", "m"))
    assert [row for _, row in table.rows] == [{"text": "球", "n": 1}, {"text": "车", "m": None}]


def test_a_column_by_its_name_or_its_number(read):
    for asked in ("b", "2"):
        assert read("a,b\n一,二\n", asked).texts() == ["二"]
    with pytest.raises(ConfigError, match="--text_column 3: "):
        read("a,b\n一,二\n", "3")


def test_two_texts(read):
    table = read("n,sentence1,sentence2\n1,一,二\n", pairs=True)
    assert (table.text_column, table.pair_column) == ("sentence1", "sentence2")
    assert table.texts() == [Example("一", text_b="二")]
    table = read("a,b\n一,二\n", text_column="b", pair_column="a", pairs=True)
    assert table.texts() == [Example("二", text_b="一")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,n\n球,1\n \t,2\n", "in.csv:3: empty text under 'text'"),
        ('{"text": "球"}\n{"text": ["车"]}', """in.csv:2: expected a text under 'text', got ["车"]"""),
        (
            '{"text": "球"}\n{"text": "车\\ud83d"}',
            "in.csv:2: the text under 'text' holds half of a surrogate pair, U+D83D at 1",
        ),
        ('{"text": "球"}\n{"n": 1}', "in.csv:2: expected a text under 'text', got null"),
    ],
)
def test_a_row_without_a_text(read, content, said):
    with pytest.raises(DataError) as caught:
        read(content).texts()
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("path", "format_"), [("a.csv", "csv"), ("A.TSV", "tsv"), ("a.b.jsonl", "jsonl"), ("a.json", None), ("a", None)]
)
def test_the_format_of_a_name(path, format_):
    if format_ is None:
        with pytest.raises(ConfigError, match="expected a name that ends with .csv, .tsv or .jsonl"):
            format_of(path)
    else:
        assert format_of(path) == format_


def test_a_column_that_is_there_already():
    table = TableFile("csv", ("text", "label"), [], "text")
    check_new_columns(table, ["score"], "in.csv")
    with pytest.raises(ConfigError, match="in.csv has a column 'label' already"):
        check_new_columns(table, ["score", "label"], "in.csv")


def test_a_folder_or_an_archive_is_no_table(tmp_path):
    for path in (tmp_path, tmp_path / "a.zip"):
        with pytest.raises(ConfigError, match="expected one CSV, TSV or JSON lines file"):
            read_table_file(str(path))


def test_what_is_written_by_hand():
    rows = [{"text": '他说"好"', "tags": ["a", 1], "x": None}, {"text": "一\t二", "n": 0.5}]
    header, expected = ["text", "tags", "x", "n"], {
        "csv": 'text,tags,x,n\n"他说""好""","[""a"", 1]",,\n一\t二,,,0.5\n',
        "tsv": 'text\ttags\tx\tn\n"他说""好"""\t"[""a"", 1]"\t\t\n"一\t二"\t\t\t0.5\n',
        "jsonl": '{"text": "他说\\"好\\"", "tags": ["a", 1], "x": null}\n{"text": "一\\t二", "n": 0.5}\n',
    }  # fmt: skip
    for format_, written in expected.items():
        stream = io.StringIO(newline="")
        write_rows(stream, format_, header, rows)
        assert stream.getvalue() == written


def test_half_a_surrogate_pair_in_another_column():
    """JSON can spell it, and a file of UTF-8 cannot hold it."""
    expected = {"jsonl": '{"n": "\\u7403\\ud83d"}\n', "csv": "n\n球\ufffd\n"}
    for format_, written in expected.items():
        stream = io.StringIO(newline="")
        write_rows(stream, format_, ["n"], [{"n": "球\ud83d"}])
        assert stream.getvalue() == written
