"""Text file or stream -> numbered lines. Every mistake in it becomes one line that starts with file:line.

Only \\n and \\r\\n end a line: scraped headlines contain U+2028, U+0085 and \\x0b, where str.splitlines cuts too.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO, Union

from prompt_kit.errors import DataError, PromptKitError

PathLike = Union[str, "os.PathLike[str]"]
Numbered = Iterator[tuple[int, str]]

_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def read_lines(path: PathLike, error: type[PromptKitError] = DataError, skip_blank: bool = False) -> Numbered:
    """Yield (line number from 1, line without its end) of a UTF-8 file, in constant memory.

    A BOM, CRLF and blank lines at the end are fine, with `skip_blank` anywhere. Tabs and spaces at the ends of a line
    are kept. A file whose name ends with .gz is unpacked.
    Raises `error` for a file that is not there or cannot be opened, a byte that is not UTF-8, a blank line in the
    middle, and a file without any text.
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
        if not name.endswith(".gz"):
            yield from number_lines(stream, name, error, skip_blank)
            return
        try:
            yield from number_lines(gzip.GzipFile(fileobj=stream), name, error, skip_blank)
        except (OSError, EOFError, zlib.error) as problem:
            raise error(
                f"{name}: not a whole gzip file ({problem}); copy it again, or give it its own suffix"
            ) from None


def number_lines(
    stream: Union[BinaryIO, TextIO], name: str, error: type[PromptKitError] = DataError, skip_blank: bool = False
) -> Numbered:
    """The same for an open stream. `name` stands for the file in messages, for example '<stdin>'.

    A text stream that has a `.buffer` (sys.stdin) is read as bytes, so that its locale cannot garble Chinese.
    """
    offset = number = last_text = 0
    for number, raw in enumerate(getattr(stream, "buffer", stream), start=1):
        line = _decode(raw, name, number, offset, error) if isinstance(raw, bytes) else raw
        offset += len(raw)
        line = line[:-1] if line.endswith("\n") else line
        line = line[:-1] if line.endswith("\r") else line
        if number == 1:
            line = line[1:] if line.startswith("\ufeff") else line
        if "\r" in line:
            raise error(
                f"{name}:{number}: a carriage return inside the line, as in files of old Macs, whose lines all end so; convert "
                f"it: tr '\\r' '\\n' < {name} > converted.txt"
            )
        if not line.strip():
            continue  # an error only when text follows: blank lines at the end are fine
        if number != last_text + 1 and not skip_blank:
            raise error(f"{name}:{last_text + 1}: blank line, expected text on every line; delete the blank line")
        last_text = number
        yield number, line
    if not last_text:
        found = f"{number} blank line(s)" if number else "nothing"
        raise error(f"{name}: the file is empty, expected at least one line of text, got {found}")


def _decode(raw: bytes, name: str, number: int, offset: int, error: type[PromptKitError]) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        place = f"byte 0x{raw[problem.start]:02x} at byte offset {offset + problem.start} of the file"
        encoding = "UTF-16" if number == 1 and raw.startswith(_UTF16_BOMS) else "GBK"
        raise error(
            f"{name}:{number}: not UTF-8: {place}; convert it, for example from {encoding}: "
            f"iconv -f {encoding} -t UTF-8 {name} > utf8.txt"
        ) from None


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
