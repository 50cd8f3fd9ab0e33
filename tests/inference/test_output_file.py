"""The file that a killed run goes on with: whole lines stay, half of one goes, whatever the moment."""

from __future__ import annotations

import os

import pytest

from prompt_kit.errors import ConfigError
from prompt_kit.inference import output_file
from prompt_kit.inference.output_file import OutputFile, Place, find_place


@pytest.fixture
def path(tmp_path):
    return tmp_path / "labels.txt"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("", Place()),
        ("half", Place()),
        ("体育\n", Place(1, 7, "体育")),
        ("体育\n汽", Place(1, 7, "体育")),
        ("a\n\nb\n", Place(3, 5, "b")),
        ("a\nlonger\nb", Place(2, 9, "longer")),
        ("a\u2028b\x85c\rd\n", Place(1, 11, "a\u2028b\x85c\rd")),
    ],
)
@pytest.mark.parametrize("block", [1, 2, 3, 1 << 20])
def test_whole_lines_are_counted(path, monkeypatch, content, place, block):
    monkeypatch.setattr(output_file, "_BLOCK", block)
    path.write_bytes(content.encode())
    assert find_place(path) == place


def test_resume_cuts_the_half_line_and_no_sooner_than_it_writes(path):
    path.write_bytes("体育\n汽".encode())
    output = OutputFile(path, resume=True)
    assert path.read_bytes() == "体育\n汽".encode()
    output.write("汽车")
    output.close()
    assert path.read_bytes() == "体育\n汽车\n".encode()


def test_overwrite_keeps_the_old_lines_until_the_first_new_one(path):
    path.write_bytes(b"old\nlines\n")
    output = OutputFile(path, overwrite=True)
    assert output.place == Place()
    assert path.read_bytes() == b"old\nlines\n"
    output.write("new")
    output.close()
    assert path.read_bytes() == b"new\n"


def test_resume_without_a_file_starts_one(path):
    output = OutputFile(path, resume=True)
    assert not path.exists()
    output.write("a")
    assert path.read_bytes() == b""  # until it is flushed
    output.flush()
    assert path.read_bytes() == b"a\n"
    output.close()


def test_nothing_more_to_write_still_cuts(path):
    path.write_bytes(b"a\nhalf")
    OutputFile(path, resume=True).close()
    assert path.read_bytes() == b"a\n"


def test_the_disk_is_waited_for_once_a_second(path, monkeypatch):
    synced, now = [], [0.0]
    monkeypatch.setattr(os, "fsync", synced.append)
    monkeypatch.setattr(output_file.time, "monotonic", lambda: now[0])
    output = OutputFile(path)
    for _ in range(30):
        output.write("a")
        output.flush()
        now[0] += 0.1
    assert len(synced) == 2
    output.close()
    assert len(synced) == 3


def test_a_file_that_is_there_is_refused(path):
    path.write_text("a\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"labels\.txt is there already; add --resume .* --overwrite"):
        OutputFile(path)
    with pytest.raises(ConfigError, match="give one of them"):
        OutputFile(path, resume=True, overwrite=True)


def test_no_place_for_a_file(tmp_path):
    with pytest.raises(ConfigError, match="there is no folder"):
        OutputFile(tmp_path / "none" / "labels.txt")
    for odd in (tmp_path, os.devnull):
        with pytest.raises(ConfigError, match="not an ordinary file"):
            OutputFile(odd, resume=True)


def test_two_processes_do_not_mix_their_lines(path):
    pytest.importorskip("fcntl")
    first, second = OutputFile(path), OutputFile(path)
    first.write("a")
    first.flush()
    with pytest.raises(ConfigError, match="cannot write|another process"):
        second.write("b")
    with pytest.raises(ConfigError, match="another process is writing"):
        OutputFile(path, resume=True).write("b")
    first.close()
    assert path.read_bytes() == b"a\n"


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_paths_that_take_no_file(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for path in (
        tmp_path / ("x" * 300),
        tmp_path / "loop",
        tmp_path / "loop" / "a",
        tmp_path / ("x" * 300) / "a",
        tmp_path,
    ):
        with pytest.raises(ConfigError):
            OutputFile(path, overwrite=True)
