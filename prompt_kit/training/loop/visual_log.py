"""What a report adds to the run's VisualDL log: the confusion matrix as an image, and the scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from prompt_kit.data.lines import PathLike
from prompt_kit.json_file import is_number

_SCORES = ("accuracy", "f1", "loss")


def log_report(logging_dir: PathLike, report: Path, results: Mapping[str, Any]) -> None:
    """Add report/confusion_matrix and report/test_accuracy, … to the log in `logging_dir`.

    Args:
        report: the folder of report.html.
        results: what the results files of the run hold.
    """
    from matplotlib.image import imread
    from visualdl import LogWriter

    with LogWriter(logdir=str(logging_dir)) as writer:
        picture = report / "confusion_matrix.png"
        if picture.is_file():
            pixels = (imread(str(picture))[..., :3] * 255).round().astype(np.uint8)  # [H, W, 3], of numbers from 0 to 1
            writer.add_image("report/confusion_matrix", pixels, step=0)
        for name, value in results.items():
            if name.startswith(("eval_", "test_")) and name.endswith(_SCORES) and is_number(value):
                writer.add_scalar(f"report/{name}", float(value), step=0)
