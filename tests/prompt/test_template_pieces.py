"""The pieces of a template: what is copied, where texts go, and which vectors are to be learned."""

from __future__ import annotations

import pytest
from char_tokenizer import CLS, MASK, SEP, UNK, CharTokenizer

from prompt_kit.errors import TemplateError
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.template_pieces import Fixed, Slot, SoftToken, TemplatePieces


def made(source, mode="tail", first=None, other=None):
    return TemplatePieces(Template.parse(source), CharTokenizer(), mode, first, other)


def test_the_prompts_own_parts_and_the_slot():
    assert made("{'text': 'text_a'}ab{'mask', 'length': 2}").pieces == [
        Fixed([CLS], [0], [0]),
        Slot("text_a", 0, "tail", None),
        Fixed([97, 98, MASK, MASK, SEP], [0] * 5, [0] * 5, [2, 3]),
    ]


def test_token_types_last_until_the_next_one():
    pieces = made("{'text': 'text_a'}{'sep'}{'mask', 'token_type': 1}{'text': 'text_b'}").pieces
    assert [piece.types if isinstance(piece, Fixed) else piece.token_type for piece in pieces] == [
        [0],
        0,
        [0, 1],
        1,
        [1],
    ]


def test_where_texts_are_cut():
    source = "{'text': 'text_a', 'truncate': False}{'text': 'text_b', 'truncate': 'tail'}{'text': 'text_a'}{'mask'}"
    slots = [piece for piece in made(source, "head", first=5, other=7).pieces if isinstance(piece, Slot)]
    assert slots == [
        Slot("text_a", 0, None, None), Slot("text_b", 0, "tail", 7), Slot("text_a", 0, "head", 7),
    ]  # fmt: skip


def test_soft_tokens_are_numbered_and_shared():
    found = made(
        "{'soft_id': 1}{'soft': 'ab', 'soft_id': 1}{'soft', 'length': 2, 'encoder': 'mlp'}{'text': 'text_a'}{'mask'}"
    )
    first, _, last = found.pieces
    assert found.soft_tokens == (SoftToken(97), SoftToken(98), SoftToken(None, "mlp"), SoftToken(None, "mlp"))
    assert first.soft == [0, 1, 2, 1, 2, 3, 4] and first.ids == [CLS, 97, 98, 97, 98, UNK, UNK]
    assert last.soft == [0, 0]


def test_a_prefix_has_tokens_and_no_place():
    found = made("{'prefix': 'ab', 'length': 3}{'text': 'text_a'}{'mask'}")
    assert found.prefix_tokens == (SoftToken(97), SoftToken(98), SoftToken(None))
    assert found.soft_tokens == () and found.pieces[0] == Fixed([CLS], [0], [0])
    assert made("{'text': 'text_a'}{'mask'}").prefix_tokens == ()


def test_words_without_a_token():
    class Nothing(CharTokenizer):
        def encode(self, text):
            return []

    for source in ("{'text': 'text_a'}ab{'mask'}", "{'prefix': 'ab'}{'text': 'text_a'}{'mask'}"):
        with pytest.raises(TemplateError, match="the words 'ab' of the template come to no token"):
            TemplatePieces(Template.parse(source), Nothing(), "tail", None, None)
