"""Text file or stream -> numbered lines. Every mistake in it becomes one line that starts with file:line.

Only \\n and \\r\\n end a line: scraped headlines contain U+2028, U+0085 and \\x0b, where str.splitlines cuts too.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TextIO, Union

from prompt_kit.data.encoding import command, other_kind, what_to_do
from prompt_kit.data.texts import is_empty
from prompt_kit.errors import DataError, PromptKitError, shown

PathLike = Union[str, "os.PathLike[str]"]
Numbered = Iterator[tuple[int, str]]


class ByteLines(Protocol):
    """What is read of a binary stream: a file, sys.stdin.buffer, a GzipFile."""

    def __iter__(self) -> Iterator[bytes]: ...


def read_lines(path: PathLike, error: type[PromptKitError] = DataError, skip_blank: bool = False) -> Numbered:
    """Yield (line number from 1, line without its end) of a UTF-8 file, in constant memory.

    A BOM, CRLF and blank lines at the end are fine, with `skip_blank` anywhere; a line is blank when `is_empty` says so.
    Tabs and spaces at the ends of a line are kept. A file whose name ends with .gz is unpacked.
    Raises `error` for a file that is not there or cannot be read to its end, a byte that is not UTF-8, a blank line in
    the middle, and a file without any text.
    """
    name = os.fspath(path)
    try:
        stream = open(path, "rb")
    except FileNotFoundError:
        raise error(_missing(name)) from None
    except IsADirectoryError:
        raise error(f"{name}: this is a folder, expected a text file") from None
    except OSError as problem:
        raise error(f"{name}: cannot be read ({problem.strerror}); check the path and its permissions") from None
    with stream:
        source: ByteLines = gzip.GzipFile(fileobj=stream) if name.endswith(".gz") else stream
        yield from number_lines(source, name, error, skip_blank)


def number_lines(
    stream: Union[ByteLines, TextIO], name: str, error: type[PromptKitError] = DataError, skip_blank: bool = False
) -> Numbered:
    """The same for an open stream. `name` stands for the file in messages, for example '<stdin>'.

    A text stream that has a `.buffer` (sys.stdin) is read as bytes, so that its locale cannot garble Chinese.
    """
    offset = number = last_text = 0
    seen_utf8, blank = False, ""
    for number, raw in enumerate(_read(getattr(stream, "buffer", stream), name, error), start=1):
        if isinstance(raw, bytes):
            if number == 1 and (kind := other_kind(raw)):
                raise error(f"{name}: expected a text file, but this is {kind}")
            line = _decode(raw, name, number, offset, seen_utf8, error)
            seen_utf8 = seen_utf8 or max(line) > "\u2fff"  # three bytes each, which GBK seldom makes by chance
        else:
            line = raw
        offset += len(raw)
        line = line[:-1] if line.endswith("\n") else line
        line = line[:-1] if line.endswith("\r") else line
        if number == 1:
            line = line[1:] if line.startswith("\ufeff") else line
        if "\r" in line:
            raise error(f"{name}:{number}: {_carriage_return(raw, line, name)}")
        if is_empty(line):
            blank = line if number == last_text + 1 else blank
            continue  # an error only when text follows: blank lines at the end are fine
        if number != last_text + 1 and not skip_blank:
            unseen = f" (of characters that show nothing: {shown(blank.strip())})" if blank.strip() else ""
            raise error(
                f"{name}:{last_text + 1}: blank line{unseen}, expected text on every line; delete the blank line"
            )
        last_text = number
        yield number, line
    if not last_text:
        found = f"{number} blank line(s)" if number else "nothing"
        raise error(f"{name}: the file is empty, expected at least one line of text, got {found}")


def _read(stream: Union[ByteLines, TextIO], name: str, error: type[PromptKitError]) -> Iterator[Union[bytes, str]]:
    """The raw lines. What the system or gzip says in the middle of a file is `error`, with the line."""
    number = 0
    lines: Iterator[Union[bytes, str]] = iter(stream)
    while True:
        try:
            raw = next(lines, None)
        except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
            raise error(
                f"{name}: not a whole gzip file ({problem}); copy it again, or give it its own suffix"
            ) from None
        except OSError as problem:
            raise error(
                f"{name}:{number + 1}: cannot be read on ({problem.strerror or problem}); what stands before was read: "
                "check the disk, the connection or the program that writes it"
            ) from None
        if raw is None:
            return
        number += 1
        yield raw


def _decode(raw: bytes, name: str, number: int, offset: int, utf8_before: bool, error: type[PromptKitError]) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        place = f"byte 0x{raw[problem.start]:02x} at byte offset {offset + problem.start} of the file"
        advice = what_to_do(raw, name, number == 1, utf8_before)
        raise error(f"{name}:{number}: not UTF-8: {place}; {advice}") from None


def _carriage_return(raw: Union[bytes, str], line: str, name: str) -> str:
    """What is wrong with a line that has a carriage return in it, or two at its end."""
    what = "a carriage return inside the line"
    if not line.rstrip("\r").count("\r"):
        return f"two carriage returns at the end of the line; take them out: {command(_DELETE_RETURNS, name)}"
    is_ended = raw.endswith("\n") if isinstance(raw, str) else raw.endswith(b"\n")
    if is_ended and line.count("\r") == 1:
        return f"{what}; write a space for it: {command(_RETURNS_TO_SPACES, name)}"
    return f"{what}, as in files of old Macs, whose lines all end so; convert it: {command(_RETURNS_TO_LINES, name)}"


_DELETE_RETURNS, _RETURNS_TO_SPACES, _RETURNS_TO_LINES = r"tr -d '\r'", r"tr '\r' ' '", r"tr '\r' '\n'"


def _missing(name: str) -> str:
    """Say which part of the path is absent: people mistype folders more often than file names."""
    path = Path(name)
    if not path.parent.is_dir():
        return f"{name}: no such file, because its folder is not there: {path.parent.absolute()}"
    if not os.access(path.parent, os.R_OK):
        return f"{name}: no such file: {path.absolute()}"
    neighbours = sorted(entry.name for entry in path.parent.iterdir() if entry.is_file())
    found = ", ".join(neighbours[:8]) + (", …" if len(neighbours) > 8 else "") or "no files"
    return f"{name}: no such file: {path.absolute()} (the folder has {found})"
