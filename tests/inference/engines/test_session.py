"""What an engine says, as one line."""

from __future__ import annotations

from prompt_kit.inference.engines.session import first_line


def test_one_line_of_at_most_300_characters():
    assert first_line(RuntimeError("no\n  such\tfile ")) == "no such file"
    assert first_line(KeyError()) == "KeyError"
    assert len(first_line(ValueError("x " * 400))) == 300
