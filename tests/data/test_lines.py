"""Lines of files and streams: what counts as an end of line, and one-line errors with file:line."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess

import pytest

from prompt_kit.data.lines import number_lines, read_lines
from prompt_kit.errors import DataError, VerbalizerError


def write(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))
    return path


def message(path, error=DataError):
    with pytest.raises(error) as caught:
        list(read_lines(path, error))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_bom_crlf_and_blank_lines_at_the_end_are_fine(tmp_path):
    path = write(tmp_path / "a.txt", b"\xef\xbb\xbf\xe7\x94\xb2\r\n\xe4\xb9\x99\r\n\r\n \t\n")
    assert list(read_lines(path)) == [(1, "甲"), (2, "乙")]


@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\x0b", "\x0c", "\x85", "\x1c"])
def test_only_newline_ends_a_line(tmp_path, inside):
    path = write(tmp_path / "a.txt", f"前{inside}后\n二")
    assert list(read_lines(path)) == [(1, f"前{inside}后"), (2, "二")]


def test_tabs_at_the_ends_are_kept(tmp_path):
    assert list(read_lines(write(tmp_path / "a.txt", "\tnews_car\n题\t\n"))) == [(1, "\tnews_car"), (2, "题\t")]


def test_blank_line_in_the_middle(tmp_path):
    path = write(tmp_path / "a.txt", "甲\n\n \n乙\n")
    assert message(path) == f"{path}:2: blank line, expected text on every line; delete the blank line"
    path = write(tmp_path / "b.txt", "\n乙\n")
    assert message(path).startswith(f"{path}:1: blank line")


def test_blank_lines_can_be_skipped(tmp_path):
    path = write(tmp_path / "a.txt", "\n一\n\n \n二\n\n".encode())
    assert list(read_lines(path, skip_blank=True)) == [(2, "一"), (5, "二")]


def test_gz_is_unpacked(tmp_path):
    path = tmp_path / "corpus.txt.gz"
    path.write_bytes(gzip.compress("\ufeff一\r\n二\n".encode()))
    assert list(read_lines(path)) == [(1, "一"), (2, "二")]
    path.write_bytes(gzip.compress("一\n\n二\n".encode()))
    with pytest.raises(DataError, match=r"corpus.txt.gz:2: blank line"):
        list(read_lines(path))
    path.write_bytes(gzip.compress("一\n".encode() * 9999)[:-20])
    with pytest.raises(DataError, match=r"corpus.txt.gz: not a whole gzip file \(.+\); copy it again"):
        list(read_lines(path))


@pytest.mark.parametrize(
    "data, found", [("", "nothing"), ("\ufeff", "1 blank line(s)"), ("\n \r\n", "2 blank line(s)")]
)
def test_empty_file(tmp_path, data, found):
    path = write(tmp_path / "a.txt", data)
    assert message(path) == f"{path}: the file is empty, expected at least one line of text, got {found}"


def test_gbk_file_names_line_and_byte_offset(tmp_path):
    path = write(tmp_path / "a.txt", b"ab\n" + "汽车\n".encode("gbk"))
    assert message(path) == (
        f"{path}:2: not UTF-8: byte 0xc6 at byte offset 3 of the file; convert it, for example from GBK or GB18030: "
        f"iconv -f GB18030 -t UTF-8 < {path} > converted.txt"
    )


def test_byte_offset_counts_the_bom(tmp_path):
    assert "byte 0xff at byte offset 4 of the file" in message(write(tmp_path / "a.txt", b"\xef\xbb\xbfa\xff\n"))


def test_utf16_file_is_recognised(tmp_path):
    assert "iconv -f UTF-16 -t UTF-8" in message(write(tmp_path / "a.txt", "汽车\n".encode("utf-16")))


def test_missing_file_shows_the_absolute_path_and_what_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "trian.txt", "甲\n")
    assert message("train.txt") == f"train.txt: no such file: {tmp_path / 'train.txt'} (the folder has trian.txt)"


def test_missing_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = os.path.join("nowhere", "train.txt")
    assert message(path) == f"{path}: no such file, because its folder is not there: {tmp_path / 'nowhere'}"


def test_a_folder_is_not_a_file(tmp_path):
    assert message(tmp_path) == f"{tmp_path}: this is a folder, expected a text file"


def test_other_errors_of_the_system(tmp_path):
    path = write(tmp_path / "a.txt", "甲\n") / "b.txt"
    assert message(path) == f"{path}: cannot be read (Not a directory); check the path and its permissions"


def test_the_caller_chooses_the_exception(tmp_path):
    assert "blank line" in message(write(tmp_path / "label.txt", "a\n\nb\n"), VerbalizerError)


def test_streams_of_bytes_of_text_and_text_over_bytes():
    wanted = [(1, "甲"), (2, "乙")]
    data = "\ufeff甲\r\n乙\n\n".encode()
    assert list(number_lines(io.BytesIO(data), "<stdin>")) == wanted
    assert list(number_lines(io.StringIO("\ufeff甲\n乙\n\n"), "<stdin>")) == wanted
    ascii_terminal = io.TextIOWrapper(io.BytesIO(data), encoding="ascii")  # what LANG=C makes of sys.stdin
    assert list(number_lines(ascii_terminal, "<stdin>")) == wanted


def test_streams_are_read_as_they_arrive():
    def endless():
        while True:
            yield "甲\n".encode()

    lines = number_lines(endless(), "<stdin>")
    assert [next(lines) for _ in range(3)] == [(1, "甲"), (2, "甲"), (3, "甲")]


def test_error_in_a_stream_comes_after_the_good_lines():
    lines = number_lines(io.BytesIO("甲\n\n乙\n".encode()), "<stdin>")
    assert next(lines) == (1, "甲")
    with pytest.raises(DataError, match=r"^<stdin>:2: blank line"):
        next(lines)


# --- lines that show nothing ---


@pytest.mark.parametrize("line", ["\u200b", "\ufeff \u200d", "\x00\x00", "\ufffd", "\u3000"])
def test_a_line_that_shows_nothing_is_blank(tmp_path, line):
    path = write(tmp_path / "a.txt", f"甲\n{line}\n乙\n")
    found = message(path)
    assert found.startswith(f"{path}:2: blank line") and found.endswith(
        "expected text on every line; delete the blank line"
    )
    assert ("characters that show nothing" in found) == bool(line.strip())
    assert list(read_lines(path, skip_blank=True)) == [(1, "甲"), (3, "乙")]
    assert list(read_lines(write(tmp_path / "b.txt", f"甲\n{line}\n"))) == [(1, "甲")]
    assert message(write(tmp_path / "c.txt", line)).endswith("got 1 blank line(s)")


# --- what the advice says ---


def advice(path):
    return message(path).split("; ", 1)[1]


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


@pytest.mark.parametrize(
    ("content", "says", "command"),
    [
        ("一\tnews\r二\tnews\r", "as in files of old Macs", r"tr '\r' '\n'"),
        ("一\r\r\n二\r\r\n", "two carriage returns at the end", r"tr -d '\r'"),
        ("一\r二\n三\n", "write a space for it", r"tr '\r' ' '"),
    ],
)
def test_carriage_returns(tmp_path, content, says, command):
    path = write(tmp_path / "a.txt", content)
    assert message(path).startswith(f"{path}:1: ") and says in message(path) and f"{command} < {path}" in message(path)


# --- what the system says in the middle ---


class Broken(io.RawIOBase):
    """Gives some bytes, then an error of the disk."""

    def __init__(self, *answers):
        self.answers = iter(answers)

    def readable(self):
        return True

    def readinto(self, buffer):
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        buffer[: len(answer)] = answer
        return len(answer)


def test_a_read_error_in_the_middle():
    stream = io.BufferedReader(Broken("甲\n乙\n".encode(), OSError(5, "Input/output error")))
    lines = number_lines(stream, "<stdin>")
    assert [next(lines), next(lines)] == [(1, "甲"), (2, "乙")]
    with pytest.raises(DataError, match=r"^<stdin>:3: cannot be read on \(Input/output error\)"):
        next(lines)
