"""prompt-kit import: what it writes is what train.py reads, and a mistake writes nothing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import zipfile

import pytest
from refusals import refusal

from prompt_kit.cli import main as command
from prompt_kit.data.dataset import Example, read_dataset
from prompt_kit.data.line_format import LineFormat
from prompt_kit.errors import ConfigError, DataError, PromptKitError
from prompt_kit.prompt.verbalizer import Verbalizer

LABELS = ("体育", "汽车", "财经")


def run(*words):
    command.main(["import", *map(str, words)])


def dataset(folder):
    return read_dataset(folder, Verbalizer.from_file(folder / "label.txt"), optional=("train", "dev", "test", "data"))


def rows(count):
    return [(f"标题{number}号，含逗号", LABELS[number % 3]) for number in range(count)]


def message(tmp_path, *words, error=DataError):
    before = sorted(tmp_path.rglob("*"))
    said = refusal(error, run, *words)
    assert sorted(tmp_path.rglob("*")) == before, "nothing half-written"
    return said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_a_table_becomes_a_folder(tmp_path, capsys, encoding):
    source = tmp_path / "table.csv"
    text = "文本,标签\r\n" + "".join(f'"{text}",{label}\r\n' for text, label in rows(60)) + '"没有标签的",\r\n'
    source.write_bytes(text.encode(encoding))
    run("csv", source, "--output_dir", tmp_path / "new" / "out", "--split", "0.5/0.3/0.2", "--seed", 7)
    shown = capsys.readouterr()
    out = tmp_path / "new" / "out"
    assert shown.out == f"{out}: label.txt 3, train.txt 30, dev.txt 18, test.txt 12, data.txt 1 (lines)\n"
    told = {"gbk": "GB18030", "utf-16": "UTF-16"}.get(encoding)
    assert shown.err == (f"prompt-kit import: {source} read as {told}\n" if told else "")
    data = dataset(out)
    assert sorted(one.text_a for part in (data.train, data.dev, data.test) for one in part) == sorted(
        t for t, _ in rows(60)
    )
    assert {(one.text_a, one.label) for one in data.test} <= set(rows(60))
    assert [sum(one.label == label for one in data.train) for label in LABELS] == [10, 10, 10]
    assert data.unlabelled == ["没有标签的"]


def test_a_doccano_archive(tmp_path, capsys):
    source = tmp_path / "export.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for member, label in (("amy", "体育"), ("bob", "体育"), ("cen", "汽车")):
            lines = [{"id": 1, "text": "甲", "label": [label]}, {"id": 2, "text": "乙\n丙", "label": ["汽车"]}]
            archive.writestr(f"{member}.jsonl", "\n".join(json.dumps(one) for one in lines))
    run("doccano", source, "--output_dir", tmp_path / "out", "--split", "1")
    assert capsys.readouterr().err == (
        "prompt-kit import: texts decided by the majority: 1; further records of a text, counted as votes: 4; "
        "texts whose tabs or line breaks are now spaces: 3\n"
    )
    assert dataset(tmp_path / "out").train == [Example("甲", "体育"), Example("乙 丙", "汽车")]


def test_labels_that_look_like_codes_get_a_hint(tmp_path, capsys):
    source = tmp_path / "t.csv"
    source.write_text("text,label\n甲,news_car\n乙,news_edu\n", encoding="utf-8")
    run("csv", source, "--output_dir", tmp_path / "out", "--split", "1")
    assert (
        "give 'news_car' and the like words that a sentence would have, as in news_car==汽车" in capsys.readouterr().err
    )


def test_a_label_file_is_kept(tmp_path, capsys):
    labels = tmp_path / "label.txt"
    labels.write_text("car==汽车\nedu==教育,学校\nart==艺术\n", encoding="utf-8")
    source = tmp_path / "t.csv"
    source.write_text("text,label\n甲,edu\n乙,car\n", encoding="utf-8")
    run("csv", source, "--output_dir", tmp_path / "out", "--label_file", labels)
    assert (tmp_path / "out" / "label.txt").read_bytes() == labels.read_bytes()
    assert capsys.readouterr().err.startswith("prompt-kit import: no dev.txt: 0.1 of 2 texts is none")
    source.write_text("text,label\n甲,edu\n乙,cat\n", encoding="utf-8")
    found = message(tmp_path, "csv", source, "--output_dir", tmp_path / "two", "--label_file", labels)
    assert found == f"{source}:3: label 'cat' is not in {labels}; add it there, or mend the export"


def test_fewclue(tmp_path, capsys):
    source = tmp_path / "tnews"
    source.mkdir()
    for name, text in (("train_1", "甲"), ("dev_1", "乙"), ("test_public", "丙")):
        line = json.dumps({"label_desc": "news_edu", "label": "108", "sentence": text})
        (source / f"{name}.json").write_text(line + "\n", encoding="utf-8")
    run("fewclue", source, "--output_dir", tmp_path / "out", "--fewclue_split", "1")
    assert dataset(tmp_path / "out").dev == [Example("乙", "news_edu")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text,label\n甲,体育\n乙\n", "{}:3: 1 columns, but the first line has 2"),
        ("text,label\n甲,体育\n乙,体育\n", "the labels found ('体育') make no label.txt: "),
        ("text,label\n甲,\n", "{}: no labelled text (no label in any record); label some"),
        ("text,label\n甲,a==b\n乙,c\n", "{}:2: label 'a==b' holds '=='"),
        ("x,y\n甲,体育\n", "{}:1: which column is the text?"),
        ("", "{}: the file is empty"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(tmp_path, content, expected):
    source = tmp_path / "t.csv"
    source.write_text(content, encoding="utf-8")
    assert message(tmp_path, "csv", source, "--output_dir", tmp_path / "out").startswith(expected.format(source))


def test_a_format_has_help_of_its_own(capsys):
    with pytest.raises(SystemExit):
        run("csv", "--help")
    shown = capsys.readouterr().out
    assert shown.startswith("usage: prompt-kit import csv ") and "--no_quotes" in shown and "--sheet" not in shown


def test_an_output_folder_in_use_is_told_before_anything_is_read(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").touch()
    found = message(tmp_path, "csv", tmp_path / "no.csv", "--output_dir", tmp_path / "out", error=ConfigError)
    assert "is not empty (thesis.docx)" in found
    words = ("csv", tmp_path / "no.csv", "--output_dir", tmp_path / "out", "--overwrite")
    assert "holds files that are not ours" in message(tmp_path, *words, error=ConfigError)


def test_whatever_is_in_the_texts_the_folder_is_read_back(tmp_path):
    """Random texts of the characters that end lines and columns, quote, or mean something to a reader."""
    draw = random.Random(0)
    alphabet = "甲乙a ,\t\n\r\"'#=\u2028\x85\x0b\x0c\x1c\u200b\ufeff\u3000\ud83d😀\\{}[]|"
    for round_ in range(60):
        tasks = [
            {
                "text": "".join(draw.choices(alphabet, k=draw.randrange(8))),
                "label": draw.choices(LABELS, k=draw.randrange(3)),
            }
            for _ in range(30)
        ]
        source = tmp_path / "t.jsonl"
        source.write_text("\n".join(json.dumps(one) for one in tasks), encoding="utf-8")
        out = tmp_path / f"out{round_}"
        try:
            run("doccano", source, "--output_dir", out, "--split", "0.6/0.4")
        except PromptKitError:
            continue  # fewer than two labels
        data = dataset(out)
        texts = [one.text_a for part in (data.train, data.dev) for one in part or ()] + (data.unlabelled or [])
        assert len(set(texts)) == len(texts)
        assert {one.label for one in data.train} <= set(LABELS)


def test_as_a_program_without_paddle(root, tmp_path):
    code = (
        "import sys; sys.modules.update(paddle=None, paddlenlp=None, onnxruntime=None, pandas=None)\n"
        "from prompt_kit.cli.main import console\nconsole()"
    )
    source = tmp_path / "t.csv"
    source.write_text("text,label\n甲,体育\n乙,汽车\n丙\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", code, "import", "csv", "t.csv", "--output_dir", "out"], cwd=tmp_path, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(root)}, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: t.csv:4: 1 columns, but the first line has 2" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_several_labels_of_a_row_become_several_labels_of_a_line(tmp_path):
    source = tmp_path / "table.csv"
    rows = ["甲,体育", '乙,"体育,娱乐"', "丙,娱乐，财经", "丁,财经", "戊,", '己,"体育, 体育"']
    source.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    run("csv", source, "--output_dir", tmp_path / "out", "--split", "1", "--task_type", "multi-label")
    out = tmp_path / "out"
    assert (out / "label.txt").read_text(encoding="utf-8").split() == ["体育", "娱乐", "财经"]
    data = read_dataset(
        out,
        Verbalizer.from_file(out / "label.txt"),
        optional=("train", "dev", "test", "data"),
        line_format=LineFormat(several=True),
    )
    assert data.train == [
        Example("甲", ("体育",)),
        Example("乙", ("体育", "娱乐")),
        Example("丙", ("娱乐", "财经")),
        Example("丁", ("财经",)),
        Example("己", ("体育",)),
    ]
    assert data.unlabelled == ["戊"]


def test_several_labels_each_have_their_share_of_the_files(tmp_path):
    source = tmp_path / "all.jsonl"
    tasks = [
        {"text": f"标题{number}", "label": ["体育"] + ["娱乐"] * (number % 2) + ["财经"] * (number % 10 == 0)}
        for number in range(100)
    ]
    source.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in tasks), encoding="utf-8")
    run("doccano", source, "--output_dir", tmp_path / "out", "--task_type", "multi-label")
    lines = {
        name: (tmp_path / "out" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        for name in ("train", "dev", "test")
    }
    assert {name: sum("财经" in line for line in found) for name, found in lines.items()} == {
        "train": 8,
        "dev": 1,
        "test": 1,
    }
    assert {name: sum("娱乐" in line for line in found) for name, found in lines.items()} == {
        "train": 40,
        "dev": 5,
        "test": 5,
    }


def test_a_label_with_a_comma_is_no_label_of_several(tmp_path):
    source = tmp_path / "all.jsonl"
    source.write_text(json.dumps({"text": "甲", "label": ["体育,娱乐", "财经"]}, ensure_ascii=False), encoding="utf-8")
    told = message(tmp_path, "doccano", source, "--output_dir", tmp_path / "out", "--task_type", "multi-label")
    assert told == f"{source}:1: label '体育,娱乐' holds a comma, which separates the labels of a text; rename it"


TABLE = "text,label\n" + "".join(f"标题{number},{LABELS[number % 3]}\n" for number in range(30))


def test_an_empty_folder_and_the_working_directory_stay_what_they_are(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(out)
    inode = out.stat().st_ino
    run("csv", tmp_path / "t.csv", "--output_dir", ".")
    assert os.path.exists("label.txt"), "whoever stands in the folder sees what was written"
    run("csv", tmp_path / "t.csv", "--output_dir", ".", "--overwrite", "--split", "1")
    assert sorted(os.listdir(".")) == ["label.txt", "train.txt"] and out.stat().st_ino == inode


@pytest.mark.parametrize("name", ["", "x" * 300])
def test_names_that_no_folder_can_have(tmp_path, monkeypatch, name):
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert "--output_dir" in message(tmp_path, "csv", "t.csv", "--output_dir", name, error=ConfigError)


def test_a_zero_width_space_behind_a_label_makes_no_other_label(tmp_path):
    (tmp_path / "t.csv").write_text("text,label\n甲,体育\u200b\n乙,体育\n丙,汽车\n", encoding="utf-8")
    run("csv", tmp_path / "t.csv", "--output_dir", tmp_path / "out", "--split", "1")
    assert (tmp_path / "out" / "label.txt").read_text(encoding="utf-8") == "体育\n汽车\n"


@pytest.mark.parametrize(
    "task",
    [
        {"text": {"a": "x" * 9000}, "label": ["b"]},
        {"text": "x", "label": [{"label": {"q": "y" * 9000}}]},
        {"text": "x", "label": ["y" * 9000 + "=="]},
    ],
)
def test_a_message_is_short_however_long_the_value(tmp_path, task):
    source = tmp_path / "d.jsonl"
    source.write_text(json.dumps(task) + '\n{"text": "z", "label": ["b"]}\n', encoding="utf-8")
    assert len(message(tmp_path, "doccano", source, "--output_dir", tmp_path / "out")) < 500


def test_pairs_of_texts_become_a_folder_that_is_read_as_pairs(tmp_path, capsys):
    source = tmp_path / "pairs.csv"
    given = [(f"第{number}问", f"第{number}问，换个说法", "01"[number % 2]) for number in range(40)]
    lines = [",".join(row) for row in given]
    source.write_text("\n".join(["sentence1,sentence2,label", *lines, "没有,标签,"]) + "\n", encoding="utf-8")
    flags = ("--text_pair_column", "sentence2", "--split", "0.5/0.3/0.2", "--seed", 3)
    run("csv", source, "--output_dir", tmp_path / "out", *flags)
    run("csv", source, "--output_dir", tmp_path / "again", *flags)
    assert "train.txt 20, dev.txt 12, test.txt 8, data.txt 1 (lines)" in capsys.readouterr().out
    data = read_dataset(
        tmp_path / "out", Verbalizer.from_file(tmp_path / "out" / "label.txt"), line_format=LineFormat(pairs=True)
    )
    found = [(one.text_a, one.text_b, one.label) for part in (data.train, data.dev, data.test) for one in part]
    assert sorted(found) == sorted(given)
    assert sum(one.label == "0" for one in data.train) == 10
    assert data.unlabelled == [Example("没有", text_b="标签")]
    for name in ("train.txt", "dev.txt", "test.txt", "data.txt", "label.txt"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
