"""Example -> Features -> arrays, by hand on a tokenizer of one token per character, and against PaddleNLP's output."""

from __future__ import annotations

import json
import logging
import pickle
import random

import pytest
from char_tokenizer import CLS, MASK, SEP, UNK, CharTokenizer

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError, DataError, TemplateError
from prompt_kit.prompt.prompt_tokenizer import Features, PromptTokenizer, SoftToken, share_room
from prompt_kit.prompt.template import Template


class TableTokenizer(CharTokenizer):
    """Knows the ids of whole parts only, as a golden file lists them."""

    def __init__(self, special, pieces):
        super().__init__()
        self.pieces = pieces
        for name, value in special.items():
            setattr(self, f"{name}_id", value)

    def encode(self, text):
        return self.pieces[text]


def build(source, max_seq_length=128, **settings):
    return PromptTokenizer(Template.parse(source), CharTokenizer(), max_seq_length, **settings)


def spell(features):
    """Ids as a readable string: C [CLS], S [SEP], M [MASK], U [UNK]."""
    return "".join("PCSMU"[one] if one <= UNK else chr(one) for one in features.input_ids)


def encode(source, text_a, text_b=None, max_seq_length=128, **settings):
    return spell(build(source, max_seq_length, **settings).encode(Example(text_a, None, text_b)))


# --- the format


def test_one_mask():
    features = build("{'text': 'text_a'}is{'mask'}").encode(Example("abc"))
    assert features == Features([CLS, 97, 98, 99, 105, 115, MASK, SEP], [0] * 8, [6], None)


@pytest.mark.parametrize(
    "source, spelled, columns",
    [
        ("{'mask'}is{'text': 'text_a'}", "CMisabS", [1]),
        ("{'text': 'text_a'}{'mask', 'length': 2}x", "CabMMxS", [3, 4]),
        ("{'mask'}{'text': 'text_a'}{'mask'}", "CMabMS", [1, 4]),
        ("{'text': 'text_a'}{'sep'}{'text': 'text_a'}{'mask'}", "CabSabMS", [6]),
        ("{'text': 'text_a'} x y {'mask'}", "CabxyMS", [5]),
        ("{'text': 'text_b'}{'mask'}{'text': 'text_a'}", "CyzMabS", [3]),
    ],
)
def test_layouts(source, spelled, columns):
    features = build(source).encode(Example("ab", None, "yz"))
    assert spell(features) == spelled
    assert features.mask_columns == columns


def test_token_type_holds_until_the_next_one_and_reaches_the_last_sep():
    # PaddleNLP gives the last [SEP] type 0 whatever stands before it; [CLS] is 0 in both.
    source = "{'text': 'text_a'}{'sep'}{'text': 'text_b', 'token_type': 1}x{'mask'}"
    assert build(source).encode(Example("ab", None, "yz")).token_type_ids == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    source = "{'text': 'text_a', 'token_type': 1}{'mask', 'token_type': 0}"
    assert build(source).encode(Example("ab")).token_type_ids == [0, 1, 1, 0, 0]


def test_special_tokens_in_a_text_are_data():
    # PaddleNLP would find two masks here and end the sequence early.
    features = build("{'text': 'text_a'}{'mask'}").encode(Example("[MASK][SEP]"))
    assert features.mask_columns == [12]
    assert features.input_ids.count(MASK) == features.input_ids.count(SEP) == 1


# --- truncation


@pytest.mark.parametrize(
    "length, mode, spelled",
    [
        (11, "tail", "CabcdefisMS"),
        (10, "tail", "CabcdeisMS"),
        (6, "tail", "CaisMS"),
        (10, "head", "CbcdefisMS"),
        (6, "head", "CfisMS"),
    ],
)
def test_only_the_text_is_cut(length, mode, spelled):
    # 5 tokens of prompt and 6 of text: 11 in all.
    assert encode("{'text': 'text_a'}is{'mask'}", "abcdef", max_seq_length=length, truncate_mode=mode) == spelled


def test_a_text_that_exactly_fits_is_whole():
    assert encode("{'text': 'text_a'}{'mask'}", "abc", max_seq_length=6) == "CabcMS"


def test_truncate_of_a_segment_overrides_the_mode():
    source = "{'text': 'text_a', 'truncate': 'head'}{'mask'}{'text': 'text_a', 'truncate': 'tail'}"
    assert encode(source, "abcd", max_seq_length=7, truncate_mode="head") == "CcdMabS"


def test_a_text_left_without_room_is_empty_in_both_modes():
    # The trap of text[-0:], which is the whole text.
    source = "{'text': 'text_a', 'truncate': False}{'mask'}{'text': 'text_b'}"
    for mode in ("tail", "head"):
        assert encode(source, "abcd", "xyz", max_seq_length=7, truncate_mode=mode) == "CabcdMS"


def test_a_text_that_may_not_be_cut_is_an_error_when_too_long():
    with pytest.raises(DataError) as error:
        encode("{'text': 'text_a', 'truncate': False}{'mask'}", "abcdef", max_seq_length=8, first_max_length=2)
    assert str(error.value) == (
        "a text with truncate False has more than the 5 tokens that max_seq_length 8 leaves beside the prompt: "
        "use a longer max_seq_length or let it be cut"
    )


def test_several_texts_lose_the_longest_first():
    source = "{'text': 'text_a'}{'mask'}{'text': 'text_b'}"
    assert encode(source, "ab", "uvwxyz", max_seq_length=8) == "CabMuvwS"
    assert encode(source, "abcdef", "uvwxyz", max_seq_length=8) == "CabcMuvS"
    assert encode(source, "abcdef", "uvwxyz", max_seq_length=8, truncate_mode="head") == "CdefMyzS"


def test_share_room_against_token_by_token():
    draw = random.Random(0)
    for _ in range(500):
        lengths = [draw.randrange(8) for _ in range(draw.randint(1, 4))]
        room = draw.randint(0, sum(lengths))
        expected = list(lengths)
        while sum(expected) > room:  # shorten the longest, the later one of equals
            longest = max(range(len(expected)), key=lambda index: (expected[index], index))
            expected[longest] -= 1
        assert share_room(lengths, room) == expected


def test_first_and_other_max_length():
    source = "{'text': 'text_a'}{'mask'}{'text': 'text_b'}{'text': 'text_a'}"
    assert encode(source, "abcdef", "uvwxyz", first_max_length=2) == "CabMuvwxyzabcdefS"
    assert encode(source, "abcdef", "uvwxyz", other_max_length=1) == "CabcdefMuaS"
    settings = {"first_max_length": 3, "other_max_length": 2, "truncate_mode": "head"}
    assert encode(source, "abcdef", "uvwxyz", **settings) == "CdefMyzefS"
    # Both bounds, and then what max_seq_length leaves: 3 + 3 + 3 -> 5.
    assert encode(source, "abcdef", "uvwxyz", 8, first_max_length=3, other_max_length=3) == "CabMuvaS"


# --- soft prompts


def test_soft_words_start_from_their_tokens():
    tokenizer = build("{'text': 'text_a'}{'soft': 'xy?'}{'mask'}")
    features = tokenizer.encode(Example("ab"))
    assert spell(features) == "CabxyUMS"
    assert features.soft_ids == [0, 0, 0, 1, 2, 3, 0, 0]
    assert tokenizer.soft_tokens == (SoftToken(120), SoftToken(121), SoftToken(UNK))
    assert (tokenizer.num_prompt_tokens, tokenizer.num_masks, tokenizer.uses_soft) == (6, 1, True)


def test_a_prefix_has_no_place_in_the_sequence():
    plain, deep = build("{'text': 'text_a'}{'mask'}"), build("{'prefix': 'xy', 'length': 3}{'text': 'text_a'}{'mask'}")
    assert deep.encode(Example("ab")) == plain.encode(Example("ab"))
    assert deep.prefix_tokens == (SoftToken(120), SoftToken(121), SoftToken(None))
    assert (deep.num_prompt_tokens, deep.uses_soft, plain.prefix_tokens) == (plain.num_prompt_tokens, False, ())


def test_soft_without_words_looks_unknown_and_never_like_padding():
    tokenizer = build("{'soft', 'length': 2}{'text': 'text_a'}{'soft'}{'mask'}")
    features = tokenizer.encode(Example("a"))
    assert spell(features) == "CUUaUMS"
    assert features.soft_ids == [0, 1, 2, 0, 3, 0, 0]
    assert tokenizer.soft_tokens == (SoftToken(None),) * 3


def test_a_length_above_the_words_adds_vectors_without_a_word():
    tokenizer = build("{'text': 'text_a'}{'soft': 'x', 'length': 3}{'mask'}")
    assert tokenizer.soft_tokens == (SoftToken(120), SoftToken(None), SoftToken(None))
    assert spell(tokenizer.encode(Example("a"))) == "CaxUUMS"


def test_a_length_below_the_words_is_ignored_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        tokenizer = build("{'text': 'text_a'}{'soft': 'xyz', 'length': 2}{'mask'}")
    assert len(tokenizer.soft_tokens) == 3
    assert caplog.messages == ["length 2 is ignored, its words have 3 tokens: {'soft': 'xyz', 'length': 2}"]


def test_shared_vectors_whichever_place_has_the_words():
    # PaddleNLP stops with an assertion when the words come second.
    source = "{'soft_id': 7}{'text': 'text_a'}{'soft'}{'soft_id': 7, 'soft': 'xy', 'encoder': 'mlp'}{'sep'}{'mask'}"
    tokenizer = build(source)
    features = tokenizer.encode(Example("a"))
    assert spell(features) == "CxyaUxySMS"
    assert features.soft_ids == [0, 1, 2, 0, 3, 1, 2, 0, 0, 0]
    assert tokenizer.soft_tokens == (SoftToken(120, "mlp"), SoftToken(121, "mlp"), SoftToken(None))


def test_one_encoder_has_one_hidden_size():
    source = (
        "{'soft': 'x', 'encoder': 'lstm'}{'soft': 'y', 'encoder': 'lstm', 'hidden_size': 8}{'text': 'text_a'}{'mask'}"
    )
    assert build(source).soft_tokens == (SoftToken(120, "lstm", 8), SoftToken(121, "lstm", 8))


def test_soft_prompt_survives_truncation():
    features = build("{'soft': 'xy'}{'text': 'text_a'}{'mask'}", 7).encode(Example("abcdef"))
    assert (spell(features), features.soft_ids, features.mask_columns) == ("CxyabMS", [0, 1, 2, 0, 0, 0, 0], [5])


# --- many, settings, errors


def test_encode_many_is_one_call_of_the_tokenizer_and_equal_to_encode():
    tokenizer = build("{'text': 'text_a'}{'mask'}{'text': 'text_b'}{'text': 'text_a'}", 9)
    examples = [Example("a" * n, None, "b" * (7 - n)) for n in range(1, 7)]
    single = [tokenizer.encode(example) for example in examples]
    tokenizer.tokenizer.calls = 0
    assert tokenizer.encode_many(examples) == single
    assert tokenizer.tokenizer.calls == 1
    assert tokenizer.encode_many([]) == []


def test_features_do_not_share_lists():
    first, second = build("{'text': 'text_a'}{'mask'}").encode_many([Example("a"), Example("a")])
    first.input_ids.append(9)
    first.mask_columns.append(9)
    assert (second.input_ids, second.mask_columns) == ([CLS, 97, MASK, SEP], [2])


def test_config_round_trip_and_pickle():
    settings = {"first_max_length": 5, "other_max_length": 3, "truncate_mode": "head"}
    tokenizer = build(
        "{'text': 'text_a'}{'soft': 'it\\'s', 'encoder': 'mlp'}{'mask'}{'text': 'text_b'}", 17, **settings
    )
    example = Example("abcdefgh", None, "stuvwxyz")
    config = json.loads(json.dumps(tokenizer.to_config()))
    assert sorted(config) == ["first_max_length", "max_seq_length", "other_max_length", "template", "truncate_mode"]
    for other in (PromptTokenizer.from_config(config, CharTokenizer()), pickle.loads(pickle.dumps(tokenizer))):  # noqa: S301
        assert other.to_config() == config
        assert other.encode(example) == tokenizer.encode(example)
        assert other.soft_tokens == tokenizer.soft_tokens


def test_config_errors():
    config = build("{'text': 'text_a'}{'mask'}").to_config()
    del config["template"]
    with pytest.raises(ConfigError, match=r"settings: missing \['template'\], unknown \['max_len'\]$"):
        PromptTokenizer.from_config({**config, "max_len": 3}, CharTokenizer())
    with pytest.raises(ConfigError, match="template must be a string, got None"):
        PromptTokenizer.from_config({**config, "template": None}, CharTokenizer())


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"truncate_mode": "left"}, "truncate_mode must be 'tail' or 'head', got 'left'"),
        ({"max_seq_length": 0}, "max_seq_length must be a whole number of 1 or more, got 0"),
        ({"max_seq_length": "128"}, "max_seq_length must be a whole number of 1 or more, got '128'"),
        ({"first_max_length": 0}, "first_max_length must be a whole number of 1 or more, got 0"),
        ({"other_max_length": True}, "other_max_length must be a whole number of 1 or more, got True"),
        (
            {"max_seq_length": 5},
            "the prompt alone takes 5 tokens with [CLS] and [SEP], which leaves no room for a text in max_seq_length "
            "5: raise it, or use a shorter prompt than {'text': 'text_a'}{'hard': 'is'}{'mask'}",
        ),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ConfigError) as error:
        build("{'text': 'text_a'}is{'mask'}", **settings)
    assert str(error.value) == message


def test_room_for_one_token_is_enough():
    assert encode("{'text': 'text_a'}is{'mask'}", "abc", max_seq_length=6) == "CaisMS"


def test_missing_field_and_words_without_a_token():
    with pytest.raises(DataError) as error:
        encode("{'text': 'text_a'}{'mask'}{'text': 'text_b'}", "abc")
    assert str(error.value).startswith(
        "the template uses text_b, but this example has none: 'abc'; give a second text "
    )
    assert "take {'text': 'text_b'} out of the template" in str(error.value)

    class NoTokens(CharTokenizer):
        def encode(self, text):
            return []

    with pytest.raises(TemplateError, match="the words 'x' of the template come to no token"):
        PromptTokenizer(Template.parse("{'text': 'text_a'}x{'mask'}"), NoTokens())


# --- PaddleNLP, and the real tokenizer


def golden(root):
    with open(root / "tests" / "golden" / "prompt_tokenizer.json", encoding="utf-8") as file:
        return json.load(file)


def test_equal_to_paddlenlp(root):
    stored = golden(root)
    tokenizer = TableTokenizer(stored["special"], stored["pieces"])
    assert len(stored["cases"]) >= 15
    for case in stored["cases"]:
        made = PromptTokenizer(Template.parse(case["template"]), tokenizer, case["max_seq_length"])
        features = made.encode(Example(**case["example"]))
        expected = case["expected"]
        soft = features.soft_ids or [0] * len(features.input_ids)
        ids = [None if number else one for one, number in zip(features.input_ids, soft)]
        assert ids == expected["input_ids"], case["name"]
        assert features.token_type_ids == expected["token_type_ids"], case["name"]
        assert features.mask_columns == expected["mask_columns"], case["name"]
        assert features.soft_ids == expected["soft_ids"], case["name"]


def test_with_the_embedded_vocabulary(root):
    from prompt_kit.prompt.tokenization import Tokenizer

    tokenizer = Tokenizer.from_pretrained(root / "prompt_kit" / "models" / "mini_zh")
    made = PromptTokenizer(Template.from_prompt("这条新闻的主题是", num_masks=2), tokenizer, 20)
    text = "股市[MASK]今日大涨，沪指重返三千点"
    features = made.encode(Example(text))
    assert len(features.input_ids) == 20
    assert features.mask_columns == [17, 18]
    assert features.input_ids.count(tokenizer.mask_id) == 2
    assert features.input_ids[1:9] == tokenizer.encode(text)[:8]
    words = tokenizer.encode("这条新闻的主题是")
    assert [one.init_id for one in made.soft_tokens] == words == features.input_ids[9:17]
    assert pickle.loads(pickle.dumps(made)).encode(Example(text)) == features  # noqa: S301


def test_what_is_read():
    template = Template.parse("{'text': 'text_a'}{'sep'}{'text': 'text_b', 'truncate': 'head'}{'mask'}")
    made = PromptTokenizer(template, CharTokenizer(), 4 + 5)
    (first, second), (short, empty) = made.what_is_read([Example("abcdef", None, "uvw"), Example("ab", None, "")])
    assert (first.field, first.start, first.stop, first.total, first.is_cut) == ("text_a", 0, 3, 6, True)
    assert (second.field, second.start, second.stop, second.total) == ("text_b", 1, 3, 3)
    ids = made.encode(Example("abcdef", None, "uvw")).input_ids
    assert ids[1:4] == [ord(c) for c in "abc"] and ids[5:7] == [ord(c) for c in "vw"]
    assert not short.is_cut and not empty.is_cut and empty.total == 0
