"""The tables that a run leaves: all predictions (text, label, probability, gold), and the wrong ones alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from prompt_kit.atomic import replace_file
from prompt_kit.data.dataset import Example
from prompt_kit.inference.table import table_row
from prompt_kit.metrics import BadCase


def write_prediction_table(
    path: Path, examples: Sequence[Example], probabilities: np.ndarray, labels: Sequence[str]
) -> None:
    """Write a tab-separated file with a header; `probabilities` is [N, C], and gold is empty for unlabelled examples.

    table.py says how fields are quoted.
    """
    with replace_file(path) as staging, open(staging, "w", encoding="utf-8", newline="") as file:
        file.write(table_row(["text", "label", "probability", "gold"]) + "\n")
        for example, label, row in zip(examples, probabilities.argmax(axis=-1), probabilities):
            fields = [example.text_a, labels[label], f"{row[label]:.6f}", example.label or ""]
            file.write(table_row(fields) + "\n")


def write_bad_cases(path: Path, cases: Sequence[BadCase]) -> None:
    """Write a tab-separated file with a header: what was predicted, with its probability, and what is right."""
    with replace_file(path) as staging, open(staging, "w", encoding="utf-8", newline="") as file:
        file.write(table_row(["text", "predicted", "probability", "gold"]) + "\n")
        for case in cases:
            file.write(table_row([case.text, case.predicted, f"{case.probability:.6f}", case.gold]) + "\n")
