"""classifier.json: what a folder of a PromptClassifier has beside its model, and the parameters that a folder tells of."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np

from prompt_kit.errors import CheckpointError

CLASSIFIER_FILE = "classifier.json"
RESULTS_FILE = "all_results.json"
FORMAT_VERSION = 1


def settings_to_json(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a folder keeps: not the labels, which have a place of their own, nor what a machine or a person
    chooses, nor leave to unpickle, which no file may give."""
    left_out = ("labels", "verbose", "device")
    given = {name: value for name, value in parameters.items() if name not in left_out and value is not None}
    if given.get("options") is not None:
        given["options"] = {name: value for name, value in given["options"].items() if name != "trust_pickle"}
    return json.loads(json.dumps(given, default=_plain))


def settings_of(model: Any) -> dict[str, Any]:
    """The parameters that a folder of train.py tells of, read as the model that it holds."""
    settings = {
        "method": model.method,
        "task_type": model.task.kind,
        "text_pairs": model.reads_pairs,
        "model_name_or_path": model.config.base_model,
        "max_seq_length": model.prompt_tokenizer.max_seq_length,
    }
    if model.method == "prompt":
        calibrated = model.config.calibration is not None
        settings.update(prompt=str(model.template), verbalizer=model.config.head, calibrate=calibrated)
    return settings


def read_classifier(folder: Path) -> Optional[dict[str, Any]]:
    """classifier.json of a folder, checked; None if it has none."""
    if any((folder / name).is_file() for name in ("model.onnx", "model.pdiparams")):
        raise CheckpointError(
            f"{folder.absolute()} is an exported folder, which Predictor opens; load takes the folder that it was made from"
        )
    path = folder / CLASSIFIER_FILE
    if not path.is_file():
        return None
    saved = read_json(path) or {}
    settings = saved.get("settings")
    if not isinstance(settings, dict) or "labels" in settings:
        raise CheckpointError(f"{path.absolute()} is damaged; copy the folder again")
    if saved.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path.absolute()} has format {saved.get('format_version')!r}, but this prompt-kit reads {FORMAT_VERSION}; use "
            "the prompt-kit that wrote it"
        )
    if "trust_pickle" in (settings.get("options") or {}):
        raise CheckpointError(f"{path.absolute()} asks for trust_pickle, which no file may; take it out")
    return saved


def read_json(path: Path) -> Optional[dict[str, Any]]:
    """A JSON object; None where there is none that can be read."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _plain(value: Any) -> Any:
    """What JSON can hold of a parameter."""
    return (
        value.item()
        if isinstance(value, np.generic)
        else os.fspath(value)
        if isinstance(value, os.PathLike)
        else str(value)
    )
