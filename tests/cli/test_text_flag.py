"""--text takes UTF-8 whatever the locale: in the C locale Python hands the bytes over as half surrogates."""

from __future__ import annotations

import argparse

import pytest
from refusals import refusal

from prompt_kit.cli.text_flag import add_text_flag
from prompt_kit.errors import DataError


@pytest.fixture
def parse(monkeypatch):
    monkeypatch.setattr("os.fsencode", lambda text: text.encode("utf-8", "surrogateescape"))
    parser = argparse.ArgumentParser()
    add_text_flag(parser, "texts")
    return lambda *words: parser.parse_args(words)


def in_c_locale(content: bytes) -> str:
    return content.decode("ascii", "surrogateescape")


def test_bytes_and_letters(parse):
    found = parse("--text", in_c_locale("球 新队".encode()), "车", "--text_pair", "a", "b")
    assert (found.text, found.text_pair) == (["球 新队", "车"], ["a", "b"])


def test_another_encoding(parse):
    said = refusal(DataError, parse, "--text", "球", in_c_locale("车".encode("gbk")))
    assert said.startswith("--text:2: not UTF-8: byte 0xb3 at byte offset 0 of the text; ") and "perhaps GBK" in said
