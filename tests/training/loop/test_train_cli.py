"""train.py from the outside: what a command reads, writes, says and refuses."""

from __future__ import annotations

import csv
import errno
import json
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from other_process import owner_of
from runs import contents, names, same, saved_weights
from scripts import load_script, run_in_turn
from tiny import EXAMPLES, LABELS

from prompt_kit.data.dataset import read_examples
from prompt_kit.errors import (
    BundleError,
    CheckpointError,
    ConfigError,
    DataError,
    DependencyError,
    OutputError,
    PromptKitError,
)
from prompt_kit.training.export import exporter
from prompt_kit.training.loop import checkpoint, session
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.versions import __version__

SHORT = "--do_train --max_steps 2 --logging_steps 1 --per_device_train_batch_size 8 --learning_rate 1e-3"
QUIET = "--device cpu --report_to none"


@pytest.fixture(scope="module")
def main():
    return load_script("train").main


@pytest.fixture
def train(main, tiny_folder, tiny_data):
    """Run train.py's main on the tiny model and data."""

    def call(flags: str, model=tiny_folder, data=tiny_data, length: str = "--max_seq_length 32"):
        argv = f"{QUIET} {flags} {length}".split() + (["--data_dir", str(data)] if data else [])
        main(argv + (["--model_name_or_path", str(model)] if model else []))

    return call


@pytest.fixture
def resume(train):
    """The same without naming a model."""
    return lambda flags, **options: train(flags, model=None, length="", **options)


@pytest.fixture(scope="module")
def finished_once(main, tiny_folder, tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    main(
        f"{QUIET} {SHORT} --do_eval --do_predict --eval_steps 1 --save_steps 1 --save_total_limit 5 --seed 7 --verbalizer soft "
        f"--max_seq_length 32 --output_dir {folder} --data_dir {tiny_data} --model_name_or_path {tiny_folder}".split()
    )
    return folder


@pytest.fixture
def finished(finished_once, tmp_path):
    """The folder of a finished run, to change at will."""
    return Path(shutil.copytree(finished_once, tmp_path / "finished"))


def read(path) -> dict:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def refusal(error, call, *args, **options) -> str:
    with pytest.raises(error) as caught:
        call(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# -- what a run writes ----------------------------------------------------------------------------------------------


def test_the_files_of_a_run(finished_once):
    assert names(finished_once) == [
        "README.md", "all_results.json", "checkpoint-1", "checkpoint-2", "config.json", "eval_results.json",
        "model.safetensors", "prompt_config.json", "test_bad_cases.tsv", "test_predictions.tsv", "test_results.json",
        "tokenizer.json", "train_results.json", "trainer_state.json",
    ]  # fmt: skip


def test_the_results_say_what_the_run_was(finished_once, tiny_folder):
    everything = read(finished_once / "all_results.json")
    for split in ("train", "eval", "test"):
        results = read(finished_once / f"{split}_results.json")
        assert (results["mode"], results["seed"], results["base_model"]) == ("prompt", 7, str(tiny_folder))
        assert results["template"].startswith("{'mask'}{'mask'}{'soft': '新闻：'")
        assert results["versions"]["prompt-kit"] == __version__ and "paddlepaddle" in results["versions"]
        assert len(results["data"]) >= 16
        assert all(everything[key] == value for key, value in results.items())
    assert {"train_loss", "eval_accuracy", "eval_macro_f1", "eval_loss", "test_accuracy", "test_samples"} <= (
        everything.keys()
    )
    assert everything["test_samples"] == 5


def test_the_trainers_state_is_saved(finished_once):
    state = read(finished_once / "trainer_state.json")
    assert state["global_step"] == 2
    assert [entry["step"] for entry in state["log_history"] if "eval_accuracy" in entry] == [1, 2]


def test_predictions(finished_once):
    with open(finished_once / "test_predictions.tsv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter="\t")
    assert header == ["text", "label", "probability", "gold"]
    assert [(row[0], row[3]) for row in rows] == [(example.text_a, example.label) for example in EXAMPLES[:5]]
    assert {row[1] for row in rows} <= {"car", "sports", "finance"}
    assert all(1 / 3 <= float(row[2]) <= 1 for row in rows)
    accuracy = np.mean([row[1] == row[3] for row in rows])
    assert read(finished_once / "test_results.json")["test_accuracy"] == pytest.approx(accuracy)


def test_predictions_of_unlabelled_texts(resume, finished, tiny_data, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "test.txt").write_text('今天"汽车"发布\n球队比赛\n', encoding="utf-8")
    resume(f"--do_predict --resume_from_checkpoint {finished} --output_dir {tmp_path / 'out'}", data=data)
    with open(tmp_path / "out" / "test_predictions.tsv", encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file, delimiter="\t")
    assert [(row[0], row[3]) for row in rows] == [('今天"汽车"发布', ""), ("球队比赛", "")]
    results = read(tmp_path / "out" / "test_results.json")
    assert results["test_samples"] == 2 and "test_accuracy" not in results


def test_event_files_by_default(main, tiny_folder, tiny_data, tmp_path):
    pytest.importorskip("visualdl")
    main(
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


@pytest.mark.parametrize("step", ["--do_eval", "--do_predict", "--do_eval --overwrite_output_dir"])
def test_zero_shot_refuses_the_folder_of_a_trained_model(train, finished, step):
    before = read(finished / "all_results.json")
    message = refusal(ConfigError, train, f"{step} --output_dir {finished}")
    assert str(finished) in message and "zero-shot" in message and "--resume_from_checkpoint" in message
    assert read(finished / "all_results.json") == before


def test_training_after_zero_shot_mixes_no_results(train, tmp_path):
    train(f"--do_eval --output_dir {tmp_path / 'out'}")
    train(f"{SHORT} --output_dir {tmp_path / 'out'}")
    everything = read(tmp_path / "out" / "all_results.json")
    assert everything["mode"] == "prompt" and "eval_accuracy" not in everything


# -- folders that hold a run already --------------------------------------------------------------------------------


def test_a_finished_folder_is_not_trained_into(train, finished):
    before = contents(finished)
    message = refusal(ConfigError, train, f"{SHORT} --output_dir {finished}")
    assert "--overwrite_output_dir" in message and "finished" in message and "--resume_from_checkpoint" in message
    assert contents(finished) == before


def test_an_unfinished_folder_is_not_trained_into(train, finished):
    (finished / "prompt_config.json").unlink()
    before = contents(finished)
    assert "unfinished" in refusal(ConfigError, train, f"{SHORT} --output_dir {finished}")
    assert contents(finished) == before


def test_overwriting_clears_all_of_the_old_run(train, finished):
    (finished / "export").mkdir()
    (finished / "report").mkdir()
    (finished / "report" / "report.html").write_text("of the old run", encoding="utf-8")
    (finished / "mine.txt").write_text("not train.py's", encoding="utf-8")
    train(f"{SHORT} --overwrite_output_dir --output_dir {finished}")
    assert names(finished) == [
        "README.md", "all_results.json", "config.json", "mine.txt", "model.safetensors", "prompt_config.json",
        "tokenizer.json", "train_results.json", "trainer_state.json",
    ]  # fmt: skip
    everything = read(finished / "all_results.json")
    assert everything["seed"] == 42 and "eval_accuracy" not in everything and "test_accuracy" not in everything


def test_a_mistake_overwrites_nothing(train, finished, tmp_path):
    before = contents(finished)
    for flags, options in (
        ("--gradient_accumulation_steps 100", {}),
        ("--freeze_plm --verbalizer manual --prompt {'text':'text_a'}{'mask'}", {}),
        ("", dict(data=tmp_path / "absent")),
        ("", dict(model=tmp_path / "absent")),
    ):
        refusal(PromptKitError, train, f"{SHORT} {flags} --overwrite_output_dir --output_dir {finished}", **options)
        assert contents(finished) == before


def test_another_runs_folder_is_not_written_to(train, resume, finished, finished_once):
    before = contents(finished)
    for flags in ("--do_predict", "--do_train --max_steps 3"):
        message = refusal(
            ConfigError, resume, f"{flags} --resume_from_checkpoint {finished_once} --output_dir {finished}"
        )
        assert "another run" in message and str(finished_once) in message and str(finished) in message
        assert contents(finished) == before


def test_two_processes_do_not_work_in_one_folder(train, resume, finished, tmp_path):
    """The second is told before it loads anything, and touches nothing; when the first is killed, the folder is free."""
    before = names(finished)
    with owner_of(finished) as process:
        for flags in (
            f"{SHORT} --overwrite_output_dir",
            "--do_eval",
            f"--do_train --resume_from_checkpoint {finished}",
        ):
            message = refusal(ConfigError, train, f"{flags} --output_dir {finished}", model="never looked at")
            assert "another process is writing" in message and str(finished) in message
        assert names(finished) == before
        process.kill()
        process.wait()
        resume(f"--do_eval --output_dir {finished} --resume_from_checkpoint {finished}")
    with owner_of(tmp_path / "out"):
        assert "another process" in refusal(ConfigError, train, f"{SHORT} --output_dir {tmp_path / 'out'}")
    assert names(tmp_path / "out") == []


def test_what_killed_runs_left_is_gone_at_the_next_start(resume, finished):
    state = finished / "checkpoint-2" / "trainer_state.json"
    (finished / ".old-checkpoint-2-abcdefgh").mkdir()
    (finished / "checkpoint-2").rename(finished / ".old-checkpoint-2-abcdefgh" / "checkpoint-2")  # between two renames
    for place in (".staging-checkpoint-3-abcdefgh", ".staging-abcdefgh", "checkpoint-1/.staging-abcdefgh"):
        (finished / place).mkdir()
        (finished / place / "model.safetensors").write_bytes(b"half")
    (finished / ".staging-all_results.json-abcdefgh").write_text("{", encoding="utf-8")
    resume(f"--do_eval --output_dir {finished} --resume_from_checkpoint {finished}")
    left = [path.relative_to(finished) for path in finished.rglob(".*")]
    assert left == [] and read(state)["global_step"] == 2


@pytest.mark.parametrize(
    ("steps", "name", "kind"),
    [
        (SHORT, "model.safetensors", "folder"),
        (SHORT, "all_results.json", "folder"),
        ("--do_eval", "eval_results.json", "folder"),
        ("--do_predict", "test_predictions.tsv", "folder"),
        (SHORT, "checkpoint-2", "file"),
        (SHORT, "generation-0", "file"),
        ("--do_train --do_export", "export", "file"),
    ],
)
def test_an_output_whose_place_is_taken_is_told_before_the_work(train, tmp_path, steps, name, kind):
    place = tmp_path / "out" / name
    place.mkdir(parents=True) if kind == "folder" else (
        place.parent.mkdir(),
        place.write_text("mine", encoding="utf-8"),
    )
    message = refusal(PromptKitError, train, f"{steps} --output_dir {tmp_path / 'out'}", model="never looked at")
    assert f"{place} is a {kind}" in message and names(tmp_path / "out") == [name]


@pytest.mark.parametrize("flags", ["", " --overwrite_output_dir"])
def test_foreign_files_in_the_exports_folder_are_told_before_the_work(train, tmp_path, flags):
    (tmp_path / "out" / "export").mkdir(parents=True)
    (tmp_path / "out" / "export" / "thesis.doc").write_text("mine", encoding="utf-8")
    command = f"{SHORT} --do_export{flags} --output_dir {tmp_path / 'out'}"
    message = refusal(BundleError, train, command, model="never looked at")
    assert str(tmp_path / "out" / "export") in message and "thesis.doc" in message
    assert names(tmp_path / "out") == ["export"]


def test_overwriting_deletes_no_foreign_export_folder(train, finished):
    (finished / "export").mkdir()
    (finished / "export" / "thesis.doc").write_text("mine", encoding="utf-8")
    train(f"{SHORT} --overwrite_output_dir --output_dir {finished}")
    assert names(finished / "export") == ["thesis.doc"]


def test_a_package_that_the_export_lacks_is_told_before_the_work(train, tmp_path, monkeypatch):
    def lacks(module):
        raise DependencyError(f"{module} is not installed")

    monkeypatch.setattr(exporter, "require", lacks)
    command = f"{SHORT} --do_export --output_dir {tmp_path / 'out'}"
    assert "paddle2onnx is not installed" in refusal(DependencyError, train, command, model="never looked at")
    assert not (tmp_path / "out").exists()


def test_a_place_for_the_logs_that_is_a_file(train, tmp_path):
    (tmp_path / "log").write_text("mine", encoding="utf-8")
    command = f"{SHORT} --report_to visualdl --logging_dir {tmp_path / 'log'} --output_dir {tmp_path / 'out'}"
    message = refusal(ConfigError, train, command, model="never looked at")
    assert message.startswith("--logging_dir") and "is a file" in message


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


# -- going on from a checkpoint -------------------------------------------------------------------------------------


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


# -- what is read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "needed"),
    [
        (SHORT, ["train.txt", "label.txt"]),
        ("--do_eval", ["dev.txt", "label.txt"]),
        ("--do_predict", ["test.txt", "label.txt"]),
    ],
)
def test_only_the_files_that_are_needed_are_read(train, tiny_data, tmp_path, steps, needed):
    data = tmp_path / "data"
    data.mkdir()
    for name in needed:
        shutil.copy(tiny_data / name, data / name)
    train(f"{steps} --output_dir {tmp_path / 'out'}", data=data)
    for name in needed:
        shutil.move(data / name, tmp_path / name)
        message = refusal(
            PromptKitError, train, f"{steps} --output_dir {tmp_path / 'fails'}", data=data, model="never looked at"
        )
        assert str(data / name) in message
        shutil.move(tmp_path / name, data / name)
    assert not (tmp_path / "fails").exists()


def test_a_trained_model_needs_no_label_file(resume, finished, tiny_data, tmp_path):
    (tmp_path / "data").mkdir()
    shutil.copy(tiny_data / "test.txt", tmp_path / "data" / "test.txt")
    resume(f"--do_predict --resume_from_checkpoint {finished} --output_dir {tmp_path / 'out'}", data=tmp_path / "data")
    assert read(tmp_path / "out" / "test_results.json")["test_samples"] == 5
    predictions = [(folder / "test_predictions.tsv").read_text("utf-8") for folder in (tmp_path / "out", finished)]
    assert predictions[0] == predictions[1]


# -- a few examples a class -----------------------------------------------------------------------------------------


def test_num_shots_draws_the_same_examples_for_the_same_seed(train, tmp_path, monkeypatch):
    seen = []

    class Spy(session.PromptTrainer):
        def __init__(self, model, args, train_dataset=None, eval_dataset=None):
            seen.append((train_dataset, eval_dataset))
            super().__init__(model, args, train_dataset, eval_dataset)

    monkeypatch.setattr(session, "PromptTrainer", Spy)
    for run, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(f"{SHORT} --do_eval --num_shots 2 --seed {seed} --output_dir {tmp_path / run}")
    drawn = [[(one.text_a, one.label) for one in examples] for examples, _ in seen]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sorted(label for _, label in drawn[0]) == ["car"] * 2 + ["finance"] * 2 + ["sports"] * 2
    assert [len(dev) for _, dev in seen] == [8, 8, 8], "the dev set stays whole"
    assert read(tmp_path / "a" / "all_results.json")["num_shots"] == 2
    assert "num_shots" not in read(tmp_path / "a" / "prompt_config.json")


def test_evaluating_later_keeps_the_number_of_shots(train, resume, tmp_path):
    train(f"{SHORT} --num_shots 1 --output_dir {tmp_path / 'run'}")
    resume(f"--do_predict --resume_from_checkpoint {tmp_path / 'run'} --output_dir {tmp_path / 'run'}")
    everything = read(tmp_path / "run" / "all_results.json")
    assert everything["num_shots"] == 1 and "test_accuracy" in everything


def test_too_few_examples_for_the_shots(train, tmp_path):
    message = refusal(DataError, train, f"{SHORT} --num_shots 5 --output_dir {tmp_path / 'out'}")
    assert all(word in message for word in ("train.txt", "--num_shots", "sports (4)", "fewer shots")), message
    assert not (tmp_path / "out").exists()


# -- mistakes -------------------------------------------------------------------------------------------------------


def test_nothing_to_do(train, tmp_path):
    message = refusal(ConfigError, train, f"--output_dir {tmp_path / 'out'}")
    assert all(step in message for step in ("--do_train", "--do_eval", "--do_predict", "--do_export"))
    assert not (tmp_path / "out").exists()


def test_a_missing_data_folder_is_shown_in_full(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for steps in (SHORT, "--do_eval"):
        message = refusal(DataError, train, f"{steps} --output_dir out", data="no/such/folder")
        assert str(tmp_path / "no/such/folder") in message
    assert names(tmp_path) == []


def test_a_missing_data_folder_with_a_trained_model(resume, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = refusal(
        DataError, resume, f"--do_eval --resume_from_checkpoint {finished} --output_dir {finished}", data="no/such"
    )
    assert str(tmp_path / "no/such") in message


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_an_output_folder_that_is_a_file(train, tmp_path, place):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    message = refusal(ConfigError, train, f"--do_eval --output_dir {tmp_path / place}")
    assert str(tmp_path / "file") in message and "is a file" in message
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


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


def test_a_bad_line_in_the_data(train, tiny_data, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "train.txt").write_text("今天汽车发布\tcar\n手机\tphone\n", encoding="utf-8")
    message = refusal(DataError, train, f"{SHORT} --output_dir {tmp_path / 'out'}", data=data)
    assert "train.txt:2" in message and "phone" in message
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


# -- without dev.txt, without train.txt -------------------------------------------------------------------------------


def without(data, tmp_path, *names):
    folder = shutil.copytree(data, tmp_path / "some")
    for name in names:
        (folder / name).unlink()
    return folder


def test_without_dev_the_score_is_by_leave_one_out(train, tiny_data, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="prompt_kit")
    data = without(tiny_data, tmp_path, "dev.txt")
    train(f"--do_train --do_eval --do_predict --output_dir {tmp_path / 'out'}", data=data)
    found = read(tmp_path / "out" / "eval_results.json")
    assert found["eval_by"] == "leave-one-out on train.txt"
    assert 0 <= found["eval_interval"][0] <= found["eval_accuracy"] <= found["eval_interval"][1] <= 1
    rows = read_examples(data / "train.txt", LABELS.labels)
    assert any(message.startswith(f"leave-one-out on the {len(rows)} examples") for message in caplog.messages)
    model = PromptModel.from_pretrained(tmp_path / "out")
    labels = np.array([model.verbalizer.label_to_id[row.label] for row in rows])
    model._texts = model.mask_states(model.encode_texts((data / "data.txt").read_text("utf-8").split()))
    scores = model.leave_one_out(model.prompt_tokenizer.encode_many(rows), labels)
    assert (scores.argmax(axis=1) == labels).mean() == pytest.approx(found["eval_accuracy"])


def test_label_words_and_texts_alone_make_a_classifier(train, tiny_data, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="prompt_kit")
    data = without(tiny_data, tmp_path, "train.txt")
    train(f"--do_train --do_eval --do_predict --output_dir {tmp_path / 'out'}", data=data)
    assert any(message.startswith("no train.txt: the label words and 8 texts") for message in caplog.messages)
    assert {"eval_accuracy", "test_accuracy"} <= read(tmp_path / "out" / "all_results.json").keys()
    assert PromptModel.from_pretrained(tmp_path / "out").config.head == "cosine"


def test_without_train_dev_and_texts_nothing_can_be_trained(train, tiny_data, tmp_path):
    data = without(tiny_data, tmp_path, "train.txt", "data.txt")
    assert "train.txt" in refusal(DataError, train, f"--do_train --output_dir {tmp_path / 'out'}", data=data)
    data = without(data, tmp_path / "more", "dev.txt")
    (data / "data.txt").write_text("球队\n", encoding="utf-8")
    message = refusal(DataError, train, f"--do_train --do_eval --output_dir {tmp_path / 'out'}", data=data)
    assert "neither dev.txt nor train.txt" in message
