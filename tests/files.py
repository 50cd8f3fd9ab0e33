"""A file that a test reads."""

from __future__ import annotations

from pathlib import Path
from typing import Union


def write(path: Path, content: Union[bytes, str]) -> Path:
    """Write bytes, or a text as UTF-8 with the line ends that it has."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def write_lines(path: Path, *lines: str) -> Path:
    """Write each line with the end of one."""
    return write(path, "".join(line + "\n" for line in lines))
