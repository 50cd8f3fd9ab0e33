"""train.py as tests run it: short commands, what a run's JSON files hold, and refusals in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

SHORT = "--do_train --max_steps 2 --logging_steps 1 --per_device_train_batch_size 8 --learning_rate 1e-3"
QUIET = "--device cpu --report_to none"


def read(path) -> dict:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def results(folder) -> dict:
    return read(Path(folder) / "all_results.json")


def without(data, tmp_path, *names) -> Path:
    """A copy of a data folder that lacks some files."""
    folder = shutil.copytree(data, tmp_path / "some")
    for name in names:
        (folder / name).unlink()
    return folder
