"""Which files of a data folder a run reads, which it does without, and how examples are drawn."""

from __future__ import annotations

import shutil

import pytest
from refusals import refusal
from runs import names
from train_script import SHORT, read, without

from prompt_kit.errors import (
    DataError,
    PromptKitError,
)
from prompt_kit.training.loop import session


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


def test_a_bad_line_in_the_data(train, tiny_data, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "train.txt").write_text("今天汽车发布\tcar\n手机\tphone\n", encoding="utf-8")
    message = refusal(DataError, train, f"{SHORT} --output_dir {tmp_path / 'out'}", data=data)
    assert "train.txt:2" in message and "phone" in message
    assert not (tmp_path / "out").exists()


def test_without_train_dev_and_texts_nothing_can_be_trained(train, tiny_data, tmp_path):
    data = without(tiny_data, tmp_path, "train.txt", "data.txt")
    assert "train.txt" in refusal(DataError, train, f"--do_train --output_dir {tmp_path / 'out'}", data=data)
    data = without(data, tmp_path / "more", "dev.txt")
    (data / "data.txt").write_text("球队\n", encoding="utf-8")
    message = refusal(DataError, train, f"--do_train --do_eval --output_dir {tmp_path / 'out'}", data=data)
    assert "neither dev.txt nor train.txt" in message
