"""Paths -> decoded files. A folder stands for the files in it, and a zip archive for those inside, as doccano's is.

UTF-8 (with or without BOM), UTF-16 (with BOM, or plain to see) and GB18030, of which GBK is a part, are told apart by
their bytes; `encoding` overrules that.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from prompt_kit.data.encoding import other_kind, wide_codec
from prompt_kit.errors import ConfigError, DataError, shown

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_GZIP = b"\x1f\x8b"
_MOST_BYTES = 2 << 30  # of one file of an archive: more is no export of texts that people labelled


@dataclass(frozen=True)
class Source:
    """A file's name for messages, its bytes, and its text once it is decoded."""

    name: str
    data: bytes


def open_sources(paths: Sequence[str], suffixes: Sequence[str]) -> Iterator[Source]:
    """Every file of `paths`, in the order given; in folders and archives those with one of `suffixes`, by name.

    Raises DataError for a path that is not there, cannot be read, is no archive, or holds no such file.
    """
    for path in paths:
        if os.path.isdir(path):
            inside = sorted(one for one in Path(path).iterdir() if one.suffix.lower() in suffixes and one.is_file())
            if not inside:
                raise DataError(f"{path}: no file in this folder ends with {' or '.join(suffixes)}")
            for one in inside:
                yield Source(str(one), _read(str(one)))
        elif path.lower().endswith(".zip"):
            yield from _unzip(path, suffixes)
        else:
            yield Source(path, _read(path))


def decode(source: Source, encoding: Optional[str] = None) -> tuple[str, str]:
    """(text, name of its encoding). DataError with file:line for bytes that are not of it, or for an empty file.

    Zero bytes, with which some programs fill up what they write, are left out: csv refuses them before Python 3.11, and no
    model reads them.
    """
    text, name = _told(source, encoding)
    return text.replace("\0", ""), name


def _told(source: Source, encoding: Optional[str]) -> tuple[str, str]:
    data = source.data
    if not data.strip(b" \t\r\n\x00"):
        raise DataError(f"{source.name}: the file is empty")
    if kind := other_kind(data):
        kind = "packed by gzip; unpack it with gunzip" if data.startswith(_GZIP) else kind
        raise DataError(f"{source.name}: expected a text file, but this is {kind}")
    if encoding is not None:
        return _decode(source, data, _codec(encoding)), encoding
    for mark, name in _BOMS:
        if data.startswith(mark):
            return _decode(source, data[len(mark) :], name), name.partition("-le")[0].partition("-be")[0]
    if wide := wide_codec(data):
        return _decode(source, data, wide), "utf-16"
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as problem:
        if _mostly_utf8(data):
            raise DataError(_misplaced(source, data, problem, "UTF-8")) from None
    return _decode(source, data, "gb18030"), "gb18030"


def _codec(encoding: str) -> str:
    """The name of an encoding; ConfigError for one that is unknown, or that Python has for other things than texts."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)  # refuses codecs of other things than texts, such as hex
        codec = codecs.lookup(encoding).name
    except LookupError:
        raise ConfigError(
            f"--encoding {shown(encoding, quoted=False)} is not known, try utf-8, gb18030, utf-16 or big5"
        ) from None
    return codec


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as problem:
        raise DataError(f"{path}: cannot be read ({problem.strerror}): {os.path.abspath(path)}") from None


def _unzip(path: str, suffixes: Sequence[str]) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(io.BytesIO(_read(path))) as archive:
            names = sorted(
                one.filename for one in archive.infolist() if os.path.splitext(one.filename)[1].lower() in suffixes
            )
            names = [name for name in names if not name.startswith("__MACOSX/")]
            if not names:
                raise DataError(f"{path}: no file in this archive ends with {' or '.join(suffixes)}")
            for name in names:
                if archive.getinfo(name).file_size > _MOST_BYTES:
                    raise DataError(f"{path}/{name}: unpacks to more than 2 GiB; unpack and divide it first")
                data = archive.read(name)
                if data.strip():  # doccano writes an empty file for a member who labelled nothing
                    yield Source(f"{path}/{name}", data)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as problem:
        if isinstance(problem, DataError):
            raise
        raise DataError(f"{path}: not a zip archive that can be read ({problem}); download it again") from None


def _decode(source: Source, data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as problem:
        raise DataError(_misplaced(source, data, problem, codec.upper())) from None
    except UnicodeError as problem:  # of the codec 'undefined'
        raise ConfigError(f"--encoding {codec}: {problem}; try utf-8, gb18030, utf-16 or big5") from None


def _misplaced(source: Source, data: bytes, problem: UnicodeDecodeError, encoding: str) -> str:
    line = data.count(b"\n", 0, problem.start) + 1
    return (
        f"{source.name}:{line}: byte 0x{data[problem.start]:02x} is not {encoding}; save the file as UTF-8, or name "
        "its encoding with --encoding"
    )


def _mostly_utf8(data: bytes) -> bool:
    """Whether bytes that UTF-8 refuses are mistakes in a UTF-8 file, which GB18030 would turn into nonsense."""
    good = len(re.findall(rb"[\xe3-\xe9][\x80-\xbf]{2}", data))
    bad = data.decode("utf-8", "replace").count("\ufffd")
    return good > 2 * bad
