"""What is wrong with a place to write to, before and while it is written: one line, with what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import ConfigError, OutputError, shown

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MB = 10**6
as_typed = partial(shown, most=60, quoted=False)  # a flag's value in a message, which it must not fill


def check_place(flag: str, value: Any) -> None:
    """ConfigError for a path that no file can have: empty, too long, a circle of links."""
    if not os.fspath(value):
        raise ConfigError(f"{flag} '' names nothing; give a path, or drop {flag}")
    try:
        os.stat(value)
    except ValueError as error:
        raise ConfigError(f"{flag} {as_typed(value)}: {error}") from None
    except OSError as error:
        if error.errno not in (
            errno.ENOENT,
            errno.ENOTDIR,
            errno.EACCES,
        ):  # whoever reads or writes it says more of these
            raise ConfigError(f"{flag} {as_typed(value)}: {error.strerror}; give another path") from None


@contextlib.contextmanager
def writing_to(flag: str, folder: PathLike) -> Iterator[None]:
    """An OSError inside this context becomes an OutputError that names the folder; a broken pipe is left alone.

    Args:
        flag: what the message calls the folder, such as --output_dir.
    """
    try:
        yield
    except BrokenPipeError:  # of stdout
        raise
    except OSError as error:
        named = "" if error.filename is None else f" ({os.fsdecode(error.filename)})"
        fix = "free some space" if error.errno in _FULL else "see to its permissions and its disk"
        raise OutputError(
            f"{flag} {os.fspath(folder)}: {error.strerror or error}{named}; {fix}, or give another folder; what was there "
            "before is whole"
        ) from error


def check_space(folder: PathLike, needed: int) -> None:
    """Raise OutputError where the disk of a folder, which may not be there yet, has less than `needed` bytes free."""
    path = Path(os.path.abspath(folder))
    existing = next(one for one in (path, *path.parents) if one.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise OutputError(
            f"{path}: its disk has {free / _MB:,.1f} MB free, but {needed / _MB:,.1f} MB are to be written; free some space, or "
            "give another folder"
        )
