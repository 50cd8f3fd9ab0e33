"""JSON files: writing them, reading an object of one that may be damaged in any way, and the shapes of its entries.

Whatever is wrong with the file, its reader gets one line that names the file and the entry.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Callable, Union

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import PromptKitError

_SHOWN = 60  # characters of a wrong value


@dataclass(frozen=True)
class Shape:
    """What an entry may be. what: in words, for the message; needed: whether it must be there."""

    what: str
    fits: Callable[[Any], bool]
    needed: bool = True

    def optional(self) -> Shape:
        """The same of an entry that may be absent."""
        return replace(self, needed=False)

    def or_null(self) -> Shape:
        """The same of an entry that may be null."""
        return replace(self, what=f"{self.what}, or null", fits=lambda value: value is None or self.fits(value))


Shapes = Mapping[str, Union[Shape, "Shapes"]]  # entry -> its shape, or the shapes of the entries of an object


def whole(low: int, high: int) -> Shape:
    """A whole number from low to high."""
    return Shape(f"a whole number from {low} to {high}", lambda value: _is_whole(value) and low <= value <= high)


def number(low: float = -math.inf, high: float = math.inf) -> Shape:
    """A number from low to high; NaN and Infinity are none."""
    limits = f" from {low:g} to {high:g}" if math.isfinite(low) or math.isfinite(high) else ""
    return Shape(f"a number{limits}", lambda value: is_number(value) and low <= value <= high)


def one_of(*values: str) -> Shape:
    """One of these texts."""
    return Shape(f"one of {', '.join(values)}", lambda value: isinstance(value, str) and value in values)


def list_of(what: str, fits: Callable[[Any], bool]) -> Shape:
    """A list whose items all fit."""
    return Shape(f"a list of {what}", lambda value: isinstance(value, list) and all(map(fits, value)))


def map_of(what: str, fits: Callable[[Any], bool]) -> Shape:
    """An object whose values all fit."""
    return Shape(f"an object of {what}", lambda value: isinstance(value, dict) and all(map(fits, value.values())))


ANY = Shape("some value", lambda value: True)
TEXT = Shape("a text", lambda value: isinstance(value, str))
BOOLEAN = Shape("true or false", lambda value: isinstance(value, bool))
OBJECT = Shape("an object", lambda value: isinstance(value, dict))


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number that is finite, also as a float."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the floats
        return False


def read_object(path: PathLike, error: type[PromptKitError], fix: str, shapes: Shapes | None = None) -> dict[str, Any]:
    """The object in a UTF-8 JSON file.

    Args:
        error: what is raised, in one line, for a file that is not there, no JSON, no object, or against `shapes`.
        fix: what to do, the end of that line.
        shapes: of its entries; others are left alone.
    """
    where = os.path.abspath(path)
    try:
        with open(path, encoding="utf-8-sig") as file:
            content = json.load(file)
    except FileNotFoundError:
        raise error(f"{where} is missing; {fix}") from None
    except OSError as problem:
        raise error(f"{where} cannot be read: {problem.strerror or problem}; {fix}") from None
    except RecursionError:
        raise error(f"{where} is damaged: brackets within brackets without end; {fix}") from None
    except ValueError as problem:  # of decoding too
        raise error(f"{where} is damaged: {' '.join(str(problem).split())}; {fix}") from None
    if not isinstance(content, dict):
        raise error(f"{where} is damaged: expected a JSON object, got {_shown(content)}; {fix}")
    check_object(content, shapes or {}, where, error, fix)
    return content


def write_json(path: PathLike, content: Any) -> None:
    """Write indented UTF-8 JSON, with a newline at its end, whatever the system."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        json.dump(content, file, ensure_ascii=False, indent=2)
        file.write("\n")


def check_object(
    content: Mapping[str, Any], shapes: Shapes, where: str, error: type[PromptKitError], fix: str, prefix: str = ""
) -> None:
    """Raise `error`, in one line, for the first entry of an object that is absent or of another shape."""
    for name, shape in shapes.items():
        if isinstance(shape, Mapping):
            inner: Any = content.get(name)
            if not isinstance(inner, dict):
                _refuse(content, f"{prefix}{name}", name, OBJECT.what, where, error, fix)
            check_object(inner, shape, where, error, fix, f"{prefix}{name}.")
        elif name not in content and not shape.needed:
            continue
        elif name not in content or not shape.fits(content[name]):
            _refuse(content, f"{prefix}{name}", name, shape.what, where, error, fix)


def _refuse(
    content: Mapping[str, Any], label: str, name: str, what: str, where: str, error: type[PromptKitError], fix: str
) -> None:
    found = f"is {_shown(content[name])}" if name in content else "is missing"
    raise error(f"{where} is damaged: {label} {found}, expected {what}; {fix}")


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**_SHOWN:
        return "a number of many digits"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError):
        return "something else"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
