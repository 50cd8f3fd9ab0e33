"""What a folder of several tasks says of itself: one language model as a graph, and what each task adds to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from prompt_kit.errors import BundleError, PromptKitError, shown
from prompt_kit.json_fields import entries_of, entry, from_object, shapes_of, to_object
from prompt_kit.json_file import OBJECT, TEXT, check_object, map_of
from prompt_kit.prompt_config.file import PromptConfig
from prompt_kit.prompt_config.kinds import (
    _AXES,
    _TEXTS,
    DEFAULT_PRECISION,
    OUTPUT_NAME,
    SHA256,
    TOKENIZER_FILE,
    Axes,
    BundleConfig,
    _from_axes,
    _to_axes,
)

SOFT_INPUT = "soft_table"
PREFIX_INPUTS = ("prefix_keys", "prefix_values")
HEAD_INPUTS = ("head_weight", "head_bias", "head_center", "head_directions")
_NAME = re.compile(r"[\w-][\w.-]{0,63}")
_SHARED = ("models", "weights", "tokenizer", "base_model", "agreement", "versions")  # by all tasks
_OWN = tuple(name for name in entries_of(BundleConfig) if name not in (*_SHARED, "inputs", "outputs"))


def text_inputs() -> dict[str, Axes]:
    """Name -> shape of the graph's int64 inputs, which come from texts. soft_ids are zeros for a task without soft tokens."""
    line: Axes = ("batch", "length")
    return {"input_ids": line, "token_type_ids": line, "mask_columns": ("batch", "masks"), "soft_ids": line}


def task_inputs(with_prefix: bool) -> dict[str, Axes]:
    """Name -> shape of the graph's float32 inputs, which a task's file holds. "features" are M masks times E numbers."""
    head: dict[str, Axes] = {
        "head_weight": ("features", "labels"),
        "head_bias": ("labels",),
        "head_center": ("features",),
        "head_directions": ("features", "labels"),
    }
    deep: Axes = ("layers", "heads", "tokens", "size")
    return {SOFT_INPUT: ("tokens", "width"), **head, **({name: deep for name in PREFIX_INPUTS} if with_prefix else {})}


def graph_inputs(with_prefix: bool) -> dict[str, Axes]:
    """All inputs of the graph of several tasks."""
    return {**text_inputs(), **task_inputs(with_prefix)}


def check_task_name(name: Any) -> None:
    """BundleError for a name that no file, command line or path could hold."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BundleError(f"task name {shown(name)}: expected up to 64 letters, digits, '.', '-' and '_'")


def _to_tasks(value: Mapping[str, Any]) -> dict[str, BundleConfig]:
    tasks = {}
    shapes = {name: shape for name, shape in shapes_of(BundleConfig).items() if name in _OWN}
    for name, content in value.items():
        check_task_name(name)
        check_object(content, shapes, f"task {name}", BundleError, BundleConfig.fix)
        try:
            tasks[name] = from_object(BundleConfig, {key: content[key] for key in _OWN if key in content})
        except PromptKitError as error:
            raise BundleError(f"task {name}: {error}") from None
    return tasks


def _from_tasks(value: Mapping[str, BundleConfig]) -> dict[str, dict[str, Any]]:
    objects = {name: to_object(one) for name, one in value.items()}
    return {name: {key: one[key] for key in _OWN if key in one} for name, one in objects.items()}


@dataclass(frozen=True)
class TasksConfig(PromptConfig):
    """An exported folder of several tasks on one language model.

    models, weights, tokenizer, base_model, agreement  as of a BundleConfig; what all tasks share
    base_sha256  of the language model's weights
    inputs       name -> shape of the graph's inputs: of a text int64, of a task float32
    outputs      name -> shape of its output, float32: logits [B, C]
    tasks        name -> the rest of what a BundleConfig says of one model
    """

    kind = "task_set"
    first_version = 3
    error = BundleError
    fix = "copy it whole, or export it again"
    absent = BundleConfig.absent

    tasks: Mapping[str, BundleConfig] = entry(
        map_of("objects by name", lambda value: isinstance(value, dict)), read=_to_tasks, write=_from_tasks
    )
    models: Mapping[str, str] = entry(OBJECT, write=dict)
    weights: Mapping[str, str] = entry(OBJECT, factory=dict, write=dict)
    tokenizer: str = entry(TEXT, TOKENIZER_FILE)
    base_model: str = entry(TEXT, "")
    base_sha256: str = entry(SHA256, "")
    agreement: Mapping[str, Mapping[str, float]] = entry(OBJECT, factory=dict, write=dict)
    versions: Mapping[str, str] = entry(_TEXTS, factory=dict, write=dict)
    inputs: Mapping[str, Axes] = entry(_AXES, factory=dict, needed=True, read=_to_axes, write=_from_axes)
    outputs: Mapping[str, Axes] = entry(
        _AXES, factory=lambda: {OUTPUT_NAME: ("batch", "labels")}, needed=True, read=_to_axes, write=_from_axes
    )

    def __post_init__(self) -> None:
        if not self.tasks:
            raise BundleError("tasks: expected one or more, got none")
        expected = graph_inputs(self.with_prefix)
        if dict(self.inputs) != expected:
            raise BundleError(f"inputs: expected {shown(expected, 400)}, got {shown(dict(self.inputs), 400)}")
        shared = {name: getattr(self, name) for name in _SHARED}
        # each says of itself what it would say alone
        object.__setattr__(self, "tasks", {name: replace(one, **shared) for name, one in self.tasks.items()})

    @property
    def with_prefix(self) -> bool:
        """Whether the graph has inputs for a prefix."""
        return PREFIX_INPUTS[0] in self.inputs

    def graph_files(self) -> list[str]:
        """Names of the files that every use of the folder needs."""
        first = next(iter(self.tasks.values()))
        return [self.tokenizer, *first.graph_files(DEFAULT_PRECISION)]
