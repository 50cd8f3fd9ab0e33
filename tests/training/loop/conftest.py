"""Fixtures of the tests that train the tiny model, by train.py or by a trainer."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from train_script import QUIET, SHORT

from prompt_kit.prompt import task as task_module


@pytest.fixture
def in_empty_folder(tmp_path, monkeypatch):
    """Relative paths are below `tmp_path`."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def finished_once(train_main, tiny_folder, tiny_data, tmp_path_factory):
    """The folder of a finished run. Read only: a test that changes it works on `finished`."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    train_main(
        f"{QUIET} {SHORT} --do_eval --do_predict --eval_steps 1 --save_steps 1 --save_total_limit 5 --seed 7 --verbalizer soft "
        f"--max_seq_length 32 --output_dir {folder} --data_dir {tiny_data} --model_name_or_path {tiny_folder}".split()
    )
    return folder


@pytest.fixture
def finished(finished_once, tmp_path):
    """The folder of a finished run, to change at will."""
    return Path(shutil.copytree(finished_once, tmp_path / "finished"))


@pytest.fixture
def scripted(monkeypatch):
    """Make the accuracies of the coming evaluations those that are given."""

    def script(scores: Sequence[float]):
        coming = iter(scores)
        monkeypatch.setattr(task_module, "accuracy_and_f1", lambda *_: {"accuracy": next(coming, 0.0), "macro_f1": 0.0})

    return script
