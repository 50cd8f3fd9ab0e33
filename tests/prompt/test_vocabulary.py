"""What a model's folder says of its vocabulary, and what is said where it cannot be used."""

from __future__ import annotations

import json
from functools import partial

import pytest
from refusals import refusal
from small_vocabulary import write_config, write_model_folder

from prompt_kit.errors import TokenizationError
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt.vocabulary import (
    SPECIAL_TOKENS,
    matches_special_tokens,
    number_pieces,
    read_json,
    read_tokenizer_config,
    read_vocab,
)

refused = partial(refusal, TokenizationError)


def test_of_a_repeated_piece_the_last_id_counts_and_no_id_is_lost():
    tokenizer = Tokenizer.from_vocab([*SPECIAL_TOKENS, "a", "b", "a"])
    assert tokenizer.encode("a b") == [7, 6]
    assert tokenizer.vocab_size == 8
    assert tokenizer.id_to_token(5) == "[repeated 5]"
    assert tokenizer.encode("[repeated 5]") != [5]


def test_vocab_that_is_not_utf8(tmp_path):
    vocab = tmp_path / "vocab.txt"
    vocab.write_bytes("中\n".encode("gbk"))
    assert refused(Tokenizer.from_vocab, vocab).startswith(f"{vocab} is not UTF-8 text (byte 0)")


@pytest.mark.parametrize(
    "settings, complaint",
    [
        (dict(tokenizer_class="ErnieMTokenizer"), "ErnieMTokenizer is not supported"),
        (dict(init_class="RoFormerTokenizer"), "RoFormerTokenizer is not supported"),
        (dict(do_lower_case="yes"), "do_lower_case must be true or false, got 'yes'"),
        (dict(mask_token="<mask>"), "mask_token '<mask>' is not supported, expected '[MASK]'"),
        (dict(sep_token={"content": "</s>"}), "sep_token '</s>' is not supported, expected '[SEP]'"),
        (dict(tokenizer_class="BertTokenizer", tokenize_chinese_chars=False), "tokenize_chinese_chars False is not"),
        (dict(tokenizer_class="BertTokenizer", strip_accents=False), "strip_accents False is not supported"),
    ],
)
def test_settings_that_would_cut_text_otherwise_are_refused(tmp_path, settings, complaint):
    folder = write_model_folder(tmp_path)
    write_config(folder, **settings)
    message = refused(Tokenizer.from_pretrained, folder)
    assert message.startswith(str(folder / "tokenizer_config.json"))
    assert complaint in message


def test_a_vocabulary_of_any_line_ends(tmp_path):
    (tmp_path / "vocab.txt").write_bytes("\ufeff[PAD]\r\n中\n ##国 \n".encode())
    assert read_vocab(str(tmp_path / "vocab.txt")) == ["[PAD]", "中", " ##国 "]


def test_pieces_are_numbered_by_their_lines():
    assert number_pieces(["a", "b"]) == {"a": 0, "b": 1}
    assert number_pieces(["a", "b", "a"]) == {"a": 2, "b": 1, "[repeated 0]": 0}


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, (True, "ernie")),
        ({"do_lower_case": False}, (False, "ernie")),
        ({"tokenizer_class": "BertTokenizerFast"}, (True, "bert")),
        ({"init_class": "ElectraTokenizer", "do_lower_case": False}, (False, "bert")),
        ({"mask_token": {"content": "[MASK]"}, "sep_token": "[SEP]"}, (True, "ernie")),
    ],
)
def test_case_and_family(tmp_path, settings, found):
    write_config(tmp_path, **settings)
    assert read_tokenizer_config(tmp_path / "tokenizer_config.json") == found


def test_without_a_configuration_texts_are_lower_cased(tmp_path):
    assert read_tokenizer_config(tmp_path / "tokenizer_config.json") == (True, "ernie")


def test_added_tokens_match_inside_a_text(tmp_path):
    path = tmp_path / "tokenizer.json"
    for content, matches in (
        ({"added_tokens": [{"content": "[MASK]"}]}, True),
        ({"added_tokens": []}, False),
        ({}, False),
    ):
        path.write_text(json.dumps(content), encoding="utf-8")
        assert matches_special_tokens(path) is matches


def test_json_that_is_none(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(TokenizationError, match="a.json: No such file"):
        read_json(str(path))
    for content, said in (("{", "is not valid JSON"), ("[1]", "expected a JSON object, got list")):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(TokenizationError, match=said):
            read_json(str(path))
    path.write_text('{"a": 1}', encoding="utf-8")
    assert read_json(str(path)) == ('{"a": 1}', {"a": 1})
