"""prompt-kit explain: the label, and the characters that speak for it."""

from __future__ import annotations

import json

import pytest
from toy_bundle import write_toy_bundle

pytest.importorskip("onnxruntime")

from prompt_kit.cli import main as command
from prompt_kit.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    folder = write_toy_bundle(tmp_path_factory.mktemp("bundle") / "export")
    return ["explain", "--model_path_prefix", str(folder), "--device", "cpu", "--num_threads", "1"]


def test_text(flags, capsys):
    command.main([*flags, "--text", "球 新队", "新"])
    captured = capsys.readouterr()
    assert captured.err == ""
    assert (
        captured.out
        == "sports\t0.9094\t球 新队\n\t球 +2.00  队 +1.00\nsports\t0.3333\t新\n\t(no character speaks for it)\n"
    )


def test_jsonl_has_every_character(flags, capsys):
    command.main([*flags, "--text", "球车", "--label", "sports", "--output_format", "jsonl", "--top_k", "1"])
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["text"], found["label"], found["is_cut"]) == ("球车", "sports", False)
    assert [one["text"] for one in found["characters"]] == ["球", "车"] and [one["text"] for one in found["top"]] == [
        "球"
    ]
    assert found["characters"][1]["log_odds"] < 0 < found["characters"][0]["log_odds"]


def test_data_dir(flags, capsys, tmp_path):
    (tmp_path / "data.txt").write_text("球\n车\n", encoding="utf-8")
    command.main([*flags, "--data_dir", str(tmp_path)])
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == ["sports", "", "car", ""]


def test_mistakes_are_errors(flags, tmp_path):
    with pytest.raises(ConfigError, match="no label 'news'"):
        command.main([*flags, "--text", "球", "--label", "news"])
    with pytest.raises(DataError, match="no such file"):
        command.main([*flags, "--data_dir", str(tmp_path)])


def test_flags_of_exported_folders_are_not_for_training_folders():
    for extra in (["--precision", "int8"], ["--model_path_prefix", "export"]):
        with pytest.raises(ConfigError, match=f"{extra[0]} is for exported folders"):
            command.main(["explain", "--method", "integrated_gradients", "--text", "球", *extra])
