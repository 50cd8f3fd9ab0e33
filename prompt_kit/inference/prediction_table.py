"""The table of predictions that a run leaves: text, label, probability, gold."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from prompt_kit.atomic import replace_file
from prompt_kit.data.dataset import Example


def write_prediction_table(
    path: Path, examples: Sequence[Example], probabilities: np.ndarray, labels: Sequence[str]
) -> None:
    """Write a tab-separated file with a header; `probabilities` is [N, C], and gold is empty for unlabelled examples."""
    with replace_file(path) as staging, open(staging, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["text", "label", "probability", "gold"])
        for example, label, row in zip(examples, probabilities.argmax(axis=-1), probabilities):
            writer.writerow([example.text_a, labels[label], f"{row[label]:.6f}", example.label or ""])
