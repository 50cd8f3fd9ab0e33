"""A training folder as an export reads it: its model, and the scores of its results files."""

from __future__ import annotations

import json

import pytest

from prompt_kit.errors import CheckpointError
from prompt_kit.training.export.exporter import export_checkpoint
from prompt_kit.training.export.training_folder import read_metrics, read_results


def test_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="no such folder"):
        export_checkpoint(tmp_path / "none", tmp_path / "export")
    (tmp_path / "run" / "checkpoint-5").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="checkpoint-5"):
        export_checkpoint(tmp_path / "run", tmp_path / "export")


def test_metrics_are_for_information_only(tmp_path):
    (tmp_path / "all_results.json").write_text("{", encoding="utf-8")
    assert read_metrics(tmp_path) == {}


def test_scores_are_what_is_recorded(tmp_path):
    """eval_results.json is newer than all_results.json where both are there."""
    first = {"eval_accuracy": 0.25, "eval_macro_f1": 0.5, "eval_loss": 2.0, "seed": 7, "test_accuracy": "x"}
    (tmp_path / "all_results.json").write_text(json.dumps(first), encoding="utf-8")
    assert read_metrics(tmp_path) == {"eval_accuracy": 0.25, "eval_macro_f1": 0.5}
    (tmp_path / "eval_results.json").write_text(json.dumps({"eval_accuracy": 0.75}), encoding="utf-8")
    assert read_metrics(tmp_path)["eval_accuracy"] == 0.75
    assert read_results(tmp_path) == {**first, "eval_accuracy": 0.75}
    assert read_results(tmp_path / "absent") == {}
