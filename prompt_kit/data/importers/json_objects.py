"""JSON, a list of objects or one a line -> the objects with the lines on which they begin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from prompt_kit.errors import DataError

_SPACE = " \t\r\n\ufeff"


def is_json(text: str) -> bool:
    """Whether the text begins as JSON does, and no table would."""
    return text.lstrip(_SPACE)[:1] in ("{", "[")


def read_objects(name: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file:line, object) for a JSON list, for JSON lines, or for a single object.

    Raises DataError with file:line for what is not JSON, and for an element that is no object.
    """
    for line, value in _lines(name, text) if _is_lines(text) else _elements(name, text):
        where = f"{name}:{line}"
        if not isinstance(value, dict):
            shown = repr(value)
            raise DataError(
                f'{where}: expected an object such as {{"text": …}}, got {shown if len(shown) <= 40 else shown[:40] + "…"}'
            )
        yield where, value


def _is_lines(text: str) -> bool:
    """JSON lines: the first line that is not blank is an object of its own."""
    first = text.lstrip(_SPACE).partition("\n")[0]
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _lines(name: str, text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip(_SPACE)
        if line:
            value, end = _parse(f"{name}:{number}", line, 0, 0)
            if end < len(line):
                raise DataError(f"{name}:{number}: text behind the JSON object on its line; export it again")
            yield number, value


def _elements(name: str, text: str) -> Iterator[tuple[int, Any]]:
    """The elements of a list, or objects one after another, however they are broken into lines."""
    place, line = _skip(text, 0, 1)
    in_list = text[place : place + 1] == "["
    if in_list:
        place, line = _skip(text, place + 1, line)
    while place < len(text):
        if in_list and text[place] == "]":
            place, line = _skip(text, place + 1, line)
            if place < len(text):
                raise DataError(f"{name}:{line}: text behind the end of the JSON list; export it again")
            return
        value, end = _parse(f"{name}:{line}", text, place, line)
        yield line, value
        place, line = _skip(text, end, line + text.count("\n", place, end))
        if in_list and text[place : place + 1] == ",":
            place, line = _skip(text, place + 1, line)
        elif in_list and text[place : place + 1] not in ("]", ""):
            raise DataError(f"{name}:{line}: not JSON (expected a comma or the end of the list); export it again")
    if in_list:
        raise DataError(f"{name}:{line}: the JSON list has no end, so the file was cut; export it again")


def _skip(text: str, place: int, line: int) -> tuple[int, int]:
    while place < len(text) and text[place] in _SPACE:
        line += text[place] == "\n"
        place += 1
    return place, line


def _parse(where: str, text: str, place: int, line: int) -> tuple[Any, int]:
    """(value, where it ends). `line` is 0 when `text` is a line alone, whose number `where` has."""
    try:
        return json.JSONDecoder().raw_decode(text, place)
    except json.JSONDecodeError as problem:
        if line:
            name = where.rpartition(":")[0]
            where = f"{name}:{problem.lineno}"
        raise DataError(f"{where}: not JSON ({problem.msg} at column {problem.colno}); export it again") from None
    except RecursionError:
        raise DataError(f"{where}: JSON nested too deeply, which no export is; export it again") from None
    except ValueError as problem:
        raise DataError(f"{where}: not JSON that can be read ({problem}); export it again") from None
