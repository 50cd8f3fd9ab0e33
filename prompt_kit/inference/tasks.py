"""An exported folder of several tasks on one language model: its files.

    model.onnx [model_fp16.onnx] [model_int8.onnx], each with its weights in *.onnx.data
    task-NAME.npz …  tokenizer.json  prompt_config.json  README.md

The graph is the language model; what a task adds to it are further inputs, which lie in task-NAME.npz: the table of its
soft tokens, its prefix, and its head (see `task_inputs`). A second task costs these, not a second model.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from prompt_kit.errors import BundleError, shown
from prompt_kit.inference.bundle import bundle_file
from prompt_kit.prompt_config.tasks import SOFT_INPUT, TasksConfig, task_inputs

TASK_FILE = re.compile(r"task-[\w.-]+\.npz")


def task_file(name: str) -> str:
    """Where the inputs of a task lie."""
    return f"task-{name}.npz"


def check_task_files(folder: Path, config: TasksConfig) -> None:
    """Raise BundleError where a file that prompt_config.json speaks of is not there."""
    for name in (*config.graph_files(), *map(task_file, config.tasks)):
        bundle_file(folder, name)


def write_task(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the inputs of a task as `path`, without compression."""
    with open(path, "wb") as file:
        np.savez(file, **dict(arrays))  # type: ignore[arg-type]


def read_task(folder: Path, name: str, config: TasksConfig) -> dict[str, np.ndarray]:
    """The inputs of a task, checked: names, types, and sizes that fit one another and its labels.

    Raises BundleError for a file that is missing, damaged, or of another task.
    """
    path = bundle_file(folder, task_file(name))
    wanted = task_inputs(config.with_prefix)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        raise BundleError(f"{path} is damaged ({' '.join(str(error).split())[:200]}); {config.fix}") from None
    found = {one: f"{array.dtype} {list(array.shape)}" for one, array in arrays.items()}
    known = {"labels": len(config.tasks[name].labels)}
    for key, axes in wanted.items():
        array = arrays.get(key)
        if array is None or array.dtype != np.float32 or array.ndim != len(axes) or sorted(arrays) != sorted(wanted):
            raise BundleError(
                f"{path} does not belong to its folder: expected float32 arrays {', '.join(wanted)}, got "
                f"{shown(found, 400)}; {config.fix}"
            )
        for size, axis in zip(array.shape, axes):
            place = f"{key} {axis}" if key == SOFT_INPUT else str(axis)  # its tokens are not the prefix's
            if known.setdefault(place, size) != size:
                raise BundleError(
                    f"{path}: {key} has {size} {axis}, expected {known[place]}: not of this task; {config.fix}"
                )
        if not np.isfinite(array).all():
            raise BundleError(f"{path}: {key} holds what is no number; {config.fix}")
    return arrays


def default_task_name(folder: str) -> str:
    """The name of a task that was trained in `folder`: the folder's, made one that a task can have."""
    name = re.sub(r"[^\w.-]+", "-", os.path.basename(os.path.abspath(folder))).lstrip(".")[:64]
    return name or "task"
