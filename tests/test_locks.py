"""A folder has one owner; the system releases it when its process ends, however it ends."""

from __future__ import annotations

import os
import signal

import pytest
from other_process import owner_of

from prompt_kit import locks
from prompt_kit.errors import ConfigError
from prompt_kit.locks import Lock, own_folder, try_lock

pytest.importorskip("fcntl")


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path):
    with owner_of(tmp_path / "out") as process:
        with pytest.raises(ConfigError) as caught, own_folder(tmp_path / "out"):
            pass
        assert str(caught.value) == (
            f"--output_dir {tmp_path / 'out'}: another process is writing into {tmp_path / 'out'}; wait for its end, or "
            "give another folder"
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
        with own_folder(tmp_path / "out") as folder:
            assert folder == tmp_path / "out" and os.listdir(folder) == [], "the lock leaves no file"


def test_a_link_leads_to_the_same_folder(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    with owner_of(tmp_path / "out"), pytest.raises(ConfigError, match="another process"):
        with own_folder(tmp_path / "link"):
            pass


def test_one_process_may_own_a_folder_twice(tmp_path):
    with own_folder(tmp_path):
        with own_folder(tmp_path):
            assert try_lock(tmp_path) is Lock.TAKEN
        assert try_lock(tmp_path) is Lock.TAKEN, "the inner owner does not let it go"
    descriptor = try_lock(tmp_path)
    assert isinstance(descriptor, int)
    os.close(descriptor)


def test_an_empty_folder_that_was_made_goes_again(tmp_path):
    with pytest.raises(RuntimeError), own_folder(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
        raise RuntimeError
    assert os.listdir(tmp_path) == []
    with own_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "file").touch()
    assert os.listdir(tmp_path / "a") == ["file"]
    (tmp_path / "there").mkdir()
    with own_folder(tmp_path / "there"):
        pass
    assert (tmp_path / "there").is_dir(), "it was there before"


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    for name in ("file/a", "file", "x" * 300, "null\0byte"):
        with pytest.raises(ConfigError, match="cannot make"), own_folder(tmp_path / name):
            pass


def test_where_there_are_no_locks_nobody_is_kept_out(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "try_lock", lambda path: Lock.UNKNOWN)
    with own_folder(tmp_path / "out") as folder:
        assert folder.is_dir()


def test_try_lock(tmp_path):
    path = tmp_path / "file"
    path.touch()
    first = try_lock(path)
    assert isinstance(first, int) and try_lock(path) is Lock.TAKEN
    os.close(first)
    second = try_lock(path)
    assert isinstance(second, int)
    os.close(second)
    with pytest.raises(FileNotFoundError):
        try_lock(tmp_path / "absent")
