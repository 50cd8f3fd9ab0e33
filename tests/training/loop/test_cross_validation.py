"""Without dev.txt: folds, the epoch that they choose, and a run of train.py that trains so long."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from runs import arguments, same, weights
from scripts import load_script
from tiny import EXAMPLES, LABELS, tiny_finetune, tiny_model

from prompt_kit.data.dataset import read_examples
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.metrics import wilson_interval
from prompt_kit.training.loop import cross_validation, steps
from prompt_kit.training.loop.cross_validation import best_evaluation, cross_validate, deal, number_of_folds
from prompt_kit.training.loop.trainer import PromptTrainer

FOUR = [example for example in EXAMPLES for _ in range(2)]


def test_every_fold_has_its_share_of_every_label():
    labels = ["a"] * 8 + ["b"] * 4 + ["c"] * 5
    folds = deal(labels, 4, seed=1)
    for fold in range(4):
        held_out = [label for label, one in zip(labels, folds) if one == fold]
        assert held_out.count("a") == 2 and held_out.count("b") == 1 and held_out.count("c") in (1, 2)
    assert (folds == deal(labels, 4, seed=1)).all() and (folds != deal(labels, 4, seed=2)).any()


def test_the_evaluation_with_most_right_answers_wins():
    assert best_evaluation([[3, 5, 4], [2, 2, 3]]) == (1, 7)  # 5 7 7: of equal ones the earliest
    assert best_evaluation([[3, 1, 9, 9], [2, 2]]) == (0, 5)  # the second fold stopped early
    assert best_evaluation([[0], [0]]) == (0, 0)


def test_how_many_folds(tmp_path):
    args = arguments(tmp_path)
    assert number_of_folds(args, EXAMPLES, True, tmp_path) == 0
    assert number_of_folds(args, EXAMPLES, False, tmp_path) == 2  # of sports there are two
    assert number_of_folds(args, FOUR, False, tmp_path) == 4
    with pytest.raises(DataError, match=r"dev\.txt: no such file, and .*single example of the label sports"):
        number_of_folds(args, [EXAMPLES[0], EXAMPLES[3], EXAMPLES[1]], False, tmp_path)
    assert number_of_folds(arguments(tmp_path, cross_validation=3), EXAMPLES, True, tmp_path) == 3


@pytest.mark.parametrize("kind", ["finetune", "cosine"])
def test_each_example_is_judged_by_a_model_that_has_not_seen_it(kind, tmp_path, monkeypatch):
    """The folds' trainers, watched: together they hold every example out once, and the model itself stays as it is."""
    seen = []

    class Watched(PromptTrainer):
        def __init__(self, model, args, train, dev):
            super().__init__(model, args, train, dev)
            seen.append((model, [one.text_a for one in train], [one.text_a for one in dev], self))

    monkeypatch.setattr(cross_validation, "PromptTrainer", Watched)
    model = tiny_finetune() if kind == "finetune" else tiny_model(head="cosine")
    if kind == "cosine":
        model.start_from_texts(["球队今天比赛", "新车发布"])
    before = weights(model)
    args = arguments(tmp_path, num_train_epochs=3, early_stopping_patience=5)
    found = cross_validate(model, args, FOUR, 2)
    assert same(weights(model), before) and found.folds == 2 and found.examples == len(FOUR)
    assert sorted(seen[0][2] + seen[1][2]) == sorted(one.text_a for one in FOUR)
    for _, train, dev, _ in seen:
        assert len(train) + len(dev) == len(FOUR)
    counts = []
    for one, _, _, run in seen:
        counts.append(
            [round(entry["eval_accuracy"] * 8) for entry in run.state.log_history if "eval_accuracy" in entry]
        )
        assert len(counts[-1]) == (4 if kind == "cosine" else 3)  # before the first step, and after each epoch
        if kind == "cosine":
            np.testing.assert_array_equal(one._texts, model._texts)
    totals = np.sum(counts, axis=0)
    assert found.right == totals.max()
    assert found.epochs == totals.argmax() + (kind == "finetune")
    assert found.metrics["eval_interval"] == list(wilson_interval(found.right, 16))
    assert not list(Path(tmp_path).glob("**/model.safetensors"))


def test_a_run_of_given_length_is_only_judged(tmp_path):
    found = cross_validate(tiny_finetune(), arguments(tmp_path, num_train_epochs=1), FOUR, 2)
    assert found.epochs is None and 0 <= found.right <= 16


def test_too_many_folds(tmp_path):
    with pytest.raises(ConfigError, match=r"--cross_validation 3: the label sports has only 2 of the 8 examples"):
        cross_validate(tiny_finetune(), arguments(tmp_path), EXAMPLES, 3)


# -- train.py ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def train(tiny_folder, tiny_data, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "dev.txt").unlink()
    main = load_script("train").main

    def call(flags: str):
        main(
            f"--device cpu --report_to none --do_train --do_eval --max_seq_length 32 --learning_rate 1e-3 {flags} "
            f"--data_dir {data} --output_dir {tmp_path / 'out'} --model_name_or_path {tiny_folder}".split()
        )
        return json.loads((tmp_path / "out" / "all_results.json").read_text("utf-8"))

    call.data = data
    return call


def test_without_dev_another_head_is_cross_validated(train, tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO, logger="prompt_kit")
    asked = []
    real = steps.StopAfter
    monkeypatch.setattr(steps, "StopAfter", lambda epochs: asked.append(epochs) or real(epochs))
    found = train("--method finetune --cross_validation 2")
    rows = read_examples(train.data / "train.txt", LABELS.labels)
    assert found["eval_by"] == "2-fold cross-validation on train.txt" and found["eval_samples"] == len(rows)
    assert found["eval_interval"][0] <= found["eval_accuracy"] <= found["eval_interval"][1]
    state = json.loads((tmp_path / "out" / "trainer_state.json").read_text("utf-8"))
    assert asked and round(state["epoch"]) == asked[0]
    assert any(f"training on all {len(rows)} examples for {asked[0]} epochs" in line for line in caplog.messages)
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_a_cosine_head_is_cross_validated_if_asked(train):
    assert train("--cross_validation 2")["eval_by"] == "2-fold cross-validation on train.txt"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--cross_validation 1", "--cross_validation must be 2 to 100"),
        ("--augment 1", "texts of train.txt are held out, whose variants would be trained on"),
    ],
)
def test_refused(train, flags, message):
    with pytest.raises(ConfigError, match=message):
        train(flags)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            "--num_shots 1 --method finetune",
            r"--num_shots 1 draws 1 of each label .* give --num_shots 2 or more, or a dev",
        ),
        ("--num_shots 2 --cross_validation 3", r"--num_shots 2 draws 2 of each label .* give --num_shots 3 or more"),
    ],
)
def test_too_few_shots_for_the_folds(train, flags, message):
    """train.txt has enough examples: it is --num_shots that leaves too few."""
    with pytest.raises(ConfigError, match=message):
        train(flags)


def test_with_a_dev_there_is_nothing_to_validate(train):
    shutil.copy(train.data / "train.txt", train.data / "dev.txt")
    with pytest.raises(ConfigError, match="--cross_validation 2 is for .* without a dev"):
        train("--cross_validation 2")
