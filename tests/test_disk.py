"""A full disk is one line."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest

from prompt_kit import disk
from prompt_kit.disk import check_place, check_space, writing_to
from prompt_kit.errors import ConfigError, OutputError


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "--output_dir out: No space left on device (out/a); free some space, or give another folder"),
        (
            errno.EACCES,
            "--output_dir out: Permission denied (out/a); see to its permissions and its disk, or give another",
        ),
    ],
)
def test_a_write_that_fails(number, said):
    with pytest.raises(OutputError) as caught, writing_to("--output_dir", "out"):
        raise OSError(number, os.strerror(number), "out/a")
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value)


def test_a_broken_pipe_and_other_errors_are_left_alone():
    for error in (BrokenPipeError(), KeyError("a"), KeyboardInterrupt()):
        with pytest.raises(type(error)), writing_to("--output_dir", "out"):
            raise error


def test_a_full_device():
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with pytest.raises(OutputError, match="No space left on device"), writing_to("--output_dir", "out"):
        with open("/dev/full", "w", encoding="utf-8") as file:
            file.write("x")


def test_too_little_space(tmp_path, monkeypatch):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: SimpleNamespace(free=1_500_000))
    check_space(tmp_path / "new" / "folder", 1_500_000)
    with pytest.raises(OutputError) as caught:
        check_space(tmp_path / "new" / "folder", 2_500_000)
    assert f"{tmp_path / 'new' / 'folder'}: its disk has 1.5 MB free, but 2.5 MB are to be written" in str(caught.value)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["", "x" * 300, "a\0b"])
def test_a_place_that_no_file_can_have(name):
    with pytest.raises(ConfigError, match="^--output_dir "):
        check_place("--output_dir", name)


def test_a_place_that_is_not_there_yet_is_fine(tmp_path):
    check_place("--output_dir", tmp_path / "no" / "such")
