"""A file of output lines that a run which was killed can be continued in: nothing lost, nothing twice.

Lines are written in order, so what is in the file says how far the run came. A kill can only leave the last line
without its end; that one is cut off and written again.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Optional

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import ConfigError, OutputError

_BLOCK = 1 << 20
_SYNC_SECONDS = 1.0  # what a power cut may cost; every sync waits for the disk


@dataclass(frozen=True)
class Place:
    """Where to go on in a file: after `lines` whole lines of `size` bytes, the last of which is `last`."""

    lines: int = 0
    size: int = 0
    last: str = ""


class OutputFile:
    """Appends lines to `path` as UTF-8. Nothing is opened, cut or emptied before the first line is written.

    resume     go on behind the whole lines that are there, see `place`; a file that is not there starts empty
    overwrite  start again though there is a file

    Raises ConfigError when there is a file and neither is given, when both are, when `path` is no place for a file,
    and, on the first `write`, when another process is writing there. OutputError when the disk takes no more: the file
    then ends with the last line that it took whole.
    """

    def __init__(self, path: PathLike, resume: bool = False, overwrite: bool = False):
        self.path = Path(os.path.abspath(path))
        if resume and overwrite:
            raise ConfigError("--resume and --overwrite are both given; give one of them")
        if not os.path.isdir(self.path.parent):
            raise ConfigError(f"cannot write {self.path}: there is no folder {self.path.parent}; make it first")
        try:
            there = stat.S_IFMT(os.lstat(self.path).st_mode) != 0
        except FileNotFoundError:
            there = False
        except OSError as error:  # a name that is too long
            raise ConfigError(f"cannot write {self.path}: {error.strerror or error}; give another path") from None
        if there and not os.path.isfile(self.path):
            raise ConfigError(f"{self.path} is not an ordinary file; expected a path to write to")
        if there and not (resume or overwrite):
            raise ConfigError(
                f"{self.path} is there already; add --resume to go on with it, or --overwrite to start again"
            )
        self.place = find_place(self.path) if there and resume else Place()
        self._stream: Optional[FileIO] = None  # without a buffer of its own, which would be written again at the end
        self._waiting = bytearray()
        self._synced = 0.0

    def write(self, line: str) -> None:
        """Add one line, which must not contain a line break. It may stay in memory until `flush`."""
        if self._stream is None:
            self._open()
        self._waiting += line.encode("utf-8", errors="surrogateescape") + b"\n"
        if len(self._waiting) >= _BLOCK:
            self.flush()

    def flush(self, sync: bool = False) -> None:
        """Hand all lines to the system, where they survive this process; with `sync`, or each second, to the disk."""
        if self._stream is None:
            return
        try:
            while self._waiting:
                del self._waiting[: self._stream.write(self._waiting)]
            if sync or time.monotonic() - self._synced > _SYNC_SECONDS:
                os.fsync(self._stream.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            self._waiting.clear()
            with contextlib.suppress(OSError, ConfigError):
                self._stream.truncate(find_place(self.path).size)  # not half of a line
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}; make room, and add --resume to go on behind the lines "
                "that are there"
            ) from None

    def close(self) -> None:
        """Flush, sync and close; an output without any line is an empty file."""
        if self._stream is None:
            self._open()
        self.flush(sync=True)
        self.release()

    def release(self) -> None:
        """Close the file, if it is open, as it is: another run may write it from now on."""
        if self._stream is not None:
            self._stream.close()

    def _open(self) -> None:
        try:
            self._stream = open(self.path, "r+b" if self.path.exists() else "xb", buffering=0)
        except OSError as error:
            raise ConfigError(f"cannot write {self.path}: {error.strerror or error}") from None
        _lock(self._stream, self.path)
        self._stream.truncate(self.place.size)
        self._stream.seek(self.place.size)
        self._synced = time.monotonic()


def find_place(path: PathLike) -> Place:
    """Count the whole lines of a file, in constant memory. Raises ConfigError when it cannot be read."""
    lines = size = position = 0
    last = tail = b""  # the last whole line, and what has come of the next one
    try:
        with open(path, "rb") as stream:
            for block in iter(lambda: stream.read(_BLOCK), b""):
                whole, end, rest = block.rpartition(b"\n")
                if end:
                    lines += block.count(b"\n")
                    size = position + len(whole) + 1
                    last = whole.rpartition(b"\n")[2] if b"\n" in whole else tail + whole
                    tail = rest
                else:
                    tail += block
                position += len(block)
    except OSError as error:
        raise ConfigError(f"cannot read {os.path.abspath(path)}: {error.strerror or error}") from None
    return Place(lines, size, last.decode("utf-8", errors="surrogateescape"))


def _lock(stream: Any, path: Path) -> None:
    """Keep a second run out, such as one that resumes while the first still works. The system unlocks at the end."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(f"another process is writing {path}; wait for its end, or give another file") from None
    except OSError:
        pass  # a file system without locks
