"""The steps of a run, one after the other: train, evaluate, report, export."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paddlenlp.trainer import IntervalStrategy, set_seed

from prompt_kit.data.dataset import Dataset, Example
from prompt_kit.metrics import wilson_interval
from prompt_kit.training.loop.arguments import PromptTrainingArguments
from prompt_kit.training.loop.cross_validation import StopAfter, cross_validate, number_of_folds
from prompt_kit.training.loop.results import Results
from prompt_kit.training.loop.resumed_run import checkpoint_to_resume
from prompt_kit.training.loop.run_report import write_run_report
from prompt_kit.training.loop.trainer import PromptTrainer
from prompt_kit.training.loop.visual_log import log_report
from prompt_kit.training.models.base import WEIGHTS_FILE, TextClassifier

logger = logging.getLogger(__name__)


def train(trainer: PromptTrainer, args: PromptTrainingArguments, dataset: Dataset) -> dict[str, Any]:
    """Train and save the model; its metrics.

    Without dev.txt cross-validation says for how many epochs. A cosine head is saved as it starts then, unless
    `--cross_validation` is given, and without train.txt always.
    """
    checkpoint = checkpoint_to_resume(args)
    if dataset.train is not None and (dataset.dev is not None or not args.do_eval):
        metrics = trainer.train(checkpoint).metrics
        trainer.save_state()
    else:
        metrics = {}
        if dataset.train is None:
            logger.info(
                "no train.txt: the label words and %d texts of data.txt make the classifier",
                len(dataset.unlabelled or ()),
            )
        elif folds := number_of_folds(args, dataset.train, trainer.model.starts_from_examples, dataset.folder):
            metrics = _train_as_long_as_it_helps(trainer, args, dataset.train, folds)
        else:
            trainer.start()
            if trainer.model.task.several:
                trainer.leave_one_out()  # which chooses the threshold that is saved
            logger.info(
                "no dev.txt to say when training helps no more: the head is started from train.txt, and that is all"
            )
    if trainer.model.saves_prompt_only:
        trainer.model.fold_encoders()  # checkpoints have them, to train on with
    trainer.save_model()
    if trainer.model.saves_prompt_only and args.should_save:
        size = (Path(args.output_dir) / WEIGHTS_FILE).stat().st_size
        logger.info(
            "saved: prompt and head alone, %.0f KB; they need the language model %s",
            size / 1000, trainer.model.config.base_model,
        )  # fmt: skip
    return metrics


def _train_as_long_as_it_helps(
    trainer: PromptTrainer, args: PromptTrainingArguments, examples: Sequence[Example], folds: int
) -> dict[str, Any]:
    """Train on all examples for as many epochs as cross-validation says; the metrics."""
    logger.info("no dev.txt: %d-fold cross-validation on train.txt says how long to train", folds)
    found = cross_validate(trainer.model, args, examples, folds)
    trainer.judged = found.metrics
    set_seed(args.seed)
    trainer.args.evaluation_strategy = IntervalStrategy.NO  # there is nothing to evaluate on while training
    if found.epochs == 0:
        logger.info("cross-validation: no training helps; the head is started from train.txt, and that is all")
        trainer.start()
        return {}
    if found.epochs is not None:
        logger.info("cross-validation: training on all %d examples for %d epochs", len(examples), found.epochs)
        trainer.add_callback(StopAfter(found.epochs))
    metrics: dict[str, Any] = trainer.train().metrics
    trainer.save_state()
    return metrics


def evaluate(trainer: PromptTrainer, dataset: Dataset) -> dict[str, Any]:
    """On dev.txt; without it as cross-validation found, or by leave-one-out, with the 95 % interval of the accuracy."""
    if dataset.dev is not None:
        return {**trainer.evaluate(), "eval_samples": len(dataset.dev)}
    if trainer.judged is not None:
        found = trainer.judged
        logger.info(
            "%s, %d examples: accuracy %.4f, 95 %% interval %.4f to %.4f",
            found["eval_by"], found["eval_samples"], found["eval_accuracy"], *found["eval_interval"],
        )  # fmt: skip
        return found
    right, scores = trainer.leave_one_out()
    low, high = wilson_interval(int(right.sum()), len(right))
    logger.info(
        "leave-one-out on the %d examples of train.txt: accuracy %.4f, 95 %% interval %.4f to %.4f",
        len(right), right.mean(), low, high,
    )  # fmt: skip
    return {
        **{f"eval_{name}": value for name, value in scores.items()}, "eval_samples": len(right), "eval_interval": [low, high],
        "eval_by": "leave-one-out on train.txt",
    }  # fmt: skip


def export(model: TextClassifier, args: PromptTrainingArguments, results: Results) -> None:
    """Write the bundle into output_dir/export."""
    from prompt_kit.training.export.exporter import export_bundle

    if results.writes:
        folder = Path(args.output_dir) / "export"
        about = results.read()
        metrics = {k: v for k, v in about.items() if k in ("eval_accuracy", "eval_micro_f1")}
        export_bundle(model, folder, metrics=metrics, about=about)
        logger.info("exported: %s", folder)


def report(model: TextClassifier, args: PromptTrainingArguments, dataset: Dataset, results: Results) -> None:
    """Write output_dir/report, see run_report.py."""
    if results.writes:
        run = args.output_dir if args.do_train else (args.resume_from_checkpoint or args.output_dir)
        page = write_run_report(model, dataset, Path(args.output_dir), Path(run), results.info, args.language)
        logger.info("report: %s", page)
        if "visualdl" in args.report_to:
            log_report(args.logging_dir, page.parent, results.read())
