"""Bytes that are not UTF-8: what they probably are, and commands that convert them."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess

import pytest
from files import write
from refusals import refusal

from prompt_kit.data.encoding import command, other_kind, what_to_do
from prompt_kit.data.lines import number_lines, read_lines
from prompt_kit.errors import DataError


def message(path, error=DataError):
    return refusal(error, lambda: list(read_lines(path, error)))


def advice(path):
    return message(path).split("; ", 1)[1]


def test_utf16_file_is_recognised(tmp_path):
    assert "iconv -f UTF-16 -t UTF-8" in message(write(tmp_path / "a.txt", "汽车\n".encode("utf-16")))


@pytest.mark.parametrize("codec", ["UTF-16LE", "UTF-16BE"])
def test_utf16_without_its_mark(tmp_path, codec):
    path = write(tmp_path / "a.txt", "汽车很快\tcar\n".encode(codec))
    assert f"convert it from UTF-16: iconv -f {codec} -t UTF-8 < " in advice(path)
    converted = subprocess.run(["iconv", "-f", codec, "-t", "UTF-8", str(path)], capture_output=True, check=True)
    assert converted.stdout.decode() == "汽车很快\tcar\n"


def test_gb18030_with_an_emoji(tmp_path):
    """GBK has no emoji: iconv -f GBK would stop at it."""
    path = write(tmp_path / "a.txt", "太好笑了😂\n".encode("gb18030"))
    assert "iconv -f GB18030 -t UTF-8 < " in advice(path) and "-f GBK" not in advice(path)


@pytest.mark.parametrize("earlier", ["汽车很好\n".encode(), b""])
def test_one_bad_byte_in_a_utf8_file(tmp_path, earlier):
    path = write(tmp_path / "a.txt", earlier + "这个\n".encode()[:-2] + "故事很感人\n".encode())
    assert "the rest is UTF-8" in advice(path) and f"iconv -c -f UTF-8 -t UTF-8 < {path}" in advice(path)


def test_a_file_cut_in_the_middle_of_a_character(tmp_path):
    assert "only this place is damaged" in advice(write(tmp_path / "a.txt", "甲\n乙".encode()[:-1]))


def test_advice_for_a_pipe_names_no_file_that_is_none():
    with pytest.raises(DataError) as caught:
        list(number_lines(io.BytesIO("汽车\n".encode("gbk")), "<stdin>"))
    assert str(caught.value).endswith("cat FILE | iconv -f GB18030 -t UTF-8 | …")


def test_advice_for_odd_names_can_be_typed(tmp_path):
    assert "< '" in advice(write(tmp_path / "my data.txt", "汽车\n".encode("gbk")))
    packed = write(tmp_path / "a.gz", gzip.compress("汽车\n".encode("gbk")))
    assert f"gunzip -c {packed} | iconv -f GB18030 -t UTF-8 > converted.txt" in advice(packed)


@pytest.mark.skipif(not shutil.which("iconv"), reason="needs iconv")
@pytest.mark.parametrize("text", ["太好笑了😂\n", "汽车\n房产\n"])
def test_the_advice_works(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    command = advice(write(tmp_path / "a b.txt", text.encode("gb18030"))).split(": ")[-1]
    subprocess.run(command, shell=True, check=True)  # noqa: S602
    assert (tmp_path / "converted.txt").read_text("utf-8") == text


@pytest.mark.parametrize(
    ("start", "kind"), [(b"PK\x03\x04\x14\x00\x06\x00\n", "an Excel file"), (b"\x1f\x8b\x08\n", "packed by gzip")]
)
def test_files_that_are_no_text(tmp_path, start, kind):
    path = write(tmp_path / "a.txt", start)
    assert message(path).startswith(f"{path}: expected a text file, but this is ") and kind in message(path)


def test_kinds_of_files_by_hand():
    assert other_kind(b"PK\x03\x04rest").startswith("a zip archive")
    assert other_kind(b"\xd0\xcf\x11\xe0").startswith("an old Excel or Word file")
    assert other_kind("汽车\tcar\n".encode()) is None and other_kind(b"") is None


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("a.txt", "tr x y < a.txt > converted.txt"),
        ("a b.txt", "tr x y < 'a b.txt' > converted.txt"),
        ("a.gz", "gunzip -c a.gz | tr x y > converted.txt"),
        ("<stdin>", "cat FILE | tr x y | …"),
    ],
)
def test_a_command_as_it_is_typed(name, typed):
    assert command("tr x y", name) == typed


def test_a_utf16_mark_counts_in_the_first_line_alone():
    raw = "车".encode("utf-16")  # ff fe 66 8f, of which three are no UTF-8
    assert what_to_do(raw, "f", first=True, utf8_before=False).startswith("convert it from UTF-16")
    assert "UTF-16" not in what_to_do(raw, "f", first=False, utf8_before=False)


def test_the_rest_of_the_line_says_whether_it_is_utf8():
    """Two characters of UTF-8 beside a lost one are not more than twice what is lost; four are."""
    few, many = "汽".encode() + b"\xff", "汽车体育".encode() + b"\xff"
    assert what_to_do(few, "f", first=False, utf8_before=False).startswith("convert it, for example from GBK")
    assert what_to_do(many, "f", first=False, utf8_before=False).startswith("the rest is UTF-8")
    assert what_to_do(few, "f", first=False, utf8_before=True).startswith("the rest is UTF-8")
