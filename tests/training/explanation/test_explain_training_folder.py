"""prompt-kit explain on a training folder: by gradients, and by leaving out, which an exported folder does alike."""

from __future__ import annotations

import json

import pytest
from tiny import tiny_model

from prompt_kit.cli import main as command
from prompt_kit.errors import CheckpointError
from prompt_kit.training.explanation.integrated_gradients import explain_by_gradients
from prompt_kit.training.explanation.leave_one_out import explain_by_leaving_out
from prompt_kit.training.models.prompt_model import PromptModel

TEXT = "球队比赛冠军"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("run")
    tiny_model(head="soft").save_pretrained(path)
    return path


@pytest.mark.parametrize("method", ["integrated_gradients", "leave_one_out"])
def test_every_character(folder, method, capsys):
    flags = ["explain", "--method", method, "--resume_from_checkpoint", str(folder), "--output_format", "jsonl"]
    command.main([*flags, "--text", TEXT, "汽车"])
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [one["text"] for one in first["characters"]] == list(TEXT) and second["text"] == "汽车"
    model = PromptModel.from_pretrained(folder)
    explain = explain_by_gradients if method == "integrated_gradients" else explain_by_leaving_out
    (wanted,) = explain(model, [TEXT])
    assert first["label"] == wanted.label and first["score"] == pytest.approx(wanted.score, abs=1e-6)
    numbers = [one["log_odds"] for one in first["characters"]]
    assert numbers == pytest.approx([one.log_odds for one in wanted.effects], abs=1e-5) and any(numbers)


def test_a_folder_that_is_no_training_folder(tmp_path):
    with pytest.raises(CheckpointError, match="not a folder that train.py finished"):
        command.main(["explain", "--resume_from_checkpoint", str(tmp_path), "--text", TEXT])
