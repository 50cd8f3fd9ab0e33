"""The file: its kind and format version, files of earlier versions, reading and writing. What a kind says is in kinds.py.

The fields of a kind's dataclass are the entries of its file beside `format_version` and `kind`. A new entry is a new field;
one that an earlier prompt-kit must not pass over gets `since`, the next format version. A file is written in the lowest
version that describes it: 1 (one model), 2 (an ensemble), so that what an earlier prompt-kit can read it does read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Optional, TypeVar

from prompt_kit.data.lines import PathLike
from prompt_kit.data.texts import control_character
from prompt_kit.errors import BundleError, PromptKitError, shown
from prompt_kit.json_fields import entries_of, from_object, shapes_of, to_object, versions_used
from prompt_kit.json_file import ANY, check_object, read_object, whole, write_json

CONFIG_FILE = "prompt_config.json"
METHODS = ("prompt", "finetune", "rtd")  # --method
KINDS = ("model", "bundle", "ensemble", "task_set")

Config = TypeVar("Config", bound="PromptConfig")

_SIGNS = {"members": "ensemble", "models": "bundle", "head": "model"}  # entry that only one kind has -> the kind


class PromptConfig:
    """What the kinds share: the file <-> the dataclass."""

    kind: ClassVar[str]
    first_version: ClassVar[int]  # of the format: the one that knows the kind
    error: ClassVar[type[PromptKitError]]
    fix: ClassVar[str]  # what to do about a damaged file
    absent: ClassVar[str]  # what is said of a folder without the file

    @classmethod
    def known_versions(cls) -> list[int]:
        """The format versions that are read."""
        return sorted({cls.first_version, *(one.since for one in entries_of(cls).values() if one.since)})

    @property
    def format_version(self) -> int:
        """The lowest that describes it."""
        return max({self.first_version, *versions_used(self)})

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, format_version first."""
        return {"format_version": self.format_version, "kind": self.kind, **to_object(self)}

    @classmethod
    def from_dict(cls: type[Config], content: Mapping[str, Any], where: str = CONFIG_FILE) -> Config:
        """Inverse of `to_dict`, and of what earlier versions wrote; entries that no field declares are passed over.

        Raises the kind's error, in one line that begins with `where`, for anything amiss.
        """
        content = _upgrade(content)
        _check_version(cls, content, where)
        check_object(content, shapes_of(cls), where, cls.error, cls.fix)
        try:
            config: Config = from_object(cls, content)
        except PromptKitError as error:
            raise cls.error(f"{where} is damaged: {error}; {cls.fix}") from None
        return config


def read_prompt_config(folder: PathLike, *kinds: type[Config]) -> Config:
    """prompt_config.json of a folder that is of one of `kinds`.

    Raises the kind's error (CheckpointError for a model, BundleError for what is exported), in one line with the absolute
    path: the file is missing or damaged, of another kind or of a format version that is not read, or a value is absurd.
    """
    path, first = Path(os.path.abspath(folder)) / CONFIG_FILE, kinds[0]
    if not path.is_file():
        raise first.error(f"{path} is missing: {first.absent}")
    content = _upgrade(read_object(path, first.error, first.fix))
    kind = content.get("kind", first.kind)
    if kind not in KINDS:
        raise first.error(
            f"{path}: kind is {shown(kind)}, but this prompt-kit reads {', '.join(KINDS)}; update prompt-kit"
        )
    found = next((one for one in kinds if one.kind == kind), None)
    if found is None:
        raise first.error(f"{path}: {_not_expected(kind, first)}")
    _check_printable(content, str(path), found)
    return found.from_dict(content, str(path))


def kind_of(folder: PathLike) -> Optional[str]:
    """The kind of a folder, whatever its format version; None where there is no prompt_config.json that says."""
    try:
        content = read_object(Path(folder) / CONFIG_FILE, BundleError, "")
    except BundleError:
        return None
    kind = _upgrade(content).get("kind")
    return kind if kind in KINDS else None


def write_prompt_config(folder: PathLike, config: PromptConfig) -> None:
    """Write prompt_config.json into `folder`. Raises the kind's error for what could not be read again."""
    content = config.to_dict()
    check_object(content, shapes_of(type(config)), type(config).__name__, config.error, "nothing was written")
    write_json(Path(folder) / CONFIG_FILE, content)


def _upgrade(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a file of before there was a `kind`, with the entries of today's; of a later one as it is."""
    kind = next((kind for sign, kind in _SIGNS.items() if sign in content), None)
    if "kind" in content or kind is None:
        return dict(content)
    upgraded = {**content, "kind": kind}
    if kind == "model" and "method" not in content:  # the first ones say it as `mode`; zero-shot was a prompt
        mode = content.get("mode")
        upgraded["method"] = mode if mode in METHODS else METHODS[0]
    return upgraded


def _check_version(kind: type[PromptConfig], content: Mapping[str, Any], where: str) -> None:
    check_object(content, {"format_version": ANY}, where, kind.error, kind.fix)
    version, known = content["format_version"], kind.known_versions()
    if not whole(1, 10**6).fits(version) or version not in known:
        newer = whole(known[-1] + 1, 10**6).fits(version)
        raise kind.error(
            f"{where} has format_version {shown(version)}, but this prompt-kit reads {kind.kind}s of "
            f"{' and '.join(map(str, known))}; {'update prompt-kit' if newer else kind.fix}"
        )


def _not_expected(kind: str, expected: type[PromptConfig]) -> str:
    if expected.kind == "model":
        return "this is an exported folder; expected the training folder that it was made from"
    if kind == "model":
        return "this is a training folder, not an exported one: run python export.py on it first"
    if kind == "task_set":
        return "this folder serves several tasks on one language model, expected one model: export the task by itself"
    return "this folder is an ensemble of several models, expected one model: name a folder in it"


def _check_printable(value: Any, where: str, kind: type[PromptConfig], place: str = "") -> None:
    """Refuse a name or text that would steer a terminal when it is printed: a folder may come from a stranger."""
    if isinstance(value, str) and (found := control_character(value)):
        raise kind.error(
            f"{where} is damaged: the control character {found} in {place or 'a name'}: {shown(value)}; {kind.fix}"
        )
    if isinstance(value, Mapping):
        for key, one in value.items():
            _check_printable(key, where, kind, place)
            _check_printable(one, where, kind, f"{place}.{key}".strip("."))
    elif isinstance(value, list):
        for one in value:
            _check_printable(one, where, kind, place)
