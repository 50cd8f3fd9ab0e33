"""Lines of files and streams: what counts as an end of line, and one-line errors with file:line."""

from __future__ import annotations

import gzip
import io
import os

import pytest
from files import write
from refusals import refusal

from prompt_kit.data.lines import number_lines, read_lines
from prompt_kit.errors import DataError, VerbalizerError


def message(path, error=DataError):
    return refusal(error, lambda: list(read_lines(path, error)))


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
