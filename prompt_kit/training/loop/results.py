"""The files that a run leaves: metrics as JSON, predictions as a table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from prompt_kit.atomic import replace_file
from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError
from prompt_kit.inference.prediction_table import text_of, write_bad_cases, write_prediction_table, wrong_sets
from prompt_kit.json_file import read_object, write_json
from prompt_kit.metrics import BadCase, bad_cases
from prompt_kit.prompt.task import Task
from prompt_kit.prompt.verbalizer import Verbalizer

logger = logging.getLogger(__name__)


class Results:
    """{split}_results.json and all_results.json as PaddleNLP's Trainer writes them, plus what the run was."""

    def __init__(self, folder: str, info: dict[str, Any]):
        self.folder, self.info = Path(folder), info
        self.writes = paddle.distributed.get_rank() == 0

    def write(self, split: str, metrics: dict[str, Any]) -> None:
        """Log the metrics and write them."""
        shown = ("accuracy", "micro_f1", "macro_f1", "loss", "runtime")  # the files have all of them
        named = [(name, metrics.get(f"{split}_{name}")) for name in shown]
        logger.info("%s: %s", split, ", ".join(f"{name} {value:.4f}" for name, value in named if value is not None))
        if not self.writes:
            return
        _write(self.folder / f"{split}_results.json", {**metrics, **self.info})
        _write(self.folder / "all_results.json", {**self.read(), **metrics, **self.info})

    def read(self) -> dict[str, Any]:
        """all_results.json so far; empty if it is damaged, or of another model, as a zero-shot run may leave it."""
        try:
            held = read_object(self.folder / "all_results.json", ConfigError, "it is written anew")
        except ConfigError:
            return {}
        same = all(held.get(key) == self.info.get(key) for key in ("mode", "calibrated", "base_model", "template"))
        return held if same else {}

    def write_predictions(
        self, split: str, logits: np.ndarray, examples: Sequence[Example], verbalizer: Verbalizer, task: Task
    ) -> None:
        """{split}_predictions.tsv (text, label, probability, gold); if the examples have labels, metrics and
        {split}_bad_cases.tsv (text, predicted, probability, gold), the most confident first.

        Several labels of a text stand in one column, with commas, as their probabilities do."""
        labels = verbalizer.labels
        probabilities = task.probabilities(logits, labels)
        metrics: dict[str, Any] = {f"{split}_samples": len(examples)}
        labelled = all(example.label is not None for example in examples)
        if labelled:
            gold = task.targets([example.label for example in examples], verbalizer.label_to_id)
            scores = task.scores(probabilities, gold, labels)
            metrics.update({f"{split}_{name}": value for name, value in scores.items()})
        if self.writes:
            path = self.folder / f"{split}_predictions.tsv"
            write_prediction_table(path, examples, probabilities, labels, task)
            logger.info("predictions: %s", path)
            if labelled:
                wrong = _wrong(examples, probabilities, gold, labels, task)
                write_bad_cases(self.folder / f"{split}_bad_cases.tsv", wrong)
        self.write(split, metrics)


def _wrong(
    examples: Sequence[Example], probabilities: np.ndarray, gold: np.ndarray, labels: Sequence[str], task: Task
) -> list[BadCase]:
    if task.several:
        return wrong_sets(examples, probabilities, labels, task)
    return bad_cases([text_of(example) for example in examples], probabilities, gold.tolist(), labels)


def _write(path: Path, content: dict[str, Any]) -> None:
    with replace_file(path) as staging:
        write_json(staging, content)
