"""train.py from the outside: what a command reads, writes, says and refuses."""

from __future__ import annotations

import errno
import logging
import os

import pytest
from refusals import refusal
from runs import names
from scripts import run_in_turn
from train_script import QUIET, SHORT, read

from prompt_kit.errors import (
    OutputError,
    PromptKitError,
)
from prompt_kit.training.loop import checkpoint

# -- what a run writes ----------------------------------------------------------------------------------------------


def test_the_files_of_a_run(finished_once):
    assert names(finished_once) == [
        "README.md", "all_results.json", "checkpoint-1", "checkpoint-2", "config.json", "eval_results.json",
        "model.safetensors", "prompt_config.json", "test_bad_cases.tsv", "test_predictions.tsv", "test_results.json",
        "tokenizer.json", "train_results.json", "trainer_state.json",
    ]  # fmt: skip


def test_the_trainers_state_is_saved(finished_once):
    state = read(finished_once / "trainer_state.json")
    assert state["global_step"] == 2
    assert [entry["step"] for entry in state["log_history"] if "eval_accuracy" in entry] == [1, 2]


def test_event_files_by_default(train_main, tiny_folder, tiny_data, tmp_path):
    pytest.importorskip("visualdl")
    train_main(
        f"--device cpu {SHORT} --max_seq_length 32 --output_dir {tmp_path / 'out'} --logging_dir {tmp_path / 'logs'} "
        f"--data_dir {tiny_data} --model_name_or_path {tiny_folder}".split()
    )
    (record,) = (tmp_path / "logs").iterdir()
    assert record.name.startswith("vdlrecords") and b"train/loss" in record.read_bytes()


# -- zero-shot ------------------------------------------------------------------------------------------------------


def test_zero_shot_says_so_and_writes_no_model(train, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="prompt_kit"):
        train(f"--do_eval --do_predict --output_dir {tmp_path / 'zero'}")
    assert caplog.messages[0].startswith("zero-shot")
    assert names(tmp_path / "zero") == [
        "all_results.json", "eval_results.json", "test_bad_cases.tsv", "test_predictions.tsv", "test_results.json",
    ]  # fmt: skip
    assert read(tmp_path / "zero" / "eval_results.json")["mode"] == "zero-shot"


@pytest.mark.parametrize("encoder", ["none", "mlp", "lstm"])
def test_zero_shot_with_two_masks_is_the_pretrained_heads(train, tmp_path, encoder):
    """Whatever head and soft encoder are going to be trained."""
    for name, flags in (
        ("manual", "--verbalizer manual --prompt {'text':'text_a'}{'hard':'主题是'}{'mask'}{'mask'}"),
        (
            "soft",
            f"--verbalizer soft --soft_encoder {encoder} --prompt {{'text':'text_a'}}{{'soft':'主题是'}}{{'mask'}}{{'mask'}}",
        ),
    ):
        train(f"--do_eval {flags} --output_dir {tmp_path / name}")
    manual, soft = (read(tmp_path / name / "eval_results.json") for name in ("manual", "soft"))
    for key in ("eval_accuracy", "eval_macro_f1", "eval_loss"):
        assert soft[key] == pytest.approx(manual[key], abs=1e-5), key


def test_training_after_zero_shot_mixes_no_results(train, tmp_path):
    train(f"--do_eval --output_dir {tmp_path / 'out'}")
    train(f"{SHORT} --output_dir {tmp_path / 'out'}")
    everything = read(tmp_path / "out" / "all_results.json")
    assert everything["mode"] == "prompt" and "eval_accuracy" not in everything


@pytest.mark.parametrize("writer", ["write_arrays", "write_json"])
def test_a_full_disk_is_one_line_and_the_last_checkpoint_is_whole(train, resume, tmp_path, monkeypatch, writer):
    real, calls = getattr(checkpoint, writer), []

    def full(*args, **kwargs):
        calls.append(args)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "x"))
        return real(*args, **kwargs)

    monkeypatch.setattr(checkpoint, writer, full)
    command = f"{SHORT} --do_eval --eval_steps 1 --save_total_limit 0 --verbalizer soft --output_dir {tmp_path / 'out'}"
    message = refusal(OutputError, train, command.replace("--max_steps 2", "--max_steps 5"))
    assert (
        message.startswith(f"--output_dir {tmp_path / 'out'}: No space left on device") and "free some space" in message
    )
    monkeypatch.setattr(checkpoint, writer, real)
    left = names(tmp_path / "out")
    assert left and all(name.startswith("checkpoint-") for name in left)
    resume(f"--do_train --do_eval --eval_steps 1 --max_steps 5 --output_dir {tmp_path / 'out'} "
           f"--resume_from_checkpoint {tmp_path / 'out'}")  # fmt: skip
    assert read(tmp_path / "out" / "trainer_state.json")["global_step"] == 5


# -- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--prompt {'text':'text_a'}{'mask'", ["{'mask'"]),
        ("--prompt {'text':'text_a'}", ["no mask"]),
        ("--max_seq_length 4000", ["4000", "64", "--max_seq_length"]),
        ("--max_seq_length 5", ["5"]),
        ("--max_seq_length 0", ["0"]),
        ("--encoder_hidden_size 0", ["0"]),
        ("--first_max_length -1", ["-1"]),
        ("--fp16", ["--fp16 needs a GPU"]),
    ],
)
def test_settings_that_cannot_be(train, tmp_path, flags, words):
    options = {"length": ""} if "max_seq_length" in flags else {}
    message = refusal(PromptKitError, train, f"{SHORT} {flags} --output_dir {tmp_path / 'out'}", **options)
    assert all(word in message for word in words), message
    assert not (tmp_path / "out").exists()


# -- as a process ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answers(root, tiny_folder, tiny_data, tmp_path_factory):
    """What each command answers, and the folder that they worked in: one process, which does them in this order."""
    model, data = ["--model_name_or_path", tiny_folder], ["--data_dir", tiny_data]
    commands = {
        "no data": [*QUIET.split(), *SHORT.split(), "--data_dir", "absent", *model],
        "a wrong flag": ["--learning_rates", 3],
        "train": [
            *QUIET.split(), *SHORT.split(), "--do_eval", "--eval_steps", 1, "--max_seq_length", 32, "--world_size", 1,
            *model, *data, "--output_dir", "out",
        ],
        "zero-shot": [*QUIET.split(), "--do_eval", "--max_seq_length", 32, *model, *data, "--output_dir", "zero"],
        "help": ["--help"],
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("work")
    return folder, dict(zip(commands, run_in_turn(root / "train.py", list(commands.values()), folder)))


@pytest.mark.slow
def test_a_mistake_is_one_line_and_exit_code_2(answers):
    folder, done = answers[0], answers[1]["no data"]
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("train.py: error: ") and str(folder / "absent") in done.err
    assert names(folder) == ["out", "zero"], "what the other commands write"


@pytest.mark.slow
def test_a_wrong_flag_is_one_line_and_exit_code_2(answers):
    done = answers[1]["a wrong flag"]
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "--learning_rates" in done.err


@pytest.mark.slow
def test_a_run_says_what_it_does_on_stderr(answers):
    done = answers[1]["train"]
    assert (done.code, done.out) == (0, ""), done.err
    lines = done.err.splitlines()
    assert lines[0].startswith("ignored") and "--world_size" in lines[0]
    assert lines[1].startswith("language model: ")
    assert [line for line in lines if "step 1:" in line and "dev accuracy" in line]
    assert any(line.startswith("train: ") for line in lines) and any(line.startswith("eval: ") for line in lines)
    assert lines[2].startswith("template: ") and "step 0:" in lines[4]
    assert lines[3].startswith("texts that are in train.txt too: 8 of dev.txt")
    assert len(lines) == 9, done.err  # no warnings, no bars, nothing twice


@pytest.mark.slow
def test_zero_shot_is_the_first_line(answers):
    done = answers[1]["zero-shot"]
    assert done.code == 0 and done.err.startswith("zero-shot"), done.err


@pytest.mark.slow
def test_help(answers):
    done = answers[1]["help"]
    assert (done.code, done.err) == (0, "")
    assert "examples:" in done.out and "--prompt" in done.out
