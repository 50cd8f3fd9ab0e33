"""An exported folder of several models, whose probabilities are averaged.

    prompt_config.json  README.md  member-0/  member-1/  …

Each member is a whole bundle of its own (see bundle.py); this prompt_config.json names them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

import numpy as np

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import BundleError, shown
from prompt_kit.inference.bundle import bundle_folder, read_bundle
from prompt_kit.inference.tasks import check_task_files
from prompt_kit.prompt.task import Task
from prompt_kit.prompt_config import (
    CONFIG_FILE,
    BundleConfig,
    EnsembleConfig,
    PromptConfig,
    TasksConfig,
    read_prompt_config,
)


@dataclass(frozen=True)
class Part:
    """One model of an exported folder: its own folder, what that says, and the weight of its probabilities."""

    folder: Path
    config: BundleConfig
    weight: float = 1.0


def read_models(path: PathLike) -> tuple[Union[BundleConfig, EnsembleConfig, TasksConfig], list[Part]]:
    """What an exported folder says, and the models in it: one, those of an ensemble, or one a task.

    Raises BundleError, one line with the path: as `read_bundle`, for the folder or one of its members, or when a member
    has other labels than the ensemble.
    """
    folder = bundle_folder(path)
    kinds: tuple[type[PromptConfig], ...] = (BundleConfig, EnsembleConfig, TasksConfig)
    ensemble = read_prompt_config(folder, *kinds)
    if isinstance(ensemble, TasksConfig):
        check_task_files(folder, ensemble)
        return ensemble, [Part(folder, config) for config in ensemble.tasks.values()]
    if not isinstance(ensemble, EnsembleConfig):
        config = read_bundle(folder)
        return config, [Part(folder, config)]
    parts = []
    for name, weight in ensemble.members.items():
        if not os.path.isdir(folder / name):
            raise BundleError(f"{folder / name} is missing: the ensemble's folder is incomplete; copy it whole")
        config = read_bundle(folder / name)
        check_one_label(config.task, str(folder / name))
        check_same_labels(ensemble.labels, str(folder / CONFIG_FILE), config.labels, str(folder / name))
        parts.append(Part(folder / name, config, weight))
    return ensemble, parts


def average(probabilities: Sequence[np.ndarray], weights: Optional[Sequence[float]] = None) -> np.ndarray:
    """[N, C] probabilities of each member -> [N, C], their mean, weighted by `weights` divided by their sum."""
    if len(probabilities) == 1:
        return probabilities[0]
    return np.average(np.stack(probabilities), axis=0, weights=weights)


def check_one_label(task: Task, where: str) -> None:
    """BundleError where a member's texts may have several labels, whose thresholds are each member's own."""
    if task.several:
        raise BundleError(
            f"{where} is {task.kind}, but an ensemble's members have one label a text; predict with it alone"
        )


def check_same_labels(labels: Sequence[str], where: str, others: Sequence[str], other_place: str) -> None:
    """BundleError that names both places, unless the labels are the same in the same order."""
    if tuple(labels) == tuple(others):
        return
    place = next((i for i, pair in enumerate(zip(labels, others)) if pair[0] != pair[1]), min(len(labels), len(others)))
    first, second = (
        f"{shown(listed[place])} ({len(listed)} labels)" if place < len(listed) else f"{len(listed)} labels only"
        for listed in (labels, others)
    )
    raise BundleError(
        f"the labels must be the same in the same order, but number {place + 1} differs: {where} has {first}, "
        f"{other_place} has {second}; models that decide together are trained with one label.txt"
    )
