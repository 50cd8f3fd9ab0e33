"""Encodings by their bytes, folders and archives."""

from __future__ import annotations

import zipfile

import pytest

from prompt_kit.data.importers.sources import Source, decode, open_sources
from prompt_kit.errors import ConfigError, DataError

TABLE = "text,label\n今晚国足迎战日本队,体育\n新车上市售价公布,汽车\n"


@pytest.mark.parametrize(
    ("codec", "told"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("gbk", "gb18030"),
        ("gb18030", "gb18030"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
    ],
)
def test_the_encoding_is_told_by_the_bytes(codec, told):
    assert decode(Source("f", TABLE.encode(codec))) == (TABLE, told)


def test_utf16_be_with_its_mark():
    assert decode(Source("f", b"\xfe\xff" + TABLE.encode("utf-16-be"))) == (TABLE, "utf-16")


@pytest.mark.parametrize("codec", ["utf-8", "gbk"])
@pytest.mark.parametrize("first", [0, 1])
def test_zero_bytes_are_left_out_and_make_no_utf16(codec, first):
    """Three of them in some 80 bytes, all at even places or all at odd ones, are what UTF-16 has."""
    data, added = b"", 0
    for character in TABLE:
        if added < 3 and character > "z" and len(data) % 2 == first:
            data, added = data + b"\0", added + 1
        data += character.encode(codec)
    assert added == 3
    assert decode(Source("f", data)) == (TABLE, "gb18030" if codec == "gbk" else codec)


def test_gb18030_has_what_gbk_lacks():
    text = TABLE + "表情😀,体育\n"
    assert decode(Source("f", text.encode("gb18030"))) == (text, "gb18030")


def test_one_bad_byte_in_utf8_does_not_become_gb18030():
    data = TABLE.encode().replace("新".encode(), b"\xe6\x96")
    with pytest.raises(DataError, match="^f:3: byte 0xe6 is not UTF-8; save the file as UTF-8"):
        decode(Source("f", data))


def test_bytes_of_no_encoding():
    with pytest.raises(DataError, match="^f:2: byte 0xff is not GB18030"):
        decode(Source("f", b"text\n\xff\xff\xff\n"))


def test_an_encoding_that_is_named():
    assert decode(Source("f", "標題".encode("big5")), "big5") == ("標題", "big5")
    with pytest.raises(ConfigError, match="--encoding klingon is not known"):
        decode(Source("f", b"x"), "klingon")
    with pytest.raises(DataError, match="^f:1: byte 0xbd is not UTF-8"):
        decode(Source("f", "今".encode("gbk") + b"\xbd"), "utf-8")


@pytest.mark.parametrize("data", [b"", b"\n \r\n", b"\x00\x00"])
def test_an_empty_file(data):
    with pytest.raises(DataError, match="^f: the file is empty"):
        decode(Source("f", data))


def test_folders_and_archives(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("b.jsonl", "a.jsonl", "notes.md"):
        (tmp_path / "in" / name).write_text(name, encoding="utf-8")
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("amy.jsonl", "x")
        archive.writestr("bob.jsonl", "")  # a member who labelled nothing
        archive.writestr("__MACOSX/amy.jsonl", "x")
        archive.writestr("readme.md", "x")
    found = [source.name for source in open_sources([str(path), str(tmp_path / "in")], (".jsonl",))]
    assert found == [f"{path}/amy.jsonl", str(tmp_path / "in" / "a.jsonl"), str(tmp_path / "in" / "b.jsonl")]
    with pytest.raises(DataError, match="no file in this folder ends with .csv or .tsv"):
        list(open_sources([str(tmp_path / "in")], (".csv", ".tsv")))
    with pytest.raises(DataError, match="no file in this archive ends with .csv"):
        list(open_sources([str(path)], (".csv",)))


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="cannot be read .No such file or directory."):
        list(open_sources([str(tmp_path / "no.csv")], (".csv",)))
    broken = tmp_path / "cut.zip"
    broken.write_bytes(b"PK\x03\x04cut")
    with pytest.raises(DataError, match="cut.zip: not a zip archive that can be read"):
        list(open_sources([str(broken)], (".csv",)))


@pytest.mark.parametrize("encoding", ["hex", "rot13", "base64", "undefined", "uu"])
def test_a_codec_of_something_else_than_texts(encoding):
    with pytest.raises(ConfigError, match="^--encoding .* try utf-8"):
        decode(Source("f.csv", b"text,label"), encoding)


@pytest.mark.parametrize(
    ("start", "kind"), [(b"PK\x03\x04\x80\n", "an Excel file; .* prompt-kit import excel"), (b"\x1f\x8b\x08", "gunzip")]
)
def test_a_file_of_another_kind_is_called_so(start, kind):
    with pytest.raises(DataError, match=f"^f: expected a text file, but this is .*{kind}"):
        decode(Source("f", start + bytes(range(128, 255))))
