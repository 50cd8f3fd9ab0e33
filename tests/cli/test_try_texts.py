"""prompt-kit try: its texts follow the rule of the other commands. What it shows is tested beside the trainer."""

from __future__ import annotations

import importlib
import os

import pytest

from prompt_kit.errors import DataError

command = importlib.import_module("prompt_kit.cli.try")  # a keyword is no name for `import`


@pytest.mark.parametrize("text", ["", "\u200b", "\u3000\x00"])
def test_a_text_that_shows_nothing(text):
    with pytest.raises(DataError, match="--text: text 2 is empty"):
        command.read(command.parse(["--text", "新车", text]))


def test_a_text_of_another_encoding():
    with pytest.raises(DataError, match="--text:1: not UTF-8"):
        command.parse(["--text", os.fsdecode("国足".encode("gbk"))])
