"""Write files so that a kill at any moment leaves the old ones or the new ones, never half of one.

What is being written lies under a hidden name, `.staging-…`, which its process holds a lock on; an old folder on its way
out may lie under `.old-…`. Both stay behind when their process is killed: `recover` puts them right.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from prompt_kit.locks import Lock, try_lock

_STAGING, _OLD = ".staging-", ".old-"
_DAY = 24 * 60 * 60.0  # after which a leftover counts as one where locks cannot tell
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # <fcntl.h>, <linux/fs.h>


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it takes `path`'s place, on error it is removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(path.parent, path.name)
    with _staging(path.parent, path.name, folder=False) as staging:
        yield staging
        os.chmod(staging, 0o666 & ~_umask())
        os.replace(staging, path)


@contextlib.contextmanager
def replace_files(folder: Path) -> Iterator[Path]:
    """Yield a staging folder inside `folder`; on success its files are renamed into `folder`, one by one."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _staging(folder) as staging:
        yield staging
        for path in sorted(staging.iterdir()):
            os.chmod(path, 0o666 & ~_umask())
            os.replace(path, folder / path.name)


@contextlib.contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Yield a staging folder beside `folder`; on success it takes `folder`'s place, an old one goes.

    Linux swaps the two in one step. Elsewhere there are two renames, and a kill between them leaves the old folder under
    a name that starts with `.old-`, from where `recover` brings it back.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    recover(folder.parent, folder.name)
    with _staging(folder.parent, folder.name) as staging:
        yield staging
        os.chmod(staging, 0o777 & ~_umask())
        if not os.path.lexists(folder):
            os.replace(staging, folder)
        elif not _exchange(staging, folder):
            _swap_in_two_steps(staging, folder)


def remove_folder(folder: Path) -> None:
    """Delete a folder so that a kill leaves it whole or not at all. Nothing happens if it is not there, or a link."""
    folder = Path(folder)
    if folder.is_symlink():
        return
    with contextlib.suppress(FileNotFoundError), _staging(folder.parent, folder.name) as staging:
        os.replace(folder, staging / folder.name)


def recover(folder: Path, name: Optional[str] = None) -> None:
    """Clean up in `folder` what killed processes left there: half-written things go, an old folder without a successor
    takes its place again. What a living process is writing is left alone.

    Args:
        name: look for leftovers of this file or folder alone.
    """
    starts = tuple(prefix + (f"{name}-" if name else "") for prefix in (_STAGING, _OLD))
    try:
        entries = sorted(Path(folder).iterdir())
    except OSError:
        return
    for path in entries:
        if path.name.startswith(starts) and _is_abandoned(path):
            with contextlib.suppress(OSError):
                if path.name.startswith(_OLD):
                    _bring_back(path)
                _remove(path)


def _bring_back(old: Path) -> None:
    for path in old.iterdir() if old.is_dir() else ():
        if not os.path.lexists(old.parent / path.name):
            os.replace(path, old.parent / path.name)


def _swap_in_two_steps(staging: Path, folder: Path) -> None:
    old, lock = _new_locked(folder.parent, f"{_OLD}{folder.name}-", folder=True)
    try:
        os.replace(folder, old / folder.name)
        os.replace(staging, folder)
    finally:
        try:
            _bring_back(old)  # does nothing behind two renames
            _remove(old)
        finally:
            if lock is not None:
                os.close(lock)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; False, and nothing happens, where the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):  # a C library without it
        return False
    return rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0


@contextlib.contextmanager
def _staging(parent: Path, name: str = "", folder: bool = True) -> Iterator[Path]:
    """A new hidden folder or file in `parent`, locked, which is removed at the end whatever it then is."""
    path, lock = _new_locked(parent, f"{_STAGING}{name}-" if name else _STAGING, folder)
    try:
        yield path
    finally:
        _remove(path)
        if lock is not None:
            os.close(lock)


def _new_locked(parent: Path, prefix: str, folder: bool) -> tuple[Path, Optional[int]]:
    while True:
        if folder:
            path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        else:
            handle, name = tempfile.mkstemp(prefix=prefix, dir=parent)
            os.close(handle)
            path = Path(name)
        try:
            lock = try_lock(path)
        except FileNotFoundError:  # another process has taken it for a leftover, before it was locked
            continue
        if isinstance(lock, int) and not path.exists():  # the same, a moment later
            os.close(lock)
        elif lock is not Lock.TAKEN:
            return path, lock if isinstance(lock, int) else None


def _is_abandoned(path: Path) -> bool:
    """Whether the process that made a `.staging-…` or `.old-…` has gone."""
    try:
        lock = try_lock(path)
        if isinstance(lock, int):
            os.close(lock)
            return True
        return lock is Lock.UNKNOWN and time.time() - path.lstat().st_mtime > _DAY
    except OSError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
