"""Bytes that are not UTF-8 -> what they probably are, and a command that converts them."""

from __future__ import annotations

import shlex
from typing import Optional

_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_KINDS = {
    b"PK\x03\x04": "a zip archive, such as an Excel file; save its sheet as text, separated by tabs, in UTF-8, or make a data "
    "folder of it with prompt-kit import excel",
    b"\x1f\x8b": "packed by gzip; give it a name that ends with .gz, or unpack it with gunzip",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file; save it as text, separated by tabs, in UTF-8",
}


def other_kind(first_line: bytes) -> Optional[str]:
    """What kind of file begins like this, if it is one that people take for a text; its first line may be valid UTF-8."""
    return next((kind for magic, kind in _KINDS.items() if first_line.startswith(magic)), None)


def wide_codec(data: bytes) -> str:
    """The codec of UTF-16 without a BOM, as iconv and Python know it; "" for anything else.

    Its ASCII characters are a byte of zero and one that is not, all in the same order. So are a few zero bytes that a program
    left in another file, by accident; but such a file is valid, and most of its line breaks have no zero byte beside them.
    """
    sample = data[:4096]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) < len(sample) / 50 or max(even, odd) < 8 * min(even, odd):
        return ""
    codec = "UTF-16BE" if even > odd else "UTF-16LE"
    breaks = sample.count(b"\n") + sample.count(b"\t")
    wide = sum(sample.count(mark.encode(codec)) for mark in "\n\t")
    return "" if wide < 0.75 * breaks and (_is_valid(data, "utf-8") or _is_valid(data, "gb18030")) else codec


def _is_valid(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def what_to_do(raw: bytes, name: str, first: bool, utf8_before: bool) -> str:
    """What a line with a byte that is not UTF-8 probably is, and what to do about it.

    Args:
        raw: the line's bytes.
        name: of the file, `<stdin>` for a stream.
        first: whether it is the first line.
        utf8_before: whether an earlier line had Chinese in UTF-8, so that the file is UTF-8 but for this line.
    """
    if first and raw.startswith(_UTF16_BOMS):
        return f"convert it from UTF-16: {command('iconv -f UTF-16 -t UTF-8', name)}"
    if first and (wide := wide_codec(raw.rstrip(b"\n"))):  # a line of UTF-16LE is cut within its line break
        return f"convert it from UTF-16: {command(f'iconv -f {wide} -t UTF-8', name)}"
    text = raw.decode("utf-8", errors="replace")
    lost = text.count("\ufffd")
    if utf8_before or sum(char > "\x7f" for char in text) > 2 * lost:
        return (
            "the rest is UTF-8, so only this place is damaged: correct the line, or leave the damaged bytes out: "
            f"{command('iconv -c -f UTF-8 -t UTF-8', name)}"
        )
    # GB18030 is all of GBK and the rest of Unicode: iconv -f GBK stops at an emoji.
    return f"convert it, for example from GBK or GB18030: {command('iconv -f GB18030 -t UTF-8', name)}"


def command(program: str, name: str) -> str:
    """`program` as it is typed for the file `name`, which may be packed, or for a pipe (`<stdin>`)."""
    if name.startswith("<"):
        return f"cat FILE | {program} | …"
    quoted = shlex.quote(name)
    if name.endswith(".gz"):
        return f"gunzip -c {quoted} | {program} > converted.txt"
    return f"{program} < {quoted} > converted.txt"
