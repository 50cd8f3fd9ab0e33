"""A dataclass whose fields are the entries of a JSON object: each is declared once, with the shape that its entry must have.

@dataclass(frozen=True)
class Settings:
    rate: float = entry(number(0, 1), 0.5)
    labels: tuple[str, ...] = entry(TEXTS, (), read=tuple, write=list)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Optional, Union

from prompt_kit.json_file import Shape, Shapes

_KEY = "entry"


@dataclasses.dataclass(frozen=True)
class Entry:
    """shape: of the JSON value; read: from it to the field's value; write: the inverse; since: see `entry`."""

    shape: Union[Shape, Shapes]
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    since: int


def entry(
    shape: Union[Shape, Shapes],
    default: Any = dataclasses.MISSING,
    *,
    factory: Any = dataclasses.MISSING,
    needed: Optional[bool] = None,
    read: Callable[[Any], Any] = lambda value: value,
    write: Callable[[Any], Any] = lambda value: value,
    since: int = 0,
) -> Any:
    """A dataclass field that is an entry of the file.

    Args:
        shape: of the JSON value, or the shapes of the entries of an object.
        default, factory: as of `dataclasses.field`. A value of None is not written.
        needed: whether the file must have it; by default it must where the field has no default.
        read, write: from the JSON value, which has the shape, to the field's value, and back.
        since: the format version from which on it is understood. A file in which it is not the default is written in that
            version, so that an earlier reader refuses what it would misread.
    """
    if needed is None:
        needed = default is dataclasses.MISSING and factory is dataclasses.MISSING
    if isinstance(shape, Shape) and not needed:
        shape = shape.optional()
    metadata = {_KEY: Entry(shape, read, write, since)}
    return dataclasses.field(default=default, default_factory=factory, metadata=metadata)


def entries_of(kind: type) -> dict[str, Entry]:
    """Name -> entry of a dataclass whose fields are declared by `entry`."""
    return {field.name: field.metadata[_KEY] for field in dataclasses.fields(kind)}


def shapes_of(kind: type) -> Shapes:
    """The shapes of a dataclass's entries, for `check_object`."""
    return {name: one.shape for name, one in entries_of(kind).items()}


def to_object(config: Any) -> dict[str, Any]:
    """The JSON object of a dataclass, in the order of its fields; without those that are None."""
    values = {name: one.write(getattr(config, name)) for name, one in entries_of(type(config)).items()}
    return {name: value for name, value in values.items() if value is not None}


def from_object(kind: type, content: Mapping[str, Any]) -> Any:
    """The dataclass of a JSON object that has its shapes; entries that it does not declare are passed over.

    Raises what the dataclass and the `read` of its entries raise.
    """
    return kind(**{name: one.read(content[name]) for name, one in entries_of(kind).items() if name in content})


def versions_used(config: Any) -> set[int]:
    """The `since` of the entries that are not at their default."""
    used = set()
    for field in dataclasses.fields(config):
        since = field.metadata[_KEY].since
        if since and getattr(config, field.name) != _default(field):
            used.add(since)
    return used


def _default(field: dataclasses.Field) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
