"""Files are replaced whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys

import pytest

from prompt_kit import atomic
from prompt_kit.atomic import replace_file, replace_files, replace_folder


def tree(folder):
    """Every file below the folder, hidden ones too, with its content; and empty folders."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in files:
            path = os.path.join(root, name)
            with open(path, encoding="utf-8") as file:
                found[os.path.relpath(path, folder)] = file.read()
        if not folders and not files and root != str(folder):
            found[os.path.relpath(root, folder)] = None
    return found


def write(path, text):
    path.write_text(text, encoding="utf-8")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    """Sets the process's umask; the old one comes back."""
    old = os.umask(0o077)
    yield os.umask
    os.umask(old)


class Interrupted(BaseException):
    """Like KeyboardInterrupt: no Exception."""


def test_replace_file(tmp_path):
    path = tmp_path / "new" / "results.json"
    for text in ("one", "two"):
        with replace_file(path) as staging:
            assert staging.parent == path.parent, "another file system could not rename it into place"
            write(staging, text)
            assert tree(tmp_path).get("new/results.json") != text
        assert tree(tmp_path) == {"new/results.json": text}


@pytest.mark.parametrize("error", [RuntimeError, Interrupted])
def test_replace_file_keeps_the_old_one_on_an_error(tmp_path, error):
    write(tmp_path / "a", "old")
    with pytest.raises(error), replace_file(tmp_path / "a") as staging:
        write(staging, "half")
        raise error()
    assert tree(tmp_path) == {"a": "old"}


def test_replace_files(tmp_path):
    write(tmp_path / "a", "old a")
    write(tmp_path / "other", "kept")
    with replace_files(tmp_path) as staging:
        write(staging / "a", "new a")
        write(staging / "b", "new b")
        assert (tmp_path / "a").read_text(encoding="utf-8") == "old a"
    assert tree(tmp_path) == {"a": "new a", "b": "new b", "other": "kept"}


@pytest.mark.parametrize("error", [RuntimeError, Interrupted])
def test_replace_files_keeps_all_old_ones_on_an_error(tmp_path, error):
    write(tmp_path / "a", "old a")
    write(tmp_path / "b", "old b")
    with pytest.raises(error), replace_files(tmp_path) as staging:
        write(staging / "a", "new a")
        raise error()
    assert tree(tmp_path) == {"a": "old a", "b": "old b"}


def test_replace_folder(tmp_path):
    folder = tmp_path / "runs" / "checkpoint-1"
    with replace_folder(folder) as staging:
        write(staging / "a", "one")
        assert not folder.exists()
    assert tree(tmp_path) == {"runs/checkpoint-1/a": "one"}
    with replace_folder(folder) as staging:
        write(staging / "b", "two")
        assert tree(folder) == {"a": "one"}
    assert tree(tmp_path) == {"runs/checkpoint-1/b": "two"}, "files of the old folder must not stay"


@pytest.mark.parametrize("error", [RuntimeError, Interrupted])
def test_replace_folder_keeps_the_old_one_on_an_error(tmp_path, error):
    with replace_folder(tmp_path / "f") as staging:
        write(staging / "a", "old")
    with pytest.raises(error), replace_folder(tmp_path / "f") as staging:
        write(staging / "a", "half")
        raise error()
    with pytest.raises(error), replace_folder(tmp_path / "g") as staging:
        write(staging / "a", "half")
        raise error()
    assert tree(tmp_path) == {"f/a": "old"}


def test_replace_folder_puts_the_old_one_back_when_the_last_rename_fails(tmp_path, monkeypatch):
    with replace_folder(tmp_path / "f") as staging:
        write(staging / "a", "old")
    rename = os.replace

    def refuse(source, target):
        if ".staging-" in str(source):
            raise OSError("no")
        rename(source, target)

    monkeypatch.setattr(atomic.os, "replace", refuse)
    with pytest.raises(OSError, match="no"), replace_folder(tmp_path / "f") as staging:
        write(staging / "a", "new")
    assert tree(tmp_path) == {"f/a": "old"}


def test_nested(tmp_path):
    """As a checkpoint is written: a folder, in it the model's files, one of them replaced by itself."""
    with replace_folder(tmp_path / "checkpoint-1") as outer:
        with replace_files(outer) as inner:
            write(inner / "model", "m")
            with replace_file(inner / "tokenizer.json") as staging:
                write(staging, "t")
        write(outer / "state", "s")
        assert not (tmp_path / "checkpoint-1").exists()
    assert tree(tmp_path / "checkpoint-1") == {"model": "m", "tokenizer.json": "t", "state": "s"}
    with pytest.raises(RuntimeError), replace_folder(tmp_path / "checkpoint-1") as outer:
        with replace_files(outer) as inner:
            write(inner / "model", "half")
            raise RuntimeError
    assert tree(tmp_path) == {"checkpoint-1/model": "m", "checkpoint-1/tokenizer.json": "t", "checkpoint-1/state": "s"}


@pytest.mark.parametrize(("mask", "file_mode", "folder_mode"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700),
                                                               (0o002, 0o664, 0o775)])  # fmt: skip
def test_the_umask_decides_who_may_read(tmp_path, umask, mask, file_mode, folder_mode):
    umask(mask)
    with replace_file(tmp_path / "a") as staging:
        write(staging, "")
    with replace_files(tmp_path / "many") as staging:
        write(staging / "b", "")
        os.chmod(staging / "b", 0o600)  # as the safetensors library and mkstemp write
    with replace_folder(tmp_path / "whole") as staging:
        write(staging / "c", "")
    assert mode(tmp_path / "a") == mode(tmp_path / "many" / "b") == mode(tmp_path / "whole" / "c") == file_mode
    assert mode(tmp_path / "many") == mode(tmp_path / "whole") == folder_mode
    assert os.umask(mask) == mask, "the umask itself is left as it was"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("function", ["replace_file", "replace_files", "replace_folder"])
def test_a_kill_leaves_the_old_files(tmp_path, root, function):
    target = tmp_path / ("f/a" if function == "replace_file" else "f")
    (tmp_path / "f").mkdir()
    write(tmp_path / "f" / "a", "old")
    program = (
        "import os, signal, sys\n"
        f"from prompt_kit.atomic import {function}\n"
        f"with {function}(sys.argv[1]) as staging:\n"
        "    path = staging / 'a' if staging.is_dir() else staging\n"
        "    path.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(target)], cwd=root, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "f" / "a").read_text(encoding="utf-8") == "old"
    left = [name for name in tree(tmp_path) if name != "f/a"]
    assert len(left) == 1 and any(part.startswith(".") for part in left[0].split("/")), "only a hidden file may stay"
