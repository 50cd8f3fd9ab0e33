"""Write a data folder whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from prompt_kit.errors import ConfigError

OUTPUTS = ("label.txt", "train.txt", "dev.txt", "test.txt", "data.txt")


def write_folder(folder: Path, files: Mapping[str, Sequence[str]], overwrite: bool) -> None:
    """Write all files (name -> lines) or none: into a folder beside `folder`, which then takes its name.

    ConfigError when `folder` is not empty and `overwrite` was not asked for, holds files of others, or cannot be written.
    """
    folder = folder.resolve()
    check_folder(folder, overwrite)
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    replaced = folder.with_name(f".{folder.name}.replaced-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        for name, lines in files.items():
            # "replace": scraped JSON may hold half of an emoji ("\\ud83d"), which UTF-8 cannot write
            (partial / name).write_bytes(("\n".join(lines) + "\n").encode("utf-8", "replace"))
        if folder.exists():
            folder.rename(replaced)
        partial.rename(folder)
    except BaseException as problem:
        shutil.rmtree(partial, ignore_errors=True)
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        if isinstance(problem, OSError):
            raise ConfigError(f"--output_dir {folder} cannot be written ({problem.strerror}); use another") from None
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def check_folder(folder: Path, overwrite: bool) -> None:
    """ConfigError for a folder that `write_folder` would refuse, before anything is read."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--output_dir {folder} is a file, expected a folder")
    present = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    if present and not overwrite:
        raise ConfigError(f"--output_dir {folder} is not empty ({', '.join(present[:5])}); use another or --overwrite")
    strange = [name for name in present if name not in OUTPUTS]
    if strange:  # --overwrite removes the folder, so it must hold nothing but an earlier conversion
        raise ConfigError(
            f"--output_dir {folder} holds files that are not ours ({', '.join(strange[:5])}); use another"
        )
