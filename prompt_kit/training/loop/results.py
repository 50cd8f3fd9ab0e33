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
from prompt_kit.inference.prediction_table import write_bad_cases, write_prediction_table
from prompt_kit.json_file import read_object, write_json
from prompt_kit.metrics import accuracy_and_f1, bad_cases, softmax
from prompt_kit.prompt.verbalizer import Verbalizer

logger = logging.getLogger(__name__)


class Results:
    """{split}_results.json and all_results.json as PaddleNLP's Trainer writes them, plus what the run was."""

    def __init__(self, folder: str, info: dict[str, Any]):
        self.folder, self.info = Path(folder), info
        self.writes = paddle.distributed.get_rank() == 0

    def write(self, split: str, metrics: dict[str, Any]) -> None:
        """Log the metrics and write them."""
        shown = ("accuracy", "macro_f1", "loss", "runtime")  # the files have all of them
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
        self, split: str, logits: np.ndarray, examples: Sequence[Example], verbalizer: Verbalizer
    ) -> None:
        """{split}_predictions.tsv (text, label, probability, gold); if the examples have labels, metrics and
        {split}_bad_cases.tsv (text, predicted, probability, gold), the most confident first."""
        probabilities = softmax(logits)
        predicted = probabilities.argmax(axis=-1)
        metrics: dict[str, Any] = {f"{split}_samples": len(examples)}
        labelled = all(example.label is not None for example in examples)
        if labelled:
            gold = np.array([verbalizer.label_to_id[example.gold] for example in examples])
            metrics.update({f"{split}_{name}": value for name, value in accuracy_and_f1(predicted, gold).items()})
        if self.writes:
            path = self.folder / f"{split}_predictions.tsv"
            write_prediction_table(path, examples, probabilities, verbalizer.labels)
            logger.info("predictions: %s", path)
            if labelled:
                texts = [example.text_a for example in examples]
                wrong = bad_cases(texts, probabilities, gold.tolist(), verbalizer.labels)
                write_bad_cases(self.folder / f"{split}_bad_cases.tsv", wrong)
        self.write(split, metrics)


def _write(path: Path, content: dict[str, Any]) -> None:
    with replace_file(path) as staging:
        write_json(staging, content)
