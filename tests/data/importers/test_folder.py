"""A data folder is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from files import write
from refusals import refusal

from prompt_kit.data.importers.folder import write_folder
from prompt_kit.errors import ConfigError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_lines_and_what_they_replace(tmp_path):
    write_folder(tmp_path / "out", {"label.txt": ["甲", "题\ud83d"], "dev.txt": ["x"]}, overwrite=False)
    assert (tmp_path / "out" / "label.txt").read_bytes() == "甲\n题?\n".encode()
    write_folder(tmp_path / "out", {"label.txt": ["乙"]}, overwrite=True)
    assert names(tmp_path / "out") == ["label.txt"] and names(tmp_path) == ["out"]


def test_a_failure_leaves_the_earlier_folder(tmp_path, monkeypatch):
    write_folder(tmp_path / "out", {"label.txt": ["甲"]}, overwrite=False)
    written = Path.write_bytes

    def fail(self, content):
        if self.name == "train.txt":
            raise OSError(28, "No space left on device")
        return written(self, content)

    monkeypatch.setattr(Path, "write_bytes", fail)
    said = refusal(ConfigError, write_folder, tmp_path / "out", {"label.txt": ["乙"], "train.txt": ["丙\t乙"]}, True)
    assert "cannot be written (No space left on device)" in said
    assert names(tmp_path) == ["out"] and (tmp_path / "out" / "label.txt").read_text("utf-8") == "甲\n"


@pytest.mark.parametrize(
    ("name", "overwrite", "said"),
    [
        ("label.txt", False, "is not empty (label.txt); use another or --overwrite"),
        ("thesis.doc", True, "holds files that are not ours (thesis.doc); use another"),
    ],
)
def test_a_folder_in_use(tmp_path, name, overwrite, said):
    write(tmp_path / name, "mine")
    assert refusal(ConfigError, write_folder, tmp_path, {"label.txt": ["甲"]}, overwrite).endswith(said)
    assert names(tmp_path) == [name]


def test_a_file_in_the_way(tmp_path):
    said = refusal(ConfigError, write_folder, write(tmp_path / "out", ""), {}, True)
    assert said.endswith("out is a file, expected a folder")
