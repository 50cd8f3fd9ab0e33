"""Curves of a run's trainer_state.json."""

import json

import pytest

from prompt_kit.errors import CheckpointError
from prompt_kit.report.curves import Curves, curves_of, read_curves

LOG = [
    {"step": 0, "eval_loss": 1.5, "eval_accuracy": 0.25},
    {"step": 4, "loss": 1.25, "learning_rate": 1e-3},
    {"step": 4, "eval_loss": 1.0, "eval_accuracy": 0.5},
    {"step": 8, "loss": 1.0},
    {"step": 8, "train_loss": 1.1},
]


def test_lines():
    found = curves_of(LOG)
    assert found == Curves(((4, 1.25), (8, 1.0)), ((0, 1.5), (4, 1.0)), ((0, 0.25), (4, 0.5)))
    assert found and not Curves() and not curves_of(LOG[:1]), "one point is no curve"


def test_reading(tmp_path):
    assert read_curves(tmp_path) is None
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"log_history": LOG}), encoding="utf-8")
    assert read_curves(tmp_path) == curves_of(LOG)
    for damaged in ("{", "[]", "null", '{"log_history": 3}', '{"log_history": [{"step": 1, "loss": "x"}]}'):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(CheckpointError, match="trainer_state.json is damaged"):
            read_curves(tmp_path)
