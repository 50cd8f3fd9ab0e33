"""The template language: what it accepts, what the canonical string is, and every error by its message."""

from __future__ import annotations

import pickle

import pytest

from prompt_kit.errors import TemplateError
from prompt_kit.prompt.template import Hard, Mask, Prefix, Sep, Soft, Template, Text

TEXT, MASK = Text("text_a"), Mask()


@pytest.mark.parametrize(
    "source, segments",
    [
        ("{'text': 'text_a'}主题是{'mask'}", (TEXT, Hard("主题是"), MASK)),
        ('{"text": "text_a"}{"hard": "主题是"}{"mask"}', (TEXT, Hard("主题是"), MASK)),
        ("{'text':'text_a'}{'mask':None}", (TEXT, MASK)),
        ("  { 'text' : 'text_a' , }\n  它是 谁 {'mask',}  ", (TEXT, Hard("它是 谁"), MASK)),
        ("{'mask'}{'text': 'text_a'}{'sep'}{'text': 'text_b'}", (MASK, TEXT, Sep(), Text("text_b"))),
        ("{'text': 'text_a'}{'text': 'text_a'}{'mask'}", (TEXT, TEXT, MASK)),
        ("{'text': 'text_a'}{'mask'}和{'mask'}", (TEXT, MASK, Hard("和"), MASK)),
        ("{'text': 'text_a'}{'mask', 'length': 2}", (TEXT, Mask(2))),
        ("{'text': 'text_a', 'truncate': False}{'mask'}", (Text("text_a", False), MASK)),
        ("{'text': 'text_a', 'truncate': 'head'}{'mask'}", (Text("text_a", "head"), MASK)),
        ("{'text': 'text_a', 'truncate': None}{'mask', 'truncate': False}", (TEXT, MASK)),
        ("{'text': 'text_a', 'token_type': 1}{'mask'}", (Text("text_a", token_type=1), MASK)),
        ("{'text': 'text_a', 'add_space': ' '}{'mask'}", (TEXT, MASK)),
        ("{'soft'}{'text': 'text_a'}{'mask'}", (Soft(), TEXT, MASK)),
        ("{'soft': None, 'length': 3}{'text': 'text_a'}{'mask'}", (Soft(length=3), TEXT, MASK)),
        ("{'soft': None, 'duplicate': 3}{'text': 'text_a'}{'mask'}", (Soft(length=3), TEXT, MASK)),
        ("{'soft': '主题', 'encoder': None}{'text': 'text_a'}{'mask'}", (Soft("主题"), TEXT, MASK)),
        (
            "{'soft_id': 7}{'text': 'text_a'}{'soft': '是', 'soft_id': 7, 'encoder': 'lstm', 'hidden_size': 8}{'mask'}",
            (Soft(soft_id=7), TEXT, Soft("是", 7, None, "lstm", 8), MASK),
        ),
        ("{'prefix'}{'text': 'text_a'}{'mask'}", (Prefix(), TEXT, MASK)),
        ("{'prefix': None, 'length': 24}{'text': 'text_a'}{'mask'}", (Prefix(length=24), TEXT, MASK)),
        (
            "{'prefix': '主题', 'encoder': 'mlp', 'hidden_size': 32}{'soft': '是'}{'text': 'text_a'}{'mask'}",
            (Prefix("主题", None, "mlp", 32), Soft("是"), TEXT, MASK),
        ),
        ("{'prefix': '主题', 'token_type': 1}{'text': 'text_a'}{'mask'}", (Prefix("主题", token_type=1), TEXT, MASK)),
        # Content: the other quote, escapes, full-width marks, braces and what looks like code.
        ("""{'text': 'text_a'}{'hard': "it's"}{'mask'}""", (TEXT, Hard("it's"), MASK)),
        (r"{'text': 'text_a'}{'hard': 'it\'s \\ \n\u4e2d'}{'mask'}", (TEXT, Hard("it's \\ \n中"), MASK)),
        ("{'text': 'text_a'}“它”，‘是’：{'mask'}", (TEXT, Hard("“它”，‘是’："), MASK)),
        ("{'text': 'text_a'}{'hard': '“{它}”'}{'mask'}", (TEXT, Hard("“{它}”"), MASK)),
        ("{'text': 'text_a'}__import__('os').abort(){'mask'}", (TEXT, Hard("__import__('os').abort()"), MASK)),
    ],
)
def test_parse_and_round_trip(source, segments):
    template = Template.parse(source)
    assert template.segments == segments
    assert Template.parse(str(template)) == template
    assert len(str(template).splitlines()) == 1  # it is stored and shown on one line
    assert pickle.loads(pickle.dumps(template)) == template  # noqa: S301


def test_canonical_string():
    source = """{ "soft":"it's","hidden_size":8,"encoder":'mlp'}{'text':'text_a'}是{'mask':None,'length':1}"""
    assert (
        str(Template.parse(source))
        == r"{'soft': 'it\'s', 'encoder': 'mlp', 'hidden_size': 8}{'text': 'text_a'}{'hard': '是'}{'mask'}"
    )


@pytest.mark.parametrize("text", ["\\", "\\n", "'\"", "a\r\nb\tc", "\x85\u2028\x00.", "\\u4e2d", "{'mask'}", "▲"])
def test_any_words_survive_the_round_trip(text):
    template = Template((TEXT, Hard(text), Soft(text), MASK))
    assert Template.parse(str(template)) == template
    assert len(str(template).splitlines()) == 1


def test_properties():
    template = Template.parse("{'text': 'text_b'}{'mask', 'length': 2}{'text': 'text_a'}{'mask'}{'text': 'text_b'}")
    assert (template.num_masks, template.fields, template.uses_soft) == (3, ("text_b", "text_a"), False)
    assert Template.parse("{'soft_id': 1}{'text': 'text_a'}{'mask'}").uses_soft


def test_plain_prompt():
    assert str(Template.from_prompt(" 主题是 ")) == "{'text': 'text_a'}{'soft': '主题是'}{'mask'}"
    assert Template.from_prompt("主题是", soft_encoder="none") == Template.from_prompt("主题是")
    template = Template.from_prompt("主题是", soft_encoder="lstm", hidden_size=16, num_masks=2)
    assert template.segments == (TEXT, Soft("主题是", None, None, "lstm", 16), Mask(2))


def test_from_prompt_with_a_template():
    hard = "{'text': 'text_a'}是{'mask', 'length': 2}"
    assert Template.from_prompt(hard, num_masks=2) == Template.parse(hard)
    # The encoder goes only where none is named; a soft_id has its encoder from whichever place names it.
    source = "{'soft_id': 1}{'soft'}{'text': 'text_a'}{'soft': '是', 'soft_id': 1, 'encoder': 'mlp'}{'mask'}"
    segments = Template.from_prompt(source, soft_encoder="lstm").segments
    assert [one.encoder for one in segments if isinstance(one, Soft)] == ["mlp", "lstm", "mlp"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("  ",), "the prompt is empty, expected words such as 这条新闻的主题是, or a template"),
        (
            ("它是[MASK]",),
            "template error at column 1: [MASK] is no special token inside words, use {'mask'}: ▲它是[MASK]",
        ),
        (("它是", "gru"), "'encoder' must be 'lstm', 'mlp' or None, got 'gru'"),
        (("它是", None, 16), "'hidden_size' needs an 'encoder' beside it"),
        (("它是", None, None, 0), "'length' must be a whole number of 1 or more, got 0"),
        (
            ("{'text': 'text_a'}{'mask'}", None, None, 2),
            "asked for 2 masks, but the template has 1: {'text': 'text_a'}{'mask'}",
        ),
        (
            ("{'text': 'text_a'}{'mask'}", "lstm"),
            "asked for soft encoder lstm, but the template has no soft part: {'text': 'text_a'}{'mask'}",
        ),
        (
            ("{'text': 'text_a'}{'mask'}", None, 8),
            "asked for hidden size 8, but the template has no soft part: {'text': 'text_a'}{'mask'}",
        ),
        (
            ("｛'mask'｝",),
            "template error at column 1: expected a part in braces, got the full-width ｛ (use {): ▲｛'mask'｝",
        ),
    ],
)
def test_prompt_errors(arguments, message):
    with pytest.raises(TemplateError) as error:
        Template.from_prompt(*arguments)
    assert str(error.value) == message


# (what stands before the caret, what stands after it, the message)
ERRORS = [
    # keywords and attributes
    ("{'text': 'text_a'}{", "'msk'}", "unknown keyword 'msk' (did you mean 'mask'?)"),
    (
        "{'text': 'text_a'}{",
        "'xyz'}",
        "unknown keyword 'xyz', expected one of text, hard, mask, soft, soft_id, sep, prefix, options",
    ),
    ("{'text': 'text_a', ", "'mask': None}", "two keywords in one part, 'text' and 'mask'"),
    ("{'text': 'text_a'}{'mask', ", "'len': 2}", "unknown attribute 'len' of 'mask' (did you mean 'length'?)"),
    (
        "{'text': 'text_a'}{'mask', ",
        "'encoder': 'mlp'}",
        "unknown attribute 'encoder' of 'mask', expected one of length, token_type, truncate, position, add_space",
    ),
    ("{'text': 'text_a'}{'mask', ", "'length'}", "'length' needs a value, expected 'length': …"),
    ("{'text': 'text_a'}{'mask': ", "2}", "'mask' takes no value, got 2"),
    ("{'text': 'text_a'}{'mask'}{'sep': ", "'x'}", "'sep' takes no value, got 'x'"),
    # not supported yet
    (
        "{'prefix', ",
        "'position': 0}{'text': 'text_a'}{'mask'}",
        "'position' is not supported yet, positions count 0, 1, 2, …",
    ),
    # the prefix
    ("{'text': 'text_a'}", "{'prefix'}{'mask'}", "{'prefix'} must be the first part, and there can be only one"),
    (
        "{'prefix'}",
        "{'prefix'}{'text': 'text_a'}{'mask'}",
        "{'prefix'} must be the first part, and there can be only one",
    ),
    ("{'prefix': ", "' '}{'text': 'text_a'}{'mask'}", "'prefix' must be a string with words in it, got ' '"),
    ("{'prefix', 'length': ", "0}{'text': 'text_a'}{'mask'}", "'length' must be a whole number of 1 or more, got 0"),
    (
        "{'prefix', 'encoder': ",
        "'gru'}{'text': 'text_a'}{'mask'}",
        "'encoder' must be 'lstm', 'mlp' or None, got 'gru'",
    ),
    ("{'prefix', 'hidden_size': ", "8}{'text': 'text_a'}{'mask'}", "'hidden_size' needs an 'encoder' beside it"),
    (
        "{'prefix': '主题', ",
        "'soft_id': 1}{'text': 'text_a'}{'mask'}",
        "two keywords in one part, 'prefix' and 'soft_id'",
    ),
    ("{'prefix'}{'text': 'text_a'}", "", "the template has no mask, expected {'mask'} in it"),
    (
        "{'text': 'text_a'}{'options': ",
        "'choices', 'add_prompt': '[OPT]'}",
        "'options' must be 'label.txt', the labels of the data folder, got 'choices'",
    ),
    (
        "{'text': 'text_a'}{'options': 'label.txt', 'add_prompt': ",
        "'是'}",
        "'add_prompt' must be a string with [OPT] in the option's place, got '是'",
    ),
    (
        "{'text': 'text_a'}{'options': 'label.txt', 'add_omask': ",
        "True}",
        "'add_omask' needs a language model that was trained with [O-MASK]; leave it out",
    ),
    (
        "{'text': 'text_a', ",
        "'position': 0}{'mask'}",
        "'position' is not supported yet, positions count 0, 1, 2, …",
    ),
    # values
    ("{", "'text'}{'mask'}", "'text' must be 'text_a' or 'text_b', got None"),
    ("{'text': ", "'label'}{'mask'}", "'text' must be 'text_a' or 'text_b', got 'label'"),
    (
        "{'text': 'text_a', 'truncate': ",
        "1}{'mask'}",
        "'truncate' must be True, False, 'tail' or 'head', got 1",
    ),
    ("{'text': 'text_a', 'token_type': ", "2}{'mask'}", "'token_type' must be 0 or 1, got 2"),
    ("{'text': 'text_a', 'token_type': ", "True}{'mask'}", "'token_type' must be 0 or 1, got True"),
    (
        "{'text': 'text_a'}{'hard': 'x', 'truncate': ",
        "True}",
        "only {'text'} can be cut, the prompt's own words never are",
    ),
    ("{'text': 'text_a'}{'hard': ", "' '}", "'hard' must be a string with words in it, got ' '"),
    ("{'text': 'text_a'}{'soft': ", "3}", "'soft' must be a string with words in it, got 3"),
    ("{'text': 'text_a'}", "\udce4是{'mask'}", "the words are not valid UTF-8, check the encoding of the terminal"),
    ("{'text': 'text_a'}", "它[SEP]是{'mask'}", "[SEP] is no special token inside words, use {'sep'}"),
    ("{'text': 'text_a'}{'mask', 'length': ", "0}", "'length' must be a whole number of 1 or more, got 0"),
    ("{'text': 'text_a'}{'mask', 'length': ", "'2'}", "'length' must be a whole number of 1 or more, got '2'"),
    ("{'text': 'text_a'}{'soft', 'length': ", "-1}", "'length' must be a whole number of 1 or more, got -1"),
    (
        "{'text': 'text_a'}{'soft', 'length': ",
        "99999999}",
        "expected a string in quotes, a whole number, True, False or None, got 99999999",
    ),
    ("{'text': 'text_a'}{'soft_id': ", "0}{'mask'}", "'soft_id' must be a whole number of 1 or more, got 0"),
    ("{'text': 'text_a'}{", "'soft_id'}{'mask'}", "'soft_id' must be a whole number of 1 or more, got None"),
    ("{'text': 'text_a'}{'soft', 'encoder': ", "'gru'}", "'encoder' must be 'lstm', 'mlp' or None, got 'gru'"),
    (
        "{'text': 'text_a'}{'soft': 'x', 'duplicate': ",
        "3}",
        "'duplicate' is for {'soft'} without words, use 'length'",
    ),
    # the template as a whole
    ("", "", "the template has no text, expected {'text': 'text_a'} in it"),
    ("它是{'mask'}", "", "the template has no text, expected {'text': 'text_a'} in it"),
    ("{'text': 'text_a'}它是", "", "the template has no mask, expected {'mask'} in it"),
    (
        "{'text': 'text_a'}{'mask'}{'soft', 'hidden_size': ",
        "8}",
        "'hidden_size' needs an 'encoder' beside it",
    ),
    (
        "{'text': 'text_a'}{'mask'}{'soft': 'x', 'soft_id': 1}{'soft': ",
        "'y', 'soft_id': 1}",
        "soft_id 1 is given two values of 'soft', 'x' and 'y'",
    ),
    (
        "{'text': 'text_a'}{'mask'}{'soft_id': 1, 'encoder': 'mlp'}{'soft_id': 1, 'encoder': ",
        "'lstm'}",
        "soft_id 1 is given two values of 'encoder', 'mlp' and 'lstm'",
    ),
    (
        "{'text': 'text_a'}{'mask'}{'soft', 'encoder': 'mlp', 'hidden_size': 8}"
        "{'soft', 'encoder': 'mlp', 'hidden_size': ",
        "4}",
        "encoder mlp is given two values of 'hidden_size', 8 and 4",
    ),
]


@pytest.mark.parametrize("before, after, message", ERRORS)
def test_errors_are_one_line_with_a_caret(before, after, message):
    with pytest.raises(TemplateError) as error:
        Template.parse(before + after)
    assert str(error.value) == f"template error at column {len(before) + 1}: {message}: {before}▲{after}"


def test_options_are_the_words_of_the_labels():
    source = "{'text': 'text_a'}属于{'options': 'label.txt', 'add_prompt': '[OPT]、'}中的{'mask'}"
    template = Template.parse(source)
    assert Template.parse(str(template)) == template and template.has_options
    written = "{'text': 'text_a'}{'hard': '属于'}{'hard': '汽车、体育、'}{'hard': '中的'}{'mask'}"
    assert str(template.with_options(["汽车", "体育"])) == written
    side_by_side = Template.parse("{'options'}{'mask'}{'text': 'text_a', 'token_type': 1}").with_options(
        ["汽车", "体育"]
    )
    assert str(side_by_side) == "{'hard': '汽车体育'}{'mask'}{'text': 'text_a', 'token_type': 1}"
