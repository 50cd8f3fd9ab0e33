"""Write a data folder whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from prompt_kit.atomic import replace_files, replace_folder
from prompt_kit.errors import ConfigError, shown

OUTPUTS = ("label.txt", "train.txt", "dev.txt", "test.txt", "data.txt")


def write_folder(folder: Path, files: Mapping[str, Sequence[str]], overwrite: bool) -> None:
    """Write all files (name -> lines) or none: into a folder beside `folder`, which then takes its name. An empty folder, and
    the working directory, stay the folders that they are, or whoever stands in them would be nowhere.

    ConfigError when `folder` is not empty and `overwrite` was not asked for, holds files of others, or cannot be written.
    """
    folder = folder.resolve()
    check_folder(folder, overwrite)
    stays = folder.is_dir() and (not any(folder.iterdir()) or folder == Path.cwd())
    try:
        with (replace_files if stays else replace_folder)(folder) as staging:
            for name, lines in files.items():
                # "replace": scraped JSON may hold half of an emoji ("\\ud83d"), which UTF-8 cannot write
                (staging / name).write_bytes(("\n".join(lines) + "\n").encode("utf-8", "replace"))
        for name in OUTPUTS if stays else ():
            if name not in files:
                (folder / name).unlink(missing_ok=True)  # of the earlier import
    except OSError as problem:
        raise ConfigError(f"--output_dir {folder} cannot be written ({problem.strerror}); use another") from None


def check_folder(folder: Path, overwrite: bool) -> None:
    """ConfigError for a folder that `write_folder` would refuse, before anything is read."""
    try:
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"--output_dir {folder} is a file, expected a folder")
        present = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    except OSError as problem:  # a name that is too long, a folder that may not be read
        raise ConfigError(
            f"--output_dir {shown(folder, quoted=False)} cannot be written ({problem.strerror}); use another"
        ) from None
    if present and not overwrite:
        raise ConfigError(f"--output_dir {folder} is not empty ({', '.join(present[:5])}); use another or --overwrite")
    strange = [name for name in present if name not in OUTPUTS]
    if strange:  # --overwrite removes the folder, so it must hold nothing but an earlier conversion
        raise ConfigError(
            f"--output_dir {folder} holds files that are not ours ({', '.join(strange[:5])}); use another"
        )
