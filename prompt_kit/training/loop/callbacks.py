"""What happens after each evaluation: remember the best, stop early, tell the user."""

from __future__ import annotations

import os
import sys
from typing import Optional

from paddlenlp.trainer import TrainerCallback
from tqdm import tqdm

from prompt_kit.training.loop.checkpoint import find_best

# A few dozen examples make an epoch of one step or two, and five of those say nothing yet.
_PATIENCE_STEPS = 60


class BestModelCallback(TrainerCallback):
    """Have every evaluation saved, the best so far and the last, and stop after `patience` evaluations without a better.

    Of equal scores the one with the lower dev loss is better: few dev texts give many equal accuracies.

    Args:
        patience: evaluations without a better score before training stops, if they are `_PATIENCE_STEPS` steps apart or
            more; 0 never stops.

    `spare` says of the save that an evaluation asks for that it only limits what a kill costs: the score is no better, and
    training goes on. The trainer may leave it out.

    `resumed_from` is the checkpoint-N that training goes on from, if any: the best one so far is looked for beside it.
    The count is read off the state's log, which every checkpoint holds, so it survives a resume.
    """

    def __init__(self, patience: int):
        self.patience = patience
        self.training = False
        self.resumed_from: Optional[str] = None
        self.saved_step = -1
        self.spare = False

    def on_train_begin(self, args, state, control, **kwargs):
        self.training = True
        if self.resumed_from and state.best_model_checkpoint:
            state.best_model_checkpoint = find_best(state.best_model_checkpoint, self.resumed_from)

    def on_train_end(self, args, state, control, **kwargs):
        self.training = False

    def on_evaluate(self, args, state, control, metrics: dict[str, float], **kwargs):
        if not self.training:  # an evaluation that the user asked for, with whatever model that is
            return
        sign = 1 if args.greater_is_better else -1
        entries = evaluations(state.log_history, args.metric_for_best_model)
        scores = [(sign * entry[metric_key(args.metric_for_best_model)], -entry["eval_loss"]) for entry in entries]
        best = max(range(len(scores)), key=lambda i: (scores[i], -i))
        asked = control.should_save or self.saved_step == state.global_step  # that one does not know of this evaluation
        control.should_save = True
        if best == len(scores) - 1:
            state.best_metric = sign * scores[best][0]
            state.best_model_checkpoint = os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
        elif self.patience and len(scores) - 1 - best >= self.patience:
            if state.global_step - entries[best]["step"] >= _PATIENCE_STEPS:
                control.should_training_stop = True  # never False: the last step may have set it before
        self.spare = not (asked or control.should_training_stop or best == len(scores) - 1)

    def on_save(self, args, state, control, **kwargs):
        self.saved_step, self.spare = state.global_step, False


def evaluations(log_history, metric: str) -> list:
    """The entries of the log that hold the metric, in order."""
    return [entry for entry in log_history if metric_key(metric) in entry]


def metric_key(metric: str) -> str:
    """What a metric is called in the log."""
    return metric if metric.startswith("eval_") else f"eval_{metric}"


class ProgressCallback(TrainerCallback):
    """A bar over the steps (on a terminal) and one line an evaluation, on stderr.

    Args:
        shown: what the line calls the loss and the accuracy.
    """

    def __init__(self, shown: tuple[str, str] = ("dev loss", "dev accuracy")):
        self.shown = shown
        self.bar = None
        self.loss = None

    def on_train_begin(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            hidden = args.disable_tqdm or not sys.stderr.isatty()
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="training", disable=hidden)

    def on_step_end(self, args, state, control, **kwargs):
        if self.bar is not None:
            self.bar.update(1)

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.loss = (logs or {}).get("loss", self.loss)

    def on_evaluate(self, args, state, control, metrics: dict[str, float], **kwargs):
        if self.bar is None:
            return
        loss = "" if self.loss is None else f"loss {self.loss:.4f}, "
        best = " (best so far)" if (state.best_model_checkpoint or "").endswith(f"-{state.global_step}") else ""
        f1 = f", dev micro F1 {metrics['eval_micro_f1']:.4f}" if "eval_micro_f1" in metrics else ""
        tqdm.write(
            f"epoch {state.epoch:5.1f}, step {state.global_step}: {loss}{self.shown[0]} {metrics['eval_loss']:.4f}, "
            f"{self.shown[1]} {metrics['eval_accuracy']:.4f}{f1}{best}",
            file=sys.stderr,
        )
        if control.should_training_stop and state.global_step < state.max_steps:
            tqdm.write(
                f"stopping early: no better dev {args.metric_for_best_model} in {args.early_stopping_patience} evaluations; "
                f"the best, {state.best_metric:.4f}, is {os.path.basename(state.best_model_checkpoint)}",
                file=sys.stderr,
            )

    def on_train_end(self, args, state, control, **kwargs):
        if self.bar is not None:
            self.bar.close()
            self.bar = None
