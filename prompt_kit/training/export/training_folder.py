"""What an export takes out of a training folder: its model, and what its results files say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import CheckpointError
from prompt_kit.json_file import is_number, read_object
from prompt_kit.prompt_config import CONFIG_FILE, kind_of
from prompt_kit.training.export.export_folder import EXPORTED
from prompt_kit.training.models.prompt_model import PromptModel

RESULT_FILES = ("all_results.json", "eval_results.json")


def open_checkpoint(folder: PathLike, base_model: Optional[str] = None) -> PromptModel:
    """The model in a folder that train.py wrote, or in a checkpoint-N in it.

    Raises CheckpointError when the folder is not there or not a training folder, or its prompt does not fit `base_model`.
    """
    folder = Path(os.path.abspath(folder))
    if not folder.is_dir():
        raise CheckpointError(
            f"no such folder: {folder}; expected the --output_dir of train.py, or a checkpoint-N in it"
        )
    if kind_of(folder) in EXPORTED:
        raise CheckpointError(f"{folder} is an exported folder; expected the training folder that it was made from")
    if not (folder / CONFIG_FILE).is_file():
        inside = sorted(path.name for path in folder.glob("checkpoint-*"))
        hint = f"the run is not finished; name one of {', '.join(inside)} in it" if inside else "train first"
        raise CheckpointError(
            f"{folder / CONFIG_FILE} is missing, so the folder is not a finished training run: {hint}"
        )
    return PromptModel.from_pretrained(folder, base_model)


def read_metrics(folder: PathLike) -> dict[str, float]:
    """Accuracy and F1 scores of the results files that train.py leaves in its output folder; {} without any."""
    return {
        key: float(value)
        for key, value in read_results(folder).items()
        if key.endswith(("accuracy", "f1")) and is_number(value)
    }


def read_results(folder: PathLike) -> dict[str, Any]:
    """All that the results files of a training folder hold; {} without any."""
    found: dict[str, Any] = {}
    for name in RESULT_FILES:
        try:
            found.update(read_object(Path(folder) / name, CheckpointError, "train again"))
        except CheckpointError:
            continue  # it is for information only
    return found
