"""Locks on files and folders that the system releases when their process ends, however it ends.

A folder is locked itself, so that no lock file is left in it. Where the system or the file system knows no such locks
(Windows, some network file systems), nothing is locked and nobody is kept out.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Optional

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import ConfigError

_held: dict[tuple[int, int], int] = {}  # (device, inode) of the folders that this process works in -> how many times


class Lock(Enum):
    """What became of `try_lock`."""

    TAKEN = "another process holds it"
    UNKNOWN = "there are no locks here"


def try_lock(path: PathLike) -> int | Lock:
    """Lock a file or a folder for this process: the descriptor that holds the lock until it is closed.

    `Lock.TAKEN` if another descriptor holds it, `Lock.UNKNOWN` where locks do not work. Raises FileNotFoundError.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return Lock.UNKNOWN
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        raise
    except OSError:
        return Lock.UNKNOWN
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        return Lock.TAKEN if isinstance(error, BlockingIOError) else Lock.UNKNOWN
    return descriptor


@contextlib.contextmanager
def own_folder(folder: PathLike, flag: str = "--output_dir") -> Iterator[Path]:
    """Make `folder` if it is not there, and keep other processes out of it inside this context.

    This process may own it several times over. What was made is removed again at the end if it is still empty.

    Args:
        flag: what the message calls the folder.

    Raises:
        ConfigError: another process owns it, or it cannot be made.
    """
    path = Path(os.path.abspath(folder))
    made = [parent for parent in (path, *path.parents) if not os.path.lexists(parent)]
    try:
        path.mkdir(parents=True, exist_ok=True)
        status = path.stat()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{flag} {os.fspath(folder)}: cannot make {path}: {getattr(error, 'strerror', error)}"
        ) from None
    key, descriptor = (status.st_dev, status.st_ino), None
    try:
        if not _held.get(key):
            descriptor = try_lock(path)
            if descriptor is Lock.TAKEN:
                raise ConfigError(
                    f"{flag} {os.fspath(folder)}: another process is writing into {path}; wait for its end, or give another "
                    "folder"
                )
        _held[key] = _held.get(key, 0) + 1
        try:
            yield path
        finally:
            _held[key] -= 1
    finally:
        _close(descriptor)
        for one in made:
            with contextlib.suppress(OSError):
                one.rmdir()  # fails where there is something in it


def _close(descriptor: Optional[int | Lock]) -> None:
    if isinstance(descriptor, int):
        os.close(descriptor)
