"""infer.py --input_file: tables in, the same tables with predictions out."""

from __future__ import annotations

import csv
import io
import json

import pytest

pytest.importorskip("onnxruntime")

from toy_bundle import write_toy_bundle  # noqa: E402

from prompt_kit.cli import predict  # noqa: E402
from prompt_kit.errors import ConfigError, DataError, OutputError  # noqa: E402


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_toy_bundle(tmp_path_factory.mktemp("toy") / "bundle")


@pytest.fixture
def run(bundle):
    return lambda *flags: predict.main(["--model_path_prefix", str(bundle), "--device", "cpu", *map(str, flags)])


TABLE = 'id,文本,备注\n007,球队,"好, ""真的"""\n8,"新\n车",\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_csv_keeps_the_other_columns(run, tmp_path, encoding):
    (tmp_path / "in.csv").write_bytes(TABLE.encode(encoding))
    run("--input_file", tmp_path / "in.csv", "--output_file", tmp_path / "out.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_bytes().decode("utf-8"), newline="")))
    assert [list(row.values())[:4] for row in rows] == [
        ["007", "球队", '好, "真的"', "sports"],
        ["8", "新\n车", "", "car"],
    ]
    assert list(rows[0]) == ["id", "文本", "备注", "predicted_label", "predicted_score"]
    assert all(0.3 < float(row["predicted_score"]) <= 1 for row in rows)


def test_jsonl_keeps_values_as_they_are(run, tmp_path, capsys):
    rows = [{"id": 7, "text": "球队", "tags": ["a"], "x": None}, {"text": "股票", "id": 8.5}]
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    run("--input_file", tmp_path / "in.jsonl", "--top_k", 2)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(row.items())[: len(before)] for row, before in zip(found, rows)] == [list(row.items()) for row in rows]
    assert [row["predicted_label"] for row in found] == ["sports", "finance"]
    assert [one["label"] for one in found[1]["predicted_top"]][0] == "finance" and len(found[1]["predicted_top"]) == 2


def test_another_format_by_the_suffix(run, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "车", "tags": ["a", 1]}\n{"text": "球", "n": 1}\n', encoding="utf-8")
    run("--input_file", tmp_path / "in.jsonl", "--output_file", tmp_path / "out.tsv", "--top_k", 2)
    lines = (tmp_path / "out.tsv").read_text("utf-8").splitlines()
    assert lines[0].split("\t") == [
        "text", "tags", "n", "predicted_label", "predicted_score", "predicted_label_2", "predicted_score_2"
    ]  # fmt: skip
    assert lines[1].startswith('车\t"[""a"", 1]"\t\tcar\t0.') and lines[2].startswith("球\t\t1\tsports\t0.")


def test_a_table_is_printed_as_it_came(run, tmp_path, capsys):
    (tmp_path / "in.tsv").write_text("n\tcontent\n1\t球\n", encoding="utf-8")
    run("--input_file", tmp_path / "in.tsv")
    header, row = capsys.readouterr().out.splitlines()
    assert header == "n\tcontent\tpredicted_label\tpredicted_score" and row.startswith("1\t球\tsports\t")
    run("--input_file", tmp_path / "in.tsv", "--output_format", "jsonl", "--text_column", "2")
    assert json.loads(capsys.readouterr().out)["predicted_label"] == "sports"


@pytest.mark.parametrize(
    ("content", "flags", "error", "expected"),
    [
        ("text,n\n球,1\n ,2\n", (), DataError, "in.csv:3: empty text under 'text'"),
        ("text,n\n球\n", (), DataError, "in.csv:2: 1 columns, but the first line has 2"),
        ("text,n\n", (), DataError, "in.csv: there is no row under the first line"),
        ("a,b\n球,1\n", (), DataError, "in.csv:1: which column is the text?"),
        ("a,b\n球,1\n", ("--text_column", "c"), ConfigError, "--text_column c: "),
        ("text,text\n球,1\n", (), DataError, "in.csv:1: two columns are called 'text'"),
        ("text,predicted_label\n球,1\n", (), ConfigError, "has a column 'predicted_label' already"),
        ('{"text": 5}', (), DataError, "in.csv:1: expected a text under 'text', got 5"),
        ("text\n球\n", ("--text", "球"), ConfigError, "--text and --input_file are both given"),
        ("text\n球\n", ("--resume",), ConfigError, "--resume is for lines of text"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(run, tmp_path, content, flags, error, expected):
    (tmp_path / "in.csv").write_text(content, encoding="utf-8")
    with pytest.raises(error) as caught:
        run("--input_file", tmp_path / "in.csv", "--output_file", tmp_path / "out.csv", *flags)
    assert expected in str(caught.value) and "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_files_are_not_overwritten_unasked(run, tmp_path):
    (tmp_path / "in.csv").write_text("text\n球\n", encoding="utf-8")
    for output, expected in (("in.csv", "is the file that is read"), ("out.xml", "ends with .csv, .tsv or .jsonl")):
        with pytest.raises(ConfigError, match=expected):
            run("--input_file", tmp_path / "in.csv", "--output_file", tmp_path / output)
    (tmp_path / "out.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="out.csv is there already; give another, or --overwrite"):
        run("--input_file", tmp_path / "in.csv", "--output_file", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text("utf-8") == "mine"
    run("--input_file", tmp_path / "in.csv", "--output_file", tmp_path / "out.csv", "--overwrite")
    assert (tmp_path / "out.csv").read_text("utf-8").startswith("text,predicted_label,predicted_score\n球,sports,")


@pytest.mark.parametrize("output", ["x" * 300 + ".csv", "file/out.csv"])
def test_an_output_that_cannot_be_written_is_one_line(run, tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match="^--output_file "):
        run("--input_file", "in.csv", "--output_file", output)


def test_an_output_format_that_the_name_contradicts(run, tmp_path):
    (tmp_path / "in.csv").write_text(TABLE, encoding="utf-8")
    with pytest.raises(ConfigError, match="--output_format tsv contradicts --output_file .*, whose name says csv"):
        run("--input_file", tmp_path / "in.csv", "--output_file", tmp_path / "o.csv", "--output_format", "tsv")
    run("--input_file", tmp_path / "in.csv", "--output_file", tmp_path / "o.tsv", "--output_format", "tsv")


@pytest.mark.parametrize("flag", ["text_column", "text_pair_column", "encoding"])
def test_a_flag_of_tables_without_a_table_is_refused(run, flag):
    with pytest.raises(ConfigError, match=f"^--{flag} is for a table; add --input_file PATH"):
        run("--text", "车", f"--{flag}", "评论")


def test_a_text_that_shows_nothing_is_named_with_its_row(run, tmp_path):
    (tmp_path / "in.csv").write_text("text\n车\n\u200b\n", encoding="utf-8")
    with pytest.raises(DataError, match="in.csv:3: empty text under 'text'"):
        run("--input_file", tmp_path / "in.csv")
    with pytest.raises(ConfigError, match="--input_file is given, but empty"):
        run("--input_file", "")
