"""After an evaluation: the best is kept, training stops in time, the user sees one line."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from paddlenlp.trainer import TrainerControl, TrainerState

from prompt_kit.errors import CheckpointError
from prompt_kit.training.loop import callbacks
from prompt_kit.training.loop.callbacks import BestModelCallback, ProgressCallback, evaluations


def arguments(metric="accuracy", greater=True, output_dir="out", disable_tqdm=True):
    return SimpleNamespace(
        metric_for_best_model=metric, greater_is_better=greater, output_dir=output_dir, disable_tqdm=disable_tqdm
    )


def evaluate(callback, args, state, score, metric="accuracy", loss=1.0, steps=60) -> TrainerControl:
    """One evaluation, as the Trainer goes about it: log first, then the callbacks."""
    state.global_step += steps
    metrics = {"eval_loss": loss, f"eval_{metric}": score}
    state.log_history.append({**metrics, "step": state.global_step})
    control = TrainerControl()
    callback.on_evaluate(args, state, control, metrics=metrics)
    return control


def started(patience, args):
    callback, state = BestModelCallback(patience), TrainerState()
    callback.on_train_begin(args, state, TrainerControl())
    return callback, state


def best_so_far(callback, control) -> bool:
    """Whether the evaluation has to be saved; one that is spare only limits what a kill costs."""
    assert control.should_save, "every evaluation is to be saved"
    return not callback.spare


def run(scores, patience=0, **options):
    """[(has to be saved, stopped)] for each score."""
    args = arguments(**options)
    callback, state = started(patience, args)
    decisions = []
    for score in scores:
        control = evaluate(callback, args, state, score, options.get("metric", "accuracy"))
        decisions.append((best_so_far(callback, control), control.should_training_stop))
    return decisions, state


def test_every_best_so_far_is_saved():
    decisions, state = run([0.5, 0.4, 0.7, 0.7, 0.6])
    assert [saved for saved, _ in decisions] == [True, False, True, False, False]  # of equals, the first
    assert (state.best_metric, state.best_model_checkpoint) == (0.7, "out/checkpoint-180")


def test_of_equal_scores_the_lower_loss_is_better():
    args = arguments()
    callback, state = started(2, args)
    rows = [(0.5, 2.0), (0.5, 1.5), (0.5, 1.6), (0.4, 0.1), (0.5, 1.4)]
    saved, stopped = [], []
    for score, loss in rows:
        control = evaluate(callback, args, state, score, loss=loss)
        saved.append(best_so_far(callback, control))
        stopped.append(control.should_training_stop)
    assert saved == [True, True, False, True, True]  # the fourth is the last, since it stops
    assert stopped == [False, False, False, True, False]
    assert (state.best_metric, state.best_model_checkpoint) == (0.5, "out/checkpoint-300")


def test_patience_is_not_used_up_by_a_few_steps():
    """An epoch of one step: five evaluations without a better score are five steps."""
    args = arguments()
    callback, state = started(5, args)
    stopped = [evaluate(callback, args, state, 0.5, steps=1).should_training_stop for _ in range(70)]
    assert stopped.index(True) == 60  # the best is of step 1, this is step 61


def test_patience_that_is_not_used_up_takes_no_stop_back():
    """The last step of --max_steps asks for a stop before its evaluation."""
    args = arguments()
    callback, state = started(1, args)
    evaluate(callback, args, state, 0.5, steps=1)
    state.global_step += 1
    state.log_history.append({"eval_loss": 1.0, "eval_accuracy": 0.4, "step": 2})
    control = TrainerControl(should_training_stop=True)
    callback.on_evaluate(args, state, control, metrics={})
    assert control.should_training_stop is True


def test_lower_is_better_for_a_loss():
    decisions, state = run([0.5, 0.4, 0.7], metric="loss", greater=False)
    assert [saved for saved, _ in decisions] == [True, True, False]
    assert state.best_metric == 0.4


def test_training_stops_when_patience_is_used_up():
    decisions, _ = run([0.5, 0.4, 0.6, 0.6, 0.5, 0.5, 0.9], patience=3)
    assert [stopped for _, stopped in decisions] == [False] * 5 + [True, False]


def test_no_patience_never_stops():
    assert not any(stopped for _, stopped in run([0.5] + [0.1] * 50)[0])


def test_the_count_is_read_off_the_log_so_it_survives_a_resume():
    args = arguments()
    first, state = started(3, args)
    for score in (0.5, 0.4, 0.4):
        evaluate(first, args, state, score)
    resumed = BestModelCallback(3)  # a new process: nothing but the state's log is left
    resumed.on_train_begin(args, state, TrainerControl())
    assert evaluate(resumed, args, state, 0.4).should_training_stop is True


def test_an_evaluation_outside_training_changes_nothing():
    args = arguments()
    callback, state = started(1, args)
    evaluate(callback, args, state, 0.5)
    callback.on_train_end(args, state, TrainerControl())
    control = evaluate(callback, args, state, 0.9)
    assert (control.should_save, control.should_training_stop, state.best_metric) == (False, False, 0.5)


def test_a_checkpoint_that_was_written_before_the_evaluation_is_written_again():
    args = arguments()
    callback, state = started(0, args)
    evaluate(callback, args, state, 0.5)
    state.global_step += 60
    callback.on_save(args, state, TrainerControl())
    state.global_step -= 60
    assert best_so_far(callback, evaluate(callback, args, state, 0.4)) is True
    callback.on_save(args, state, TrainerControl())
    assert callback.spare is False, "what follows without an evaluation was asked for"
    assert best_so_far(callback, evaluate(callback, args, state, 0.4)) is False


def test_a_save_that_was_asked_for_is_not_spare():
    args = arguments()
    callback, state = started(0, args)
    evaluate(callback, args, state, 0.5)
    state.global_step += 60
    state.log_history.append({"eval_loss": 1.0, "eval_accuracy": 0.4, "step": state.global_step})
    callback.on_evaluate(args, state, TrainerControl(should_save=True), metrics={})
    assert callback.spare is False


def test_evaluations_are_those_of_the_metric():
    log = [{"loss": 1.0}, {"eval_accuracy": 0.1, "eval_loss": 2.0}, {"loss": 0.5}, {"eval_accuracy": 0.2}]
    assert evaluations(log, "accuracy") == evaluations(log, "eval_accuracy") == [log[1], log[3]]
    assert evaluations(log, "loss") == [log[1]]


def moved_run(tmp_path, best):
    state = TrainerState()
    state.best_model_checkpoint = best
    callback = BestModelCallback(0)
    callback.resumed_from = str(tmp_path / "new" / "checkpoint-4")
    callback.on_train_begin(arguments(), state, TrainerControl())
    return state.best_model_checkpoint


def test_the_best_checkpoint_is_found_beside_a_moved_one(tmp_path):
    beside = tmp_path / "new" / "checkpoint-2"
    beside.mkdir(parents=True)
    (beside / "prompt_config.json").write_text("{}", encoding="utf-8")
    assert moved_run(tmp_path, "gone/checkpoint-2") == str(beside)


def test_a_best_checkpoint_that_is_nowhere_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="checkpoint-2.*copy that folder") as caught:
        moved_run(tmp_path, "gone/checkpoint-2")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_on_a_terminal_only(monkeypatch, terminal):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(callbacks.sys, "stderr", stream)
    args, state = arguments(disable_tqdm=False), TrainerState()
    state.max_steps, state.epoch, state.global_step = 20, 1.0, 10
    progress, control = ProgressCallback(), TrainerControl()
    progress.on_train_begin(args, state, control)
    progress.on_step_end(args, state, control)
    progress.on_log(args, state, control, logs={"loss": 0.25})
    progress.on_evaluate(args, state, control, metrics={"eval_loss": 0.5, "eval_accuracy": 0.75})
    state.best_model_checkpoint = "out/checkpoint-10"
    progress.on_evaluate(args, state, control, metrics={"eval_loss": 0.5, "eval_accuracy": 0.75})
    progress.on_train_end(args, state, control)
    lines = stream.getvalue()
    assert "step 10: loss 0.2500, dev loss 0.5000, dev accuracy 0.7500\n" in lines
    assert lines.count("(best so far)\n") == 1
    assert ("20" in lines) is terminal  # the bar's total


def test_other_processes_are_silent(capsys):
    state = TrainerState()
    state.is_world_process_zero, state.epoch = False, 1.0
    progress, control = ProgressCallback(), TrainerControl()
    progress.on_train_begin(arguments(), state, control)
    progress.on_step_end(arguments(), state, control)
    progress.on_evaluate(arguments(), state, control, metrics={"eval_loss": 0.5, "eval_accuracy": 0.75})
    progress.on_train_end(arguments(), state, control)
    assert capsys.readouterr() == ("", "")
