"""The tables that a run leaves: all predictions (text, label, probability, gold), and the wrong ones alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from prompt_kit.atomic import replace_file
from prompt_kit.data.dataset import Example
from prompt_kit.data.line_format import label_text, labels_of
from prompt_kit.inference.table import table_row
from prompt_kit.metrics import BadCase
from prompt_kit.prompt.task import ONE_LABEL, Task


def write_prediction_table(
    path: Path, examples: Sequence[Example], probabilities: np.ndarray, labels: Sequence[str], task: Task = ONE_LABEL
) -> None:
    """Write a tab-separated file with a header; `probabilities` is [N, C], and gold is empty for unlabelled examples.

    Of several labels, the labels and their probabilities stand in one column each, separated by commas. table.py says how
    fields are quoted.
    """
    with replace_file(path) as staging, open(staging, "w", encoding="utf-8", newline="") as file:
        file.write(table_row(["text", "label", "probability", "gold"]) + "\n")
        for example, row, chosen in zip(examples, probabilities, task.chosen(probabilities)):
            names, scores = _answered(row, chosen, labels)
            fields = [text_of(example), names, scores, label_text(example.label)]
            file.write(table_row(fields) + "\n")


def text_of(example: Example) -> str:
    """The text of a row: of two texts, both with a tab between, which makes a field be quoted."""
    return example.text_a if example.text_b is None else f"{example.text_a}\t{example.text_b}"


def wrong_sets(
    examples: Sequence[Example], probabilities: np.ndarray, labels: Sequence[str], task: Task
) -> list[BadCase]:
    """Every text whose label set [N, C] is wrong, the most confident first; the probability is that of the best label."""
    wrong = []
    for example, row, chosen in zip(examples, probabilities, task.chosen(probabilities)):
        names, _ = _answered(row, chosen, labels)
        found = {label for label, there in zip(labels, chosen) if there}
        if found != set(labels_of(example.label)):
            wrong.append(BadCase(text_of(example), names, float(row.max()), label_text(example.label)))
    return sorted(wrong, key=lambda case: -case.probability)


def _answered(row: np.ndarray, chosen: np.ndarray, labels: Sequence[str]) -> tuple[str, str]:
    """The labels that are chosen, and their probabilities."""
    places = np.flatnonzero(chosen)
    return ",".join(labels[place] for place in places), ",".join(f"{row[place]:.6f}" for place in places)


def write_bad_cases(path: Path, cases: Sequence[BadCase]) -> None:
    """Write a tab-separated file with a header: what was predicted, with its probability, and what is right."""
    with replace_file(path) as staging, open(staging, "w", encoding="utf-8", newline="") as file:
        file.write(table_row(["text", "predicted", "probability", "gold"]) + "\n")
        for case in cases:
            file.write(table_row([case.text, case.predicted, f"{case.probability:.6f}", case.gold]) + "\n")
