"""export.py: one line on stderr, one line and exit 2 for a mistake, and a folder that infer.py takes."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from scripts import load_script, run_in_turn
from tiny import HARD, tiny_model

from prompt_kit import disk
from prompt_kit.errors import CheckpointError, ConfigError, OutputError
from prompt_kit.inference.bundle import read_bundle

export = load_script("export")
infer = load_script("infer")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A finished training folder ./checkpoints with a checkpoint-2 in it."""
    monkeypatch.chdir(tmp_path)
    tiny_model(HARD).save_pretrained(tmp_path / "checkpoints")
    tiny_model(HARD, seed=1).save_pretrained(tmp_path / "checkpoints" / "checkpoint-2")
    return tmp_path / "checkpoints"


def test_defaults_go_from_training_folder_to_labels(run, capsys):
    export.main([])
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert "checkpoints/export" in said.err and "model_fp16.onnx" in said.err
    infer.main(["--text", "球队比赛", "--device", "cpu"])
    assert capsys.readouterr().out.strip() in read_bundle(run / "export").labels


def test_checkpoint_n_is_exported_beside_itself_or_where_asked(run, capsys):
    export.main(["--resume_from_checkpoint", "checkpoints/checkpoint-2", "--no_fp16"])
    assert list(read_bundle(run / "checkpoint-2" / "export").models) == ["fp32"]
    export.main(["--resume_from_checkpoint", "checkpoints/checkpoint-2", "--no_fp16", "--output_dir", "shipped"])
    assert read_bundle("shipped").labels == ("car", "sports", "finance")
    capsys.readouterr()
    export.main(["--model_path_prefix", "shipped/model"])  # the same folder, now with fp16
    assert list(read_bundle("shipped").models) == ["fp32", "fp16"]
    assert "shipped" in capsys.readouterr().err


def test_int8(run, tiny_data, capsys):
    export.main(["--int8", "--data_dir", str(tiny_data), "--force", "--no_fp16"])
    assert list(read_bundle(run / "export").models) == ["fp32", "int8"]
    said = capsys.readouterr().err
    assert "model_int8.onnx gives" in said and "of 8 texts the same label" in said and said.count("\n") == 1
    infer.main(["--text", "球队比赛", "--device", "cpu", "--precision", "int8"])
    assert capsys.readouterr().out.strip() in read_bundle(run / "export").labels
    export.main(["--model_path_prefix", "checkpoints/export/model"])  # without --int8 it goes again
    assert not (run / "export" / "model_int8.onnx").exists()


def test_too_little_space_is_told_before_anything_is_written(run, tmp_path, monkeypatch):
    """Paddle would end the process without a word."""
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(OutputError, match=r"shipped: its disk has 0\.0 MB free, but 3\.\d MB are to be written"):
        export.main(["--output_dir", "shipped"])
    assert os.listdir(tmp_path) == ["checkpoints"]


@pytest.mark.parametrize("name", ["output_dir", "resume_from_checkpoint", "model_path_prefix"])
def test_an_empty_path_names_nothing(name):
    with pytest.raises(ConfigError, match=f"--{name} '' names nothing"):
        export.main([f"--{name}", ""])


def test_mistakes(run, tmp_path):
    with pytest.raises(CheckpointError, match="no such folder"):
        export.main(["--resume_from_checkpoint", str(tmp_path / "none")])
    assert not (tmp_path / "none").exists()
    with pytest.raises(ConfigError, match="give one of them"):
        export.main(["--resume_from_checkpoint", "checkpoints", "--model_path_prefix", "checkpoints/export/model"])
    for arguments, says in (
        (["--int8"], "--int8 needs texts"),
        (["--check", "bf16"], "--check bf16 needs texts"),
        (["--data_dir", "data/tnews"], "--data_dir is for --int8"),
        (["--force"], "--force is for --int8"),
        (["--triton_name", "news"], "--triton_name news is for --triton; add --triton FOLDER"),
    ):
        with pytest.raises(ConfigError, match=says):
            export.main(arguments)


def test_help_does_not_import_paddle(root, tmp_path):
    code = (
        "import runpy, sys; sys.modules.update(paddle=None, paddlenlp=None); sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", code, str(root / "export.py"), "--help"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"") and b"--resume_from_checkpoint" in done.stdout


@pytest.mark.slow
def test_as_a_program(root, run, tmp_path):
    done, refused = run_in_turn(root / "export.py", [[], ["--resume_from_checkpoint", "none"]], tmp_path)
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("export.py: wrote") and done.err.count("\n") == 1
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("export.py: error: no such folder") and refused.err.count("\n") == 1
