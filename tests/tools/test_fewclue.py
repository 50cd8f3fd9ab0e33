"""tools/fewclue.py on small made-up JSON lines."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from refusals import refusal
from scripts import load_script

from prompt_kit.data.dataset import Example, read_dataset
from prompt_kit.data.line_format import LineFormat
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.prompt.verbalizer import Verbalizer


@pytest.fixture(scope="module")
def tool():
    return load_script("tools/fewclue")


def write(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def row(sentence, name="news_edu", code=108):
    return {"label": code, "label_desc": name, "sentence": sentence, "keywords": "", "id": 1}


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "tnews"
    folder.mkdir()
    write(folder / "train_0.json", row("甲"), row("乙", "news_car", 107))
    write(folder / "train_few_all.json", row("全"))
    write(folder / "dev_0.json", {"label": "116", "sentence": "丙"})
    write(folder / "dev_few_all.json", {"label": "news_game", "sentence": "部"})
    write(folder / "test_public.json", row("丁"))
    write(folder / "test.json", {"id": "0", "sentence": "戊"})
    write(folder / "unlabeled.json", {"sentence": "己\t庚\r\n辛\u2028壬", "keywords": "", "id": 2})
    return folder


def convert(tool, source, output, *flags):
    return tool.main(["--input_dir", str(source), "--output_dir", str(output), *flags])


def message(tool, source, output, *flags, error=DataError):
    said = refusal(error, convert, tool, source, output, *flags)
    assert not list(output.parent.glob(".*"))  # nothing half-written stays behind
    return said


def test_conversion_is_readable_by_our_reader(tool, source, tmp_path, capsys):
    output = tmp_path / "new" / "out"
    assert convert(tool, source, output) == 0
    assert capsys.readouterr().out == (
        f"{output}: label.txt 15, train.txt 2, dev.txt 1, test.txt 1, data.txt 1 (lines)\n"
    )
    verbalizer = Verbalizer.from_file(output / "label.txt")
    dataset = read_dataset(output, verbalizer)
    assert dataset.train == [Example("甲", "news_edu"), Example("乙", "news_car")]
    assert dataset.dev == [Example("丙", "news_game")]
    assert dataset.test == [Example("丁", "news_edu")]
    assert dataset.unlabelled == ["己 庚 辛\u2028壬"]
    assert not list(output.parent.glob(".*"))


def test_label_words_are_those_of_the_sample_data(tool, source, tmp_path, root):
    convert(tool, source, tmp_path / "out")
    ours = (root / "data" / "tnews" / "label.txt").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "label.txt").read_text(encoding="utf-8") == ours


def test_every_code_of_tnews_has_a_label(tool):
    assert sorted(tool.TNEWS_CODES.values()) == sorted(tool.TNEWS_WORDS)


def test_another_split(tool, source, tmp_path):
    convert(tool, source, tmp_path / "out", "--split", "few_all")
    assert (tmp_path / "out" / "train.txt").read_text(encoding="utf-8") == "全\tnews_edu\n"
    assert (tmp_path / "out" / "dev.txt").read_text(encoding="utf-8") == "部\tnews_game\n"


def test_unlabelled_test_file_where_there_is_no_public_one(tool, source, tmp_path):
    (source / "test_public.json").unlink()
    (source / "unlabeled.json").unlink()
    convert(tool, source, tmp_path / "out")
    assert (tmp_path / "out" / "test.txt").read_text(encoding="utf-8") == "戊\n"
    assert not (tmp_path / "out" / "data.txt").exists()


def test_half_an_emoji_does_not_stop_it(tool, source, tmp_path):
    (source / "unlabeled.json").write_text('{"sentence": "题\\ud83d"}\n', encoding="utf-8")
    convert(tool, source, tmp_path / "out")
    assert (tmp_path / "out" / "data.txt").read_text(encoding="utf-8") == "题?\n"


def test_line_that_is_not_json(tool, source, tmp_path):
    path = source / "dev_0.json"
    path.write_text('{"sentence": "甲", "label_desc": "news_edu"}\n{"sentence": \n', encoding="utf-8")
    found = message(tool, source, tmp_path / "out")
    assert found.startswith(f"{path}:2: not JSON (Expecting value at column ") and found.endswith("; download it again")
    assert not (tmp_path / "out").exists()


def test_other_tasks_of_fewclue_are_refused(tool, source, tmp_path):
    path = source / "train_0.json"
    write(path, {"content": "论文", "label": "园艺学"})
    assert message(tool, source, tmp_path / "out") == (
        f"{path}:1: expected a tnews line with \"sentence\", got keys 'content', 'label'; "
        "only tnews, bustm and ocnli are supported, not FewCLUE's other tasks"
    )
    write(path, [1])
    assert f'{path}:1: expected a tnews line with "sentence", got [1];' in message(tool, source, tmp_path / "out")
    write(path, {"sentence": "好吃", "label": "Positive"})
    found = message(tool, source, tmp_path / "out")
    assert found.startswith(f"{path}:1: label 'Positive', expected one of the 15 of tnews (news_tech, ")
    assert found.endswith("only tnews, bustm and ocnli are supported, not FewCLUE's other tasks")


def test_pairs_of_bustm_and_ocnli(tool, tmp_path):
    """Objects as FewCLUE's files have them; ocnli's have keys that are passed over."""
    for task, label, words in (
        ("bustm", "1", "0==不同\n1==相同\n"),
        ("ocnli", "neutral", "entailment==一致\nneutral==无关\ncontradiction==矛盾\n"),
    ):
        source = tmp_path / task
        source.mkdir()
        pair = {
            "level": "easy",
            "sentence1": "帮我\t放歌",
            "sentence2": "放首歌",
            "label": label,
            "label0": None,
            "id": 3,
        }
        write(source / "train_0.json", pair)
        write(source / "dev_0.json", {**pair, "sentence2": "来首歌"})
        write(source / "test.json", {"sentence1": "甲", "sentence2": "乙", "id": 0})
        output = tmp_path / f"{task}_out"
        assert convert(tool, source, output) == 0
        assert (output / "label.txt").read_text(encoding="utf-8") == words
        data = read_dataset(output, Verbalizer.from_file(output / "label.txt"), line_format=LineFormat(pairs=True))
        assert data.train == [Example("帮我 放歌", label, "放首歌")]
        assert data.dev == [Example("帮我 放歌", label, "来首歌")]
        assert data.test == [Example("甲", None, "乙")]
        write(source / "dev_0.json", {**pair, "label": "-"})
        found = message(tool, source, tmp_path / "no")
        assert found.startswith(
            f"{source / 'dev_0.json'}:1: label '-', expected one of the {words.count('==')} of {task} ("
        )
        write(source / "dev_0.json", {"sentence1": "甲", "label": label})
        assert f'{source / "dev_0.json"}:1: expected a {task} line with "sentence2", got' in message(
            tool, source, tmp_path / "no"
        )


def test_labelled_file_without_label(tool, source, tmp_path):
    write(source / "train_0.json", {"sentence": "甲"})
    assert message(tool, source, tmp_path / "out").startswith(f"{source / 'train_0.json'}:1: no label, expected one of")


def test_empty_sentence(tool, source, tmp_path):
    write(source / "train_0.json", row("甲"), row("\t"))
    assert message(tool, source, tmp_path / "out") == (
        f'{source / "train_0.json"}:2: empty "sentence"; delete the line'
    )


def test_missing_input(tool, source, tmp_path):
    assert message(tool, tmp_path / "no", tmp_path / "out") == (
        f"{tmp_path / 'no'}: no such folder: {tmp_path / 'no'}; clone github.com/CLUEbenchmark/FewCLUE first"
    )
    found = message(tool, source, tmp_path / "out", "--split", "3")
    assert found.startswith(f"{source / 'train_3.json'}: no such file: ")


def test_overwrite_is_asked_for_and_replaces_everything(tool, source, tmp_path):
    output = tmp_path / "out"
    convert(tool, source, output)
    found = message(tool, source, output, error=ConfigError)
    assert found.startswith(f"--output_dir {output} is not empty (data.txt, dev.txt,")
    assert found.endswith("use another or --overwrite")
    (source / "unlabeled.json").unlink()
    convert(tool, source, output, "--overwrite")
    assert sorted(path.name for path in output.iterdir()) == ["dev.txt", "label.txt", "test.txt", "train.txt"]
    assert not list(tmp_path.glob(".*"))


def test_overwrite_never_removes_what_is_not_ours(tool, source, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "thesis.docx").write_text("x", encoding="utf-8")
    assert message(tool, source, output, "--overwrite", error=ConfigError) == (
        f"--output_dir {output} holds files that are not ours (thesis.docx); use another"
    )
    assert [path.name for path in output.iterdir()] == ["thesis.docx"]


def test_a_failure_while_writing_leaves_the_old_folder(tool, source, tmp_path, monkeypatch):
    output = tmp_path / "out"
    convert(tool, source, output)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    written = tool.Path.write_bytes

    def fail(path, content):
        if path.name == "dev.txt":
            raise OSError(28, "No space left on device")
        return written(path, content)

    monkeypatch.setattr(tool.Path, "write_bytes", fail)
    found = message(tool, source, output, "--overwrite", error=ConfigError)
    assert found == f"--output_dir {output} cannot be written (No space left on device); use another"
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before


def test_output_that_is_a_file(tool, source, tmp_path):
    output = tmp_path / "out"
    output.write_text("x", encoding="utf-8")
    assert message(tool, source, output, error=ConfigError) == f"--output_dir {output} is a file, expected a folder"


def test_as_a_script_without_installation(root, source, tmp_path):
    command = [sys.executable, str(root / "tools" / "fewclue.py"), "--input_dir", str(source)]
    done = subprocess.run(
        [*command, "--output_dir", str(tmp_path / "out")], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [*command, "--output_dir", str(tmp_path / "out")], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.startswith("fewclue.py: error: --output_dir ")
    assert done.stderr.count("\n") == 1
