"""An exported folder of several models, whose probabilities are averaged: its prompt_config.json, and reading it.

    prompt_config.json  README.md  member-0/  member-1/  …

Each member is a whole bundle of its own (see bundle.py). This prompt_config.json declares them, and its format_version
is 2; a folder of one model stays format 1.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import BundleError, shown
from prompt_kit.inference.bundle import CONFIG_FILE, BundleConfig, bundle_folder, read_bundle, read_config_file

FORMAT_VERSION = 2
MODE = "ensemble"


@dataclass(frozen=True)
class EnsembleConfig:
    """What prompt_config.json of an ensemble says.

    members  name of a folder in the ensemble's own -> weight of its probabilities; two or more
    labels   those of every member, in the order of ids
    metrics  scores of the whole, such as {"eval_accuracy": 0.59}; empty if unknown
    """

    members: Mapping[str, float]
    labels: tuple[str, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.members:
            if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\\" in name:
                raise BundleError(f"members: expected names of folders in the ensemble's own folder, got {shown(name)}")
        if len(self.members) < 2:
            raise BundleError(f"members: expected two or more, got {len(self.members)}")
        for name, weight in self.members.items():
            if not is_weight(weight):
                raise BundleError(f"members: expected a number above 0 as weight of {name}, got {shown(weight)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, format_version first."""
        return {
            "format_version": FORMAT_VERSION,
            "mode": MODE,
            "members": [{"folder": name, "weight": weight} for name, weight in self.members.items()],
            "labels": list(self.labels),
            "metrics": dict(self.metrics),
            "versions": dict(self.versions),
        }

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> EnsembleConfig:
        """Inverse of `to_dict`; keys it does not know are passed over. Raises BundleError for anything amiss."""
        version = config.get("format_version")
        if version != FORMAT_VERSION:
            raise BundleError(
                f"format_version {shown(version)}, this prompt-kit reads ensembles of {FORMAT_VERSION}: update prompt-kit"
            )
        members, labels = config.get("members"), config.get("labels")
        if not isinstance(members, list) or not all(isinstance(one, dict) for one in members):
            raise BundleError(f'members: expected [{{"folder": "member-0", "weight": 0.5}}, …], got {shown(members)}')
        names = [one.get("folder") for one in members]
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise BundleError(f"members: expected the name of another folder in each, got {shown(names)}")
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise BundleError(f"labels: expected a list of texts, got {shown(labels)}")
        extra = {key: config[key] for key in ("metrics", "versions") if isinstance(config.get(key), dict)}
        return cls({one["folder"]: one.get("weight") for one in members}, tuple(labels), **extra)


@dataclass(frozen=True)
class Part:
    """One model of an exported folder: its own folder, what that says, and the weight of its probabilities."""

    folder: Path
    config: BundleConfig
    weight: float = 1.0


def read_models(path: PathLike) -> tuple[Union[BundleConfig, EnsembleConfig], list[Part]]:
    """What an exported folder says, and the models in it: one, or those of an ensemble.

    Raises BundleError, one line with the path: as `read_bundle`, for the folder or one of its members, or when a member
    has other labels than the ensemble.
    """
    folder = bundle_folder(path)
    content = read_config_file(folder)
    if not is_ensemble(content):
        config = read_bundle(folder)
        return config, [Part(folder, config)]
    where = folder / CONFIG_FILE
    try:
        ensemble = EnsembleConfig.from_dict(content)
    except BundleError as error:
        raise BundleError(f"{where}: {error}") from None
    parts = []
    for name, weight in ensemble.members.items():
        if not os.path.isdir(folder / name):
            raise BundleError(f"{folder / name} is missing: the ensemble's folder is incomplete; copy it whole")
        config = read_bundle(folder / name)
        check_same_labels(ensemble.labels, str(where), config.labels, str(folder / name))
        parts.append(Part(folder / name, config, weight))
    return ensemble, parts


def is_ensemble(config: Mapping[str, Any]) -> bool:
    """Whether the content of a prompt_config.json is an ensemble's, in whatever format version."""
    return "members" in config


def average(probabilities: Sequence[np.ndarray], weights: Optional[Sequence[float]] = None) -> np.ndarray:
    """[N, C] probabilities of each member -> [N, C], their mean, weighted by `weights` divided by their sum."""
    if len(probabilities) == 1:
        return probabilities[0]
    return np.average(np.stack(probabilities), axis=0, weights=weights)


def is_weight(value: Any) -> bool:
    """Whether it is a finite number above 0."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0


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
