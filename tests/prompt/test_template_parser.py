"""The grammar of the template language: blocks, bare text and their places, quoting, and every mistake of syntax."""

from __future__ import annotations

import pytest

from prompt_kit.errors import TemplateError
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.template_parser import BareText, Block, Entry, escape, parse_parts, quote, template_error


def test_a_line_break_in_the_source_does_not_break_the_message():
    with pytest.raises(TemplateError) as error:
        Template.parse("{'text': 'text_a'}\n{'msk'}")
    assert str(error.value).endswith(r"(did you mean 'mask'?): {'text': 'text_a'}\n{▲'msk'}")


@pytest.mark.parametrize("at", [0, 5_000, 99_990])
def test_a_long_template_is_shown_around_the_mistake(at):
    words = "主" * at + "}" + "题" * (100_000 - at)
    with pytest.raises(TemplateError) as caught:
        Template.parse(words)
    assert f"column {at + 1}: this }} closes nothing" in str(caught.value) and "▲}" in str(caught.value)
    assert len(str(caught.value)) < 500
    with pytest.raises(TemplateError) as caught:
        Template.parse("{'" + "x" * 100_000 + "'}")
    assert len(str(caught.value)) < 900


def test_a_keyword_of_control_characters_does_not_steer_a_terminal():
    with pytest.raises(TemplateError) as found:
        Template.parse("{'text\x1b[2J\x9b\x00'}{'mask'}")
    assert "unknown keyword 'text\\u001b[2J\\u009b\\u0000'" in str(found.value) and str(found.value).isprintable()


def test_blocks_and_bare_text_have_their_places():
    assert parse_parts("{'mask'}它 是 {'text': 'text_a',}") == (
        Block(0, (Entry("mask", None, 1, 1, bare=True),)),
        BareText(8, "它 是"),
        Block(12, (Entry("text", "text_a", 13, 21, bare=False),)),
    )
    assert parse_parts(" \n") == ()


def test_values_are_literals():
    (block,) = parse_parts("{'a': True, 'b': False, 'c': None, 'd': -3, 'e': +12, 'f': \"g\"}")
    assert {entry.key: entry.value for entry in block.entries} == {
        "a": True, "b": False, "c": None, "d": -3, "e": 12, "f": "g",
    }  # fmt: skip
    assert block.entry("d").value == -3 and block.entry("z") is None


def test_quoting_by_hand():
    assert quote("它是") == "'它是'" and quote("a'b\\c") == r"'a\'b\\c'"
    assert escape("a\n\t\x1b'", quote="") == r"a\n\t\u001b'" and escape('"', quote='"') == r"\""


def test_an_error_shows_its_place():
    assert str(template_error("它是谁", 1, "no")) == "template error at column 2: no: 它▲是谁"
    cut = str(template_error("字" * 400, 200, "no"))
    assert cut == f"template error at column 201: no: …{'字' * 150}▲{'字' * 150}…"


# (what stands before the caret, what stands after it, the message)
SYNTAX_ERRORS = [
    ("", "{'text': 'text_a'", "this { is never closed"),
    ("{'text': 'text_a'}{", "'mask}", "this quote ' is never closed"),
    ("{'text': 'text_a'}", "}{'mask'}", "this } closes nothing"),
    ("", "{}{'text': 'text_a'}{'mask'}", "these braces are empty, expected a keyword such as {'mask'}"),
    ("{'text': 'text_a'}{", "mask}", "expected a keyword in quotes, such as 'mask', got mask"),
    ("{'text' ", "'text_a'}{'mask'}", "expected ',' or '}', got '"),
    ("{'text': 'text_a' ", "'length': 1}{'mask'}", "expected ',' or '}', got '"),
    ("{'text': ", "text_a}", "expected a string in quotes, a whole number, True, False or None, got text_a"),
    (
        "{'text': 'text_a'}{'mask', 'length': ",
        "1.5}",
        "expected a string in quotes, a whole number, True, False or None, got 1.5",
    ),
    ("{'text': ", "}", "expected a string in quotes, a whole number, True, False or None, got }"),
    (
        "{'text': ",
        "“text_a”}",
        'expected a string in quotes, a whole number, True, False or None, got the full-width “ (use ")',
    ),
    ("{'text'", "：'text_a'}", "expected ',' or '}', got the full-width ： (use :)"),
    ("{'text': 'text_a'}{'hard': '", r"\d'}", r"unknown escape, expected \\ \' \" \n \r \t or \uXXXX"),
    ("{'text': 'text_a'}{'hard': '", r"\ud83d'}", r"unknown escape, expected \\ \' \" \n \r \t or \uXXXX"),
    ("{'text': 'text_a', ", "'text': 'text_b'}", "'text' is given twice"),
]


@pytest.mark.parametrize("before, after, message", SYNTAX_ERRORS)
def test_errors_of_syntax_are_one_line_with_a_caret(before, after, message):
    for parse in (parse_parts, Template.parse):
        with pytest.raises(TemplateError) as error:
            parse(before + after)
        assert str(error.value) == f"template error at column {len(before) + 1}: {message}: {before}▲{after}"
