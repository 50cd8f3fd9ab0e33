"""Checkpoints can be trusted, and a resumed run is the same run."""

from __future__ import annotations

import shutil

import numpy as np
import paddle
import pytest
from paddlenlp.trainer import TrainerCallback
from runs import names, same, saved_weights, trainer, weights
from tiny import tiny_model

from prompt_kit.errors import CheckpointError
from prompt_kit.training.loop import resumable
from prompt_kit.training.loop.checkpoint import last_checkpoint


class Killed(BaseException):
    """What no handler catches."""


class KilledAt(TrainerCallback):
    """Ends training in the middle of a step."""

    def __init__(self, step):
        self.step = step

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise Killed


def test_a_kill_costs_no_more_than_the_steps_since_the_last_evaluation(tmp_path, scripted):
    """Evaluations are at steps 2, 4, 6; that of step 2 is the best."""
    scripted([0.9, 0.1, 0.2, 0.3])
    trainer(tmp_path / "whole", num_train_epochs=4, load_best_model_at_end=False).train()
    scripted([0.9, 0.1, 0.2])
    run = trainer(tmp_path / "run", callbacks=[KilledAt(7)], num_train_epochs=4, save_total_limit=1)
    with pytest.raises(Killed):
        run.train()
    assert names(tmp_path / "run") == ["checkpoint-2", "checkpoint-6"]
    scripted([0.3])
    resumed = trainer(tmp_path / "run", num_train_epochs=4, save_total_limit=1)
    resumed.train(str(last_checkpoint(tmp_path / "run")))
    assert names(tmp_path / "run") == ["checkpoint-2", "checkpoint-8"]
    assert same(weights(resumed.model), saved_weights(tmp_path / "whole" / "checkpoint-2"))
    assert same(saved_weights(tmp_path / "run" / "checkpoint-8"), saved_weights(tmp_path / "whole" / "checkpoint-8"))


def test_where_writing_takes_long_only_the_best_and_the_last_are_written(tmp_path, scripted, monkeypatch):
    monkeypatch.setattr(resumable, "_CHEAP", -1.0)
    monkeypatch.setattr(resumable, "_SHARE", 1e9)
    scripted([0.5, 0.1, 0.9, 0.2, 0.3])
    trainer(tmp_path, num_train_epochs=5).train()
    assert names(tmp_path) == ["checkpoint-10", "checkpoint-2", "checkpoint-6"]
    trainer(tmp_path / "asked", num_train_epochs=3, do_eval=False, save_strategy="epoch").train()
    assert names(tmp_path / "asked") == ["checkpoint-2", "checkpoint-4", "checkpoint-6"]


RUNS = {
    "dropout": dict(max_steps=5),
    "accumulation": dict(per_device_train_batch_size=2, gradient_accumulation_steps=2, max_steps=5),
    "r-drop, rgl, cosine": dict(use_rdrop=True, use_rgl=True, max_steps=5, lr_scheduler_type="cosine", warmup_steps=2),
    "epochs": dict(num_train_epochs=2.5),
    "frozen": dict(max_steps=4, freeze_plm=True),
    "averaged": dict(max_steps=5, ema_decay=0.9),
}


@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS)
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(tmp_path, options):
    options = dict(save_strategy="steps", save_steps=1, load_best_model_at_end=False, **options)
    whole = trainer(tmp_path / "whole", **options)
    whole.train()
    steps = whole.state.global_step
    assert steps >= 4
    for start in range(1, steps):  # in the middle of an epoch and at its end: two steps an epoch
        for other in range(start):  # Paddle counts the layers of a process in their parameters' names
            tiny_model(seed=other)
        paddle.seed(1000 + start)
        np.random.seed(start)
        resumed = trainer(tmp_path / f"resumed-{start}", tiny_model(seed=99), **options)
        resumed.train(str(tmp_path / "whole" / f"checkpoint-{start}"))
        assert resumed.state.global_step == steps
        assert same(weights(resumed.model), weights(whole.model)), start
        theirs, ours = (
            [entry["eval_loss"] for entry in run.state.log_history if "eval_loss" in entry] for run in (whole, resumed)
        )
        assert ours == theirs


def test_the_train_loss_of_a_resumed_run_is_the_mean_over_its_own_steps(tmp_path):
    options = dict(
        do_eval=False, max_steps=5, save_strategy="steps", save_steps=1, logging_strategy="steps", logging_steps=1
    )
    whole = trainer(tmp_path, **options)
    output = whole.train()
    losses = [entry["loss"] for entry in whole.state.log_history if "loss" in entry]
    assert output.metrics["train_loss"] == output.training_loss == pytest.approx(np.mean(losses), abs=1e-6)
    resumed = trainer(tmp_path, **options).train(str(tmp_path / "checkpoint-3"))
    assert resumed.metrics["train_loss"] == resumed.training_loss == pytest.approx(np.mean(losses[3:]), abs=1e-6)


def test_the_same_model_can_be_trained_and_then_resumed(tmp_path):
    """As in a notebook: a second optimizer over the same parameters, to which Paddle gives other names."""
    options = dict(save_strategy="steps", save_steps=1, load_best_model_at_end=False, max_steps=4)
    model = tiny_model()
    trainer(tmp_path / "whole", model, **options).train()
    expected = weights(model)
    trainer(tmp_path / "again", model, **options).train(str(tmp_path / "whole" / "checkpoint-2"))
    assert same(weights(model), expected)


def test_other_flags_of_freezing_are_an_error(tmp_path):
    trainer(tmp_path / "frozen", max_steps=2, freeze_plm=True, save_steps=1, save_strategy="steps").train()
    with pytest.raises(CheckpointError, match="--freeze_plm False contradicts the run of .* True") as caught:
        trainer(tmp_path / "free", max_steps=4).train(str(tmp_path / "frozen" / "checkpoint-1"))
    assert "\n" not in str(caught.value)


def test_a_run_that_was_moved_goes_on(tmp_path, scripted):
    scripted([0.9, 0.1])
    trainer(tmp_path / "old", num_train_epochs=2, save_strategy="epoch").train()
    best = saved_weights(tmp_path / "old" / "checkpoint-2")
    shutil.move(tmp_path / "old", tmp_path / "new")
    scripted([0.2])
    run = trainer(tmp_path / "new", num_train_epochs=3, save_strategy="epoch")
    run.train(str(tmp_path / "new" / "checkpoint-4"))
    assert run.state.global_step == 6 and same(weights(run.model), best)
