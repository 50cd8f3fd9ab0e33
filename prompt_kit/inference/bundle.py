"""The exported folder: prompt_config.json <-> BundleConfig, and the checks that make a bundle safe to load.

    model.onnx [model_fp16.onnx] [model_int8.onnx], each with its weights in *.onnx.data  model.json model.pdiparams
    tokenizer.json  prompt_config.json  README.md

Only JSON and ONNX are read from it, nothing that could run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Protocol, Union

from prompt_kit.data.lines import PathLike
from prompt_kit.data.texts import control_character
from prompt_kit.errors import BundleError, PromptKitError, shown
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt.verbalizer import Verbalizer

CONFIG_FILE = "prompt_config.json"
TOKENIZER_FILE = "tokenizer.json"
FORMAT_VERSION = 1
DEFAULT_PRECISION = "fp32"
# Share of labels that a precision must keep to be exported, and to be used without asking.
LEAST_AGREEMENT = {"int8": 0.99, "bf16": 0.995}
OUTPUT_NAME = "logits"
_EXPORT_AGAIN = "export it with: python export.py --resume_from_checkpoint CHECKPOINT"

Shape = tuple[Union[int, str], ...]  # a number, or the name of a dimension that is free


@dataclass(frozen=True)
class BundleConfig:
    """What prompt_config.json of a bundle says.

    prompt      `PromptTokenizer.to_config()`: the template and the lengths
    verbalizer  the labels, in the order of the logits, with their words
    models      precision -> file name; "fp32" is always there
    weights     precision -> name of the file that holds this graph's weights, where they are not in its own
    inputs      name -> shape of the graph's inputs, all int64: B "batch", L "length", M masks
    outputs     name -> shape of its output, float32: logits [B, C]
    metrics     scores of the model before export, such as {"eval_accuracy": 0.57}; empty if unknown
    parity      precision -> largest difference to the logits of the model before export
    agreement   precision -> {"share": of texts that get fp32's label, "texts": how many were compared}; for int8, and for
                bf16, which has no file of its own, with "probability": the largest difference of one, too
    mode        "prompt", "zero-shot" for a prompt model that no example has trained, or "finetune"
    """

    prompt: Mapping[str, Any]
    verbalizer: Verbalizer
    models: Mapping[str, str] = field(default_factory=lambda: {DEFAULT_PRECISION: "model.onnx"})
    weights: Mapping[str, str] = field(default_factory=dict)
    tokenizer: str = TOKENIZER_FILE
    base_model: str = ""
    mode: str = "prompt"
    metrics: Mapping[str, float] = field(default_factory=dict)
    parity: Mapping[str, float] = field(default_factory=dict)
    agreement: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Shape] = field(default_factory=dict)
    outputs: Mapping[str, Shape] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if DEFAULT_PRECISION not in self.models:
            found = shown(sorted(self.models)) if self.models else "none"
            raise BundleError(f"models: expected an entry {shown(DEFAULT_PRECISION)}, got {found}")
        for name in (self.tokenizer, *self.models.values(), *self.weights.values()):
            if (
                not isinstance(name, str)
                or not name
                or name != os.path.basename(name)
                or name in (".", "..")
                or len(name) > 255
            ):
                raise BundleError(f"file names in a bundle lie in its own folder, got {shown(name)}")
        expected = graph_shapes(self.template, len(self.verbalizer))
        for kind, given, shapes in zip(("inputs", "outputs"), (self.inputs, self.outputs), expected):
            if given and dict(given) != shapes:
                raise BundleError(
                    f"{kind}: the template and {len(self.verbalizer)} labels ask for {shapes}, got {shown(given, 400)}"
                )
            object.__setattr__(self, kind, shapes)

    @property
    def template(self) -> Template:
        return Template.parse(self.prompt["template"])

    @property
    def max_seq_length(self) -> int:
        return self.prompt["max_seq_length"]

    @property
    def labels(self) -> tuple[str, ...]:
        return self.verbalizer.labels

    def graph_files(self, precision: str) -> list[str]:
        """Names of the files of one of `models`: the graph, and its weights if they are apart."""
        return [files[precision] for files in (self.models, self.weights) if precision in files]

    def agrees(self, precision: str) -> bool:
        """Whether this precision was found to keep its `LEAST_AGREEMENT` of fp32's labels."""
        found = self.agreement.get(precision)
        share = found.get("share") if isinstance(found, Mapping) else None
        return isinstance(share, (int, float)) and share >= LEAST_AGREEMENT[precision]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, format_version first."""
        config = {"format_version": self.format_version, "mode": self.mode, "base_model": self.base_model}
        config.update(prompt=dict(self.prompt), verbalizer=self.verbalizer.to_dict())
        rest = ("tokenizer", "models", "weights", "inputs", "outputs", "metrics", "parity", "agreement", "versions")
        config.update({key: _plain(getattr(self, key)) for key in rest})
        return config

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> BundleConfig:
        """Inverse of `to_dict`; keys it does not know are passed over. Raises PromptKitError for anything amiss."""
        if "members" in config:
            raise BundleError("this folder is an ensemble of several models, expected one model: name a folder in it")
        version = config.get("format_version")
        if version != FORMAT_VERSION:
            newer = isinstance(version, int) and version > FORMAT_VERSION
            fix = "update prompt-kit" if newer else _EXPORT_AGAIN
            raise BundleError(f"format_version {shown(version)}, this prompt-kit reads {FORMAT_VERSION}: {fix}")
        if "models" not in config and "head" in config:
            raise BundleError("this is a training folder, not an exported one: run python export.py on it first")
        for key in ("prompt", "verbalizer", "models", *_GRAPH):
            if not isinstance(config.get(key), dict):
                raise BundleError(f"{key}: expected a JSON object, got {shown(config.get(key))}; {_EXPORT_AGAIN}")
        prompt = config["prompt"]
        known: tuple[tuple[str, type], ...] = (("template", str), ("max_seq_length", int))
        for key, kind in known:
            if not isinstance(prompt.get(key), kind):
                raise BundleError(f"prompt: expected a {kind.__name__} as {key}, got {shown(prompt.get(key))}")
        shapes: dict[str, Any] = {
            graph: {name: _shape(graph, name, shape) for name, shape in config[graph].items()} for graph in _GRAPH
        }
        optional = {key: config[key] for key in _OPTIONAL if isinstance(config.get(key), type(_OPTIONAL[key]))}
        return cls(prompt, Verbalizer.from_dict(config["verbalizer"]), config["models"], **shapes, **optional)


_GRAPH = ("inputs", "outputs")
_OPTIONAL: dict[str, Any] = {
    "tokenizer": "",
    "weights": {},
    "base_model": "",
    "mode": "",
    "metrics": {},
    "parity": {},
    "agreement": {},
    "versions": {},
}


def graph_shapes(template: Template, num_labels: int) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """({input name: shape}, {output name: shape}) of a bundle's graph; soft_ids only for a template with soft tokens."""
    inputs: dict[str, Shape] = {
        "input_ids": ("batch", "length"),
        "token_type_ids": ("batch", "length"),
        "mask_columns": ("batch", template.num_masks or 1),  # without masks: the column of [CLS]
    }
    if template.uses_soft:
        inputs["soft_ids"] = ("batch", "length")
    return inputs, {OUTPUT_NAME: ("batch", num_labels)}


def bundle_folder(path: PathLike) -> Path:
    """The absolute folder of a bundle given as the folder, as PaddleNLP's prefix (folder/model), or as a file in it.

    Raises BundleError when neither the path nor its parent is a folder.
    """
    absolute = Path(os.path.abspath(path))
    for folder in (absolute, absolute.parent):
        if os.path.isdir(folder):  # False too for a name that no system takes
            return folder
    raise BundleError(f"no exported model at {absolute}: there is no folder {absolute.parent}; {_EXPORT_AGAIN}")


def read_bundle(path: PathLike) -> BundleConfig:
    """Read and check a bundle's prompt_config.json, and that the files it needs are there.

    Raises BundleError, one line with the absolute path: no such folder, missing or damaged prompt_config.json, another
    format_version, labels that do not fit the graph's output, tokenizer.json, model.onnx or its weights missing.
    """
    folder = bundle_folder(path)
    config = read_bundle_config(folder)
    for name in (config.tokenizer, *config.graph_files(DEFAULT_PRECISION)):
        bundle_file(folder, name)
    return config


def read_bundle_config(folder: PathLike) -> BundleConfig:
    """The prompt_config.json alone, checked; whether the files it names are there is not."""
    content = read_config_file(folder)
    try:
        return BundleConfig.from_dict(content)
    except PromptKitError as error:
        raise BundleError(f"{Path(os.path.abspath(folder)) / CONFIG_FILE}: {error}") from None


def read_config_file(folder: PathLike) -> dict[str, Any]:
    """The JSON object in prompt_config.json, of whatever version; BundleError when it is missing or damaged."""
    path = Path(os.path.abspath(folder)) / CONFIG_FILE
    try:
        with open(path, encoding="utf-8-sig") as stream:
            content = json.load(stream)
        if not isinstance(content, dict):
            raise ValueError(f"expected a JSON object, got {type(content).__name__}")
        _check_printable(content)
    except FileNotFoundError:
        raise BundleError(f"{path} is missing, so its folder is not an exported model; {_EXPORT_AGAIN}") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is damaged ({' '.join(str(error).split())}); {_EXPORT_AGAIN}") from None
    return content


def _check_printable(value: Any, place: str = "") -> None:
    """ValueError for a name or text that would steer a terminal when it is printed: a folder may come from a stranger."""
    if isinstance(value, str) and (found := control_character(value)):
        raise ValueError(f"the control character {found} in {place or 'a name'}: {shown(value)}")
    if isinstance(value, dict):
        for key, one in value.items():
            _check_printable(key, place)
            _check_printable(one, f"{place}.{key}".strip("."))
    elif isinstance(value, list):
        for one in value:
            _check_printable(one, place)


def bundle_file(folder: PathLike, name: str) -> Path:
    """The absolute path of a file of a bundle; BundleError when it is not there."""
    path = Path(os.path.abspath(folder)) / name
    if not os.path.isfile(path):
        raise BundleError(f"{path} is missing: the exported folder is incomplete; copy it whole, or {_EXPORT_AGAIN}")
    return path


class ExportedConfig(Protocol):
    """What prompt_config.json of an exported folder is written from: a BundleConfig or an EnsembleConfig."""

    def to_dict(self) -> dict[str, Any]: ...


def write_bundle_config(folder: PathLike, config: ExportedConfig) -> None:
    """Write prompt_config.json into `folder`."""
    with open(Path(folder) / CONFIG_FILE, "w", encoding="utf-8", newline="\n") as stream:
        json.dump(config.to_dict(), stream, ensure_ascii=False, indent=2)
        stream.write("\n")


def load_prompt_tokenizer(
    folder: PathLike, config: BundleConfig, max_seq_length: Optional[int] = None
) -> PromptTokenizer:
    """The bundle's template and tokenizer, as `config` has them, or with a shorter `max_seq_length`.

    Raises BundleError for a damaged tokenizer.json or settings, ConfigError when the prompt leaves no room.
    """
    tokenizer_path = bundle_file(folder, config.tokenizer)
    try:
        tokenizer = Tokenizer.from_file(tokenizer_path)
        whole = PromptTokenizer.from_config(config.prompt, tokenizer)
    except PromptKitError as error:
        where = "" if str(tokenizer_path) in str(error) else f"{tokenizer_path.parent / CONFIG_FILE}: "
        raise BundleError(f"{where}{error}") from None
    if max_seq_length in (None, config.max_seq_length):
        return whole
    return PromptTokenizer.from_config({**config.prompt, "max_seq_length": max_seq_length}, tokenizer)


def _plain(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: list(item) if isinstance(item, tuple) else item for key, item in value.items()}


def _shape(kind: str, name: str, shape: Any) -> Shape:
    if not isinstance(shape, list) or not all(isinstance(size, (int, str)) for size in shape):
        raise BundleError(f'{kind}: expected a shape like ["batch", "length"] for {shown(name)}, got {shown(shape)}')
    return tuple(shape)
