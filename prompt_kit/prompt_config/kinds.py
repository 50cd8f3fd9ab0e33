"""What each kind of folder says of itself: a trained model, an exported bundle, an ensemble of bundles."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

from prompt_kit.errors import BundleError, CheckpointError, shown
from prompt_kit.json_fields import entry
from prompt_kit.json_file import ANY, BOOLEAN, OBJECT, TEXT, Shape, is_number, list_of, map_of, number, one_of, whole
from prompt_kit.prompt.task import TASK_TYPES, Task
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.prompt_config.file import METHODS, PromptConfig

TOKENIZER_FILE = "tokenizer.json"
DEFAULT_PRECISION = "fp32"
OUTPUT_NAME, STATES_NAME = "logits", "states"
ZERO_SHOT = "zero-shot"
# Share of labels that a precision must keep to be exported, and to be used without asking.
LEAST_AGREEMENT = {"int8": 0.99, "bf16": 0.995}
EXPORT_AGAIN = "export it with: python export.py --resume_from_checkpoint CHECKPOINT"

SHA256 = Shape("64 hex digits", lambda value: isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value)))

Axes = tuple[Union[int, str], ...]  # of a tensor: numbers, and the names of dimensions that are free

_LENGTH = whole(1, 10**6)
_PROMPT = {  # PromptTokenizer.to_config()
    "template": TEXT,
    "max_seq_length": _LENGTH,
    "first_max_length": _LENGTH.or_null().optional(),
    "other_max_length": _LENGTH.or_null().optional(),
    "truncate_mode": TEXT.optional(),
}
_SCORES = map_of("numbers by name", is_number)
_TEXTS = map_of("texts by name", lambda value: isinstance(value, str))
_AXES = map_of(
    'shapes like ["batch", "length"] by name',
    lambda value: isinstance(value, list) and all(isinstance(size, (int, str)) for size in value),
)


def graph_axes(
    template: Template, num_labels: int, states: Optional[int] = None
) -> tuple[dict[str, Axes], dict[str, Axes]]:
    """({input name: shape}, {output name: shape}) of a bundle's graph.

    soft_ids only for a template with soft tokens; `states`, the width of the output of that name, None without it.
    """
    inputs: dict[str, Axes] = {
        "input_ids": ("batch", "length"),
        "token_type_ids": ("batch", "length"),
        "mask_columns": ("batch", template.num_masks or 1),  # without masks: the column of [CLS]
    }
    if template.uses_soft:
        inputs["soft_ids"] = ("batch", "length")
    outputs: dict[str, Axes] = {OUTPUT_NAME: ("batch", num_labels)}
    if states is not None:
        outputs[STATES_NAME] = ("batch", states)
    return inputs, outputs


def is_weight(value: Any) -> bool:
    """Whether it is a finite number above 0."""
    return is_number(value) and value > 0


def _to_axes(value: Mapping[str, list[Any]]) -> dict[str, Axes]:
    return {name: tuple(axes) for name, axes in value.items()}


def _from_axes(value: Mapping[str, Axes]) -> dict[str, list[Any]]:
    return {name: list(axes) for name, axes in value.items()}


def _to_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _from_tuple(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _to_members(value: Any) -> dict[str, float]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise BundleError(f'members: expected [{{"folder": "member-0", "weight": 0.5}}, …], got {shown(value)}')
    names = [one.get("folder") for one in value]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise BundleError(f"members: expected the name of another folder in each, got {shown(names)}")
    return {one["folder"]: one.get("weight") for one in value}


def _from_members(value: Mapping[str, float]) -> list[dict[str, Any]]:
    return [{"folder": name, "weight": weight} for name, weight in value.items()]


def _is_file_name(name: Any) -> bool:
    """Whether it names something in the folder itself."""
    return isinstance(name, str) and name == os.path.basename(name) and name not in ("", ".", "..") and len(name) <= 255


class _OneModel(PromptConfig):
    """What follows from the entries that a model and a bundle share."""

    prompt: Mapping[str, Any]
    verbalizer: Verbalizer
    task_type: str
    threshold: Optional[float]
    at_least_one: Optional[bool]

    @property
    def task(self) -> Task:
        """What kind of answer a text has; `threshold` and `at_least_one` are of tasks with several labels a text."""
        given = Task(self.task_type)
        return Task(
            self.task_type,
            given.threshold if self.threshold is None else self.threshold,
            given.at_least_one if self.at_least_one is None else self.at_least_one,
        )

    @property
    def template(self) -> Template:
        return Template.parse(self.prompt["template"])

    @property
    def max_seq_length(self) -> int:
        length: int = self.prompt["max_seq_length"]
        return length

    @property
    def labels(self) -> tuple[str, ...]:
        return self.verbalizer.labels


@dataclass(frozen=True)
class ModelConfig(_OneModel):
    """A folder that training wrote: a model that Paddle loads and trains on.

    method       one of METHODS, the class of the model
    head         what turns the language model's states into logits, one of the method's
    mode         the method, or ZERO_SHOT for a model that no example has trained
    base_model   name or folder of the language model that it started from
    prompt       `PromptTokenizer.to_config()`: the template and the lengths
    verbalizer   the labels, in the order of the logits, with their words
    calibration  a bias [C] of the label logits, None without calibration
    base_sha256  of the language model's weights, where the folder holds a prompt without them; else None
    """

    kind = "model"
    first_version = 1
    error = CheckpointError
    fix = "copy the folder again, all its files"
    absent = "not a folder that train.py finished; expected the --output_dir of a finished run, or a checkpoint-N in it"

    method: str = entry(one_of(*METHODS))
    mode: str = entry(one_of(*METHODS, ZERO_SHOT))
    base_model: str = entry(TEXT)
    head: str = entry(TEXT)
    prompt: Mapping[str, Any] = entry(_PROMPT, write=dict)
    verbalizer: Verbalizer = entry(OBJECT, read=Verbalizer.from_dict, write=Verbalizer.to_dict)
    calibration: Optional[tuple[float, ...]] = entry(ANY, None, read=_to_tuple, write=_from_tuple)
    base_sha256: Optional[str] = entry(SHA256.or_null(), None, since=3)
    task_type: str = entry(one_of(*TASK_TYPES), TASK_TYPES[0], since=3)
    threshold: Optional[float] = entry(number(0, 1).or_null(), None, since=3)
    at_least_one: Optional[bool] = entry(BOOLEAN.or_null(), None, since=3)
    versions: Mapping[str, str] = entry(_TEXTS, factory=dict, write=dict)

    def __post_init__(self) -> None:
        self.template  # noqa: B018  it is parsed
        self.task.check_labels(self.labels)
        bias, count = self.calibration, len(self.verbalizer)
        if bias is not None and not (isinstance(bias, tuple) and len(bias) == count and all(map(is_number, bias))):
            raise CheckpointError(f"calibration {shown(_from_tuple(bias))}, expected {count} numbers, one a label")


@dataclass(frozen=True)
class BundleConfig(_OneModel):
    """An exported folder: one model, as graphs that an engine runs.

    prompt      `PromptTokenizer.to_config()`: the template and the lengths
    verbalizer  the labels, in the order of the logits, with their words
    models      precision -> file name; "fp32" is always there
    weights     precision -> name of the file that holds this graph's weights, where they are not in its own
    base_model  name or folder of the language model that it started from
    mode        what the model's `ModelConfig.mode` was
    inputs      name -> shape of the graph's inputs, all int64: B "batch", L "length", M masks
    outputs     name -> shape of its outputs, float32: logits [B, C], and states [B, D] where it has them
    states      D of the states, one vector of length 1 a text, by which labels are added; None without them
    scale       logits a cosine of two states, of a head whose logits are that, with states; else None
    metrics     scores of the model before export, such as {"eval_accuracy": 0.57}; empty if unknown
    parity      precision -> largest difference to the logits of the model before export
    agreement   precision -> {"share": of texts that get fp32's label, "texts": how many were compared}; for int8, and for
                bf16, which has no file of its own, with "probability": the largest difference of one, too
    """

    kind = "bundle"
    first_version = 1
    error = BundleError
    fix = f"copy it whole, or {EXPORT_AGAIN}"
    absent = f"not an exported folder; {EXPORT_AGAIN}"

    prompt: Mapping[str, Any] = entry(_PROMPT, write=dict)
    verbalizer: Verbalizer = entry(OBJECT, read=Verbalizer.from_dict, write=Verbalizer.to_dict)
    models: Mapping[str, str] = entry(
        OBJECT, factory=lambda: {DEFAULT_PRECISION: "model.onnx"}, needed=True, write=dict
    )
    weights: Mapping[str, str] = entry(OBJECT, factory=dict, write=dict)
    tokenizer: str = entry(TEXT, TOKENIZER_FILE)
    base_model: str = entry(TEXT, "")
    mode: str = entry(TEXT, "prompt")
    task_type: str = entry(one_of(*TASK_TYPES), TASK_TYPES[0], since=3)
    threshold: Optional[float] = entry(number(0, 1).or_null(), None, since=3)
    at_least_one: Optional[bool] = entry(BOOLEAN.or_null(), None, since=3)
    metrics: Mapping[str, float] = entry(_SCORES, factory=dict, write=dict)
    parity: Mapping[str, float] = entry(_SCORES, factory=dict, write=dict)
    agreement: Mapping[str, Mapping[str, float]] = entry(OBJECT, factory=dict, write=dict)
    versions: Mapping[str, str] = entry(_TEXTS, factory=dict, write=dict)
    inputs: Mapping[str, Axes] = entry(_AXES, factory=dict, needed=True, read=_to_axes, write=_from_axes)
    outputs: Mapping[str, Axes] = entry(_AXES, factory=dict, needed=True, read=_to_axes, write=_from_axes)
    states: Optional[int] = entry(whole(1, 10**6).or_null(), None, since=3)
    scale: Optional[float] = entry(number(1e-6, 1e6).or_null(), None, since=3)

    def __post_init__(self) -> None:
        if DEFAULT_PRECISION not in self.models:
            found = shown(sorted(self.models)) if self.models else "none"
            raise BundleError(f"models: expected an entry {shown(DEFAULT_PRECISION)}, got {found}")
        for name in (self.tokenizer, *self.models.values(), *self.weights.values()):
            if not _is_file_name(name):
                raise BundleError(f"file names in a bundle lie in its own folder, got {shown(name)}")
        self.task.check_labels(self.labels)
        expected = graph_axes(self.template, len(self.verbalizer), self.states)
        for kind, given, axes in zip(("inputs", "outputs"), (self.inputs, self.outputs), expected):
            if given and dict(given) != axes:
                raise BundleError(
                    f"{kind}: the template and {len(self.verbalizer)} labels ask for {axes}, got {shown(given, 400)}"
                )
            object.__setattr__(self, kind, axes)

    @property
    def has_states(self) -> bool:
        """Whether the graph has the output `states`."""
        return self.states is not None

    def graph_files(self, precision: str) -> list[str]:
        """Names of the files of one of `models`: the graph, and its weights if they are apart."""
        return [files[precision] for files in (self.models, self.weights) if precision in files]

    def decisions(self, logits: np.ndarray) -> np.ndarray:
        """Label logits [N, C] -> bool [N, C], the labels that are answered."""
        return self.task.chosen(self.task.probabilities(logits, self.labels))

    def agrees(self, precision: str) -> bool:
        """Whether this precision was found to keep its `LEAST_AGREEMENT` of fp32's labels."""
        found = self.agreement.get(precision)
        share = found.get("share") if isinstance(found, Mapping) else None
        return isinstance(share, (int, float)) and share >= LEAST_AGREEMENT[precision]


@dataclass(frozen=True)
class EnsembleConfig(PromptConfig):
    """An exported folder of several models, whose probabilities are averaged; each is a bundle in a folder of its own.

    members  name of a folder in the ensemble's own -> weight of its probabilities; two or more
    labels   those of every member, in the order of ids
    metrics  scores of the whole, such as {"eval_accuracy": 0.59}; empty if unknown
    """

    kind = "ensemble"
    first_version = 2
    error = BundleError
    fix = "copy it whole, or make it again with tools/ensemble.py"
    absent = BundleConfig.absent

    members: Mapping[str, float] = entry(ANY, read=_to_members, write=_from_members)
    labels: tuple[str, ...] = entry(list_of("texts", lambda value: isinstance(value, str)), read=tuple, write=list)
    metrics: Mapping[str, float] = entry(_SCORES, factory=dict, write=dict)
    versions: Mapping[str, str] = entry(_TEXTS, factory=dict, write=dict)
    mode: str = entry(TEXT, "ensemble")

    def __post_init__(self) -> None:
        for name in self.members:
            if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\\" in name:
                raise BundleError(f"members: expected names of folders in the ensemble's own folder, got {shown(name)}")
        if len(self.members) < 2:
            raise BundleError(f"members: expected two or more, got {len(self.members)}")
        for name, weight in self.members.items():
            if not is_weight(weight):
                raise BundleError(f"members: expected a number above 0 as weight of {name}, got {shown(weight)}")
