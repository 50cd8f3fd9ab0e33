"""Files are replaced whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from prompt_kit import atomic
from prompt_kit.atomic import recover, remove_folder, replace_file, replace_files, replace_folder
from prompt_kit.locks import Lock


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


@pytest.fixture(params=["in one step", "in two steps"])
def swap(request, monkeypatch):
    """How a folder takes the place of an old one: as Linux can, and as every system can."""
    if request.param == "in two steps":
        monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)


def test_replace_folder(tmp_path, swap):
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


@pytest.mark.parametrize("error", [OSError, Interrupted])
def test_replace_folder_puts_the_old_one_back_when_the_last_rename_fails(tmp_path, monkeypatch, error):
    monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
    with replace_folder(tmp_path / "f") as staging:
        write(staging / "a", "old")
    rename = os.replace

    def refuse(source, target):
        if ".staging-" in str(source):
            raise error("no")
        rename(source, target)

    monkeypatch.setattr(atomic.os, "replace", refuse)
    with pytest.raises(error, match="no"), replace_folder(tmp_path / "f") as staging:
        write(staging / "a", "new")
    assert tree(tmp_path) == {"f/a": "old"}


def test_no_old_folder_is_deleted_that_could_not_be_put_back(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
    with replace_folder(tmp_path / "f") as staging:
        write(staging / "a", "old")
    rename, calls = os.replace, []

    def only_the_first(source, target):
        calls.append(source)
        if len(calls) > 1:
            raise OSError("no")
        rename(source, target)

    monkeypatch.setattr(atomic.os, "replace", only_the_first)
    with pytest.raises(OSError, match="no"), replace_folder(tmp_path / "f") as staging:
        write(staging / "a", "new")
    monkeypatch.setattr(atomic.os, "replace", rename)
    assert list(tree(tmp_path).values()) == ["old"]
    recover(tmp_path)
    assert tree(tmp_path) == {"f/a": "old"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone swaps two names in one step")
def test_a_folder_is_never_absent_while_it_is_replaced(tmp_path, monkeypatch):
    with replace_folder(tmp_path / "f") as staging:
        write(staging / "a", "old")

    def refuse(source, target):
        raise AssertionError("a rename leaves a moment without the folder")

    monkeypatch.setattr(atomic.os, "replace", refuse)
    with replace_folder(tmp_path / "f") as staging:
        write(staging / "a", "new")
    assert tree(tmp_path) == {"f/a": "new"}


def test_remove_folder(tmp_path):
    write(tmp_path / "kept", "kept")
    (tmp_path / "f" / "g").mkdir(parents=True)
    write(tmp_path / "f" / "g" / "a", "old")
    remove_folder(tmp_path / "f")
    remove_folder(tmp_path / "f")
    (tmp_path / "link").symlink_to(tmp_path)
    remove_folder(tmp_path / "link")
    (tmp_path / "link").unlink()
    assert tree(tmp_path) == {"kept": "kept"}


def test_a_folder_that_is_being_removed_is_not_there_by_half(tmp_path, monkeypatch):
    for name in "abc":
        (tmp_path / "f").mkdir(exist_ok=True)
        write(tmp_path / "f" / name, "old")
    seen = []
    monkeypatch.setattr(atomic.shutil, "rmtree", lambda path, **options: seen.append((tmp_path / "f").exists()))
    remove_folder(tmp_path / "f")
    assert seen == [False]


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


def killed(root, call, target, before="os.kill(os.getpid(), signal.SIGKILL)"):
    """Write into `call(target)` in a process of its own, which is killed before the end."""
    program = (
        "import os, signal, sys\n"
        "from prompt_kit import atomic\n"
        f"with atomic.{call}(sys.argv[1]) as staging:\n"
        "    path = staging / 'a' if staging.is_dir() else staging\n"
        "    path.write_text('half')\n"
        f"    {before}\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(target)], cwd=root, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr


needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")


@needs_kill
@pytest.mark.parametrize("function", ["replace_file", "replace_files", "replace_folder"])
def test_a_kill_leaves_the_old_files_and_the_next_start_cleans_up(tmp_path, root, function):
    target = tmp_path / ("f/a" if function == "replace_file" else "f")
    (tmp_path / "f").mkdir()
    write(tmp_path / "f" / "a", "old")
    killed(root, function, target)
    assert (tmp_path / "f" / "a").read_text(encoding="utf-8") == "old"
    left = [name for name in tree(tmp_path) if name != "f/a"]
    assert len(left) == 1 and any(part.startswith(".staging-") for part in left[0].split("/"))
    recover(tmp_path)
    recover(tmp_path / "f")
    assert tree(tmp_path) == {"f/a": "old"}


@needs_kill
@pytest.mark.parametrize("how", ["recover", "replace_folder"])
def test_a_kill_between_two_renames_loses_nothing(tmp_path, root, how):
    (tmp_path / "f").mkdir()
    write(tmp_path / "f" / "a", "old")
    killed(
        root, "replace_folder", tmp_path / "f",
        "atomic._exchange = lambda *paths: False; rename = os.replace; "
        "atomic.os.replace = lambda *paths: (rename(*paths), os.kill(os.getpid(), signal.SIGKILL))",
    )  # fmt: skip
    assert not (tmp_path / "f").exists(), "it is under its hidden name"
    if how == "recover":
        recover(tmp_path)
        assert tree(tmp_path) == {"f/a": "old"}
    else:
        with replace_folder(tmp_path / "f") as staging:
            assert tree(tmp_path / "f") == {"a": "old"}
            write(staging / "b", "new")
        assert tree(tmp_path) == {"f/b": "new"}


def test_what_a_living_process_writes_is_left_alone(tmp_path):
    with replace_folder(tmp_path / "f") as first:
        write(first / "a", "first")
        recover(tmp_path)
        with replace_folder(tmp_path / "f") as second:
            write(second / "a", "second")
        assert tree(first) == {"a": "first"}
    with replace_file(tmp_path / "g") as one:
        write(one, "one")
        recover(tmp_path)
        assert one.exists()
    assert tree(tmp_path) == {"f/a": "first", "g": "one"}


def test_leftovers_of_one_name(tmp_path):
    """Also those of an earlier version, which held no lock; and nothing that only looks alike."""
    for name in (
        ".staging-f-x1y2",
        ".old-f-abcdefgh/f",
        ".staging-g-abcdefgh",
        ".old-g-abcdefgh/g",
        ".staged",
        "old-f",
    ):
        (tmp_path / name).mkdir(parents=True)
        write(tmp_path / name / "a", name)
    recover(tmp_path, "f")
    expected = {
        "f/a": ".old-f-abcdefgh/f", ".staging-g-abcdefgh/a": ".staging-g-abcdefgh",
        ".old-g-abcdefgh/g/a": ".old-g-abcdefgh/g", ".staged/a": ".staged", "old-f/a": "old-f",
    }  # fmt: skip
    assert tree(tmp_path) == expected
    recover(tmp_path)
    assert tree(tmp_path) == {
        "f/a": ".old-f-abcdefgh/f", "g/a": ".old-g-abcdefgh/g", ".staged/a": ".staged", "old-f/a": "old-f",
    }  # fmt: skip
    recover(tmp_path / "absent")


def test_without_locks_a_leftover_stays_for_a_day(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "try_lock", lambda path: Lock.UNKNOWN)
    for name, age in ((".staging-new-abcdefgh", 3600), (".staging-old-abcdefgh", 90000)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    recover(tmp_path)
    assert tree(tmp_path) == {".staging-new-abcdefgh": None}
    with replace_folder(tmp_path / "f") as staging:
        write(staging / "a", "works")
    assert tree(tmp_path / "f") == {"a": "works"}
