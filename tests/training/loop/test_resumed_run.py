"""Going on from a checkpoint: its model and settings win, and what contradicts them is an error with both values."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from refusals import refusal
from runs import names, same, saved_weights
from train_script import SHORT, read

from prompt_kit.errors import (
    CheckpointError,
    PromptKitError,
)


@pytest.mark.parametrize("where", ["beside", "elsewhere"])
@pytest.mark.parametrize("what", ["", "checkpoint-1"])
def test_evaluating_a_trained_model(resume, finished, tmp_path, where, what):
    state = read(finished / "trainer_state.json")
    weights = saved_weights(finished)
    output = finished if where == "beside" else tmp_path / "out"
    resume(f"--do_eval --do_predict --resume_from_checkpoint {finished / what} --output_dir {output}")
    results = read(output / "eval_results.json")
    logged = {entry["step"]: entry for entry in state["log_history"] if "eval_loss" in entry}
    best = int(Path(state["best_model_checkpoint"]).name.split("-")[1])
    expected = logged[1 if what else best]
    assert results["eval_loss"] == pytest.approx(expected["eval_loss"], abs=1e-6)
    assert results["eval_accuracy"] == expected["eval_accuracy"] and results["mode"] == "prompt"
    if where == "elsewhere":
        assert names(output) == [
            "all_results.json", "eval_results.json", "test_bad_cases.tsv", "test_predictions.tsv", "test_results.json",
        ]  # fmt: skip
    else:
        assert all(np.array_equal(weights[name], array) for name, array in saved_weights(finished).items())


def test_training_on(resume, finished):
    """The steps go on, with the dev scores so far; the same command line as before is no contradiction."""

    def evaluations():
        return [entry for entry in read(finished / "trainer_state.json")["log_history"] if "eval_accuracy" in entry]

    before, last = evaluations(), saved_weights(finished / "checkpoint-2")
    resume(
        "--do_train --do_eval --max_steps 4 --eval_steps 1 --logging_steps 1 --per_device_train_batch_size 8 "
        f"--learning_rate 1e-3 --seed 7 --output_dir {finished} --resume_from_checkpoint {finished}"
    )
    assert read(finished / "trainer_state.json")["global_step"] == 4
    assert [entry["step"] for entry in evaluations()][:4] == [1, 2, 3, 4] and evaluations()[:2] == before
    assert names(finished).count("checkpoint-4") == 1
    assert not same(saved_weights(finished / "checkpoint-4"), last)


def test_the_first_commands_flags_can_be_repeated(train, finished, tiny_folder, tiny_data):
    results = finished / "eval_results.json"
    first = read(results)
    results.unlink()
    train(
        "--do_eval --prompt {'mask'}{'mask'}{'soft':'新闻：'}{'text':'text_a'} "
        "--soft_encoder lstm --encoder_hidden_size 200 --verbalizer soft "
        f"--truncate_mode tail --output_dir {finished} --resume_from_checkpoint {finished}"
    )
    assert read(results)["eval_accuracy"] == first["eval_accuracy"]
    assert read(results)["eval_loss"] == pytest.approx(first["eval_loss"], abs=1e-6)


@pytest.mark.parametrize(
    "flags",
    [
        "--prompt {'text':'text_a'}这条{'mask'} --soft_encoder lstm --encoder_hidden_size 100",
        "--soft_encoder none --encoder_hidden_size 100",
        "--prompt {'text':'text_a'}{'soft':'这条','encoder':'mlp'}{'soft'}{'mask'}",
    ],
)
def test_flags_without_effect_can_be_repeated_too(train, tmp_path, flags):
    train(f"{SHORT} {flags} --output_dir {tmp_path / 'out'}")
    trained, template = saved_weights(tmp_path / "out"), read(tmp_path / "out" / "all_results.json")["template"]
    train(f"--do_eval {flags} --output_dir {tmp_path / 'out'} --resume_from_checkpoint {tmp_path / 'out'}")
    results = read(tmp_path / "out" / "eval_results.json")
    assert (results["mode"], results["template"]) == ("prompt", template)
    assert same(saved_weights(tmp_path / "out"), trained)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--prompt {'text':'text_a'}是{'mask'}", ["--prompt", "'是'", "{'soft': '新闻：'"]),
        ("--prompt 主题", ["--prompt 主题", "{'soft': '新闻：'"]),
        ("--max_seq_length 48", ["--max_seq_length 48", "32"]),
        ("--soft_encoder mlp", ["--soft_encoder mlp", "lstm"]),
        ("--soft_encoder None", ["--soft_encoder none", "lstm"]),
        ("--encoder_hidden_size 64", ["--encoder_hidden_size 64", "200"]),
        ("--verbalizer manual", ["--verbalizer manual", "soft"]),
        ("--truncate_mode head", ["--truncate_mode head", "tail"]),
        ("--first_max_length 9", ["--first_max_length 9", "None"]),
        ("--model_name_or_path ernie-3.0-base-zh", ["--model_name_or_path ernie-3.0-base-zh", "ernie-tiny"]),
    ],
)
@pytest.mark.parametrize("step", ["--do_eval", "--do_train --max_steps 3"])
def test_contradictions_show_both_values(resume, finished, flags, words, step):
    before = names(finished)
    message = refusal(
        CheckpointError, resume, f"{step} {flags} --output_dir {finished} --resume_from_checkpoint {finished}"
    )
    words = [word.strip("'") for word in words]
    assert all(word in message for word in [*words, str(finished), "drop"]), message
    assert names(finished) == before


@pytest.mark.parametrize(
    "lines",
    [
        "sports==体育\ncar==汽车\nfinance==财经\n",
        "car==汽车\nsports==体育\nfinance==股票\n",
        "car==汽车\nsports==体育\n",
    ],
)
def test_other_labels_are_a_contradiction(resume, finished, tiny_data, tmp_path, lines):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "label.txt").write_text(lines, encoding="utf-8")
    message = refusal(
        CheckpointError, resume, f"--do_eval --output_dir {finished} --resume_from_checkpoint {finished}", data=data
    )
    first = lines.splitlines()[0]
    assert str(data / "label.txt") in message and first in message and "finance==财经" in message


def test_a_folder_to_resume_from_that_is_none(resume, tmp_path, tiny_data):
    for flags in ("--do_eval", "--do_train"):
        message = refusal(
            PromptKitError,
            resume,
            f"{flags} --resume_from_checkpoint {tmp_path / 'no'} --output_dir {tmp_path / 'out'}",
        )
        assert str(tmp_path / "no") in message
    assert not (tmp_path / "out").exists()


def test_a_trained_model_needs_no_label_file(resume, finished, tiny_data, tmp_path):
    (tmp_path / "data").mkdir()
    shutil.copy(tiny_data / "test.txt", tmp_path / "data" / "test.txt")
    resume(f"--do_predict --resume_from_checkpoint {finished} --output_dir {tmp_path / 'out'}", data=tmp_path / "data")
    assert read(tmp_path / "out" / "test_results.json")["test_samples"] == 5
    predictions = [(folder / "test_predictions.tsv").read_text("utf-8") for folder in (tmp_path / "out", finished)]
    assert predictions[0] == predictions[1]
