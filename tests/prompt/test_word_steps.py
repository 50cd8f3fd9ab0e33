"""How a text is cut into words: by hand, and how a saved tokenizer is told from one of other make."""

from __future__ import annotations

import pytest
import tokenizers

from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt.vocabulary import SPECIAL_TOKENS
from prompt_kit.prompt.word_steps import MAX_WORD_CHARACTERS, has_word_steps, set_word_steps


def test_a_word_of_more_than_100_characters_is_unknown():
    tokenizer = Tokenizer.from_vocab([*SPECIAL_TOKENS, "a", "##a"])
    assert tokenizer.encode("a" * 100) == [5] + [6] * 99
    assert tokenizer.encode("a" * 101) == [tokenizer.unk_id]


def backend(longest: int = MAX_WORD_CHARACTERS) -> tokenizers.Tokenizer:
    model = tokenizers.models.WordPiece({"[UNK]": 0}, unk_token="[UNK]", max_input_chars_per_word=longest)
    return tokenizers.Tokenizer(model)


def with_steps(lowercase: bool) -> tokenizers.Tokenizer:
    made = backend()
    set_word_steps(made, lowercase)
    return made


@pytest.mark.parametrize(
    ("text", "cased", "uncased"),
    [
        ("Éa\x00b\u200b", "Éab", "eab"),
        ("\ufffdΣΑΣ", "ΣΑΣ", "σασ"),  # no final sigma
        ("a\tb\u3000c", "a\tb\u3000c", "a\tb\u3000c"),  # spaces are kept: they part words
        ("\U00011938", "\U00011938", "\U00011935\U00011930"),
    ],
)
def test_what_is_left_of_a_text(text, cased, uncased):
    assert with_steps(False).normalizer.normalize_str(text) == cased
    assert with_steps(True).normalizer.normalize_str(text) == uncased


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("中国abc,d e", ["中", "国", "abc", ",", "d", "e"]),
        ("3℃²ab〇x", ["3", "℃", "²", "ab", "〇", "x"]),
        ("かな한글", ["かな한글"]),  # not among BERT's Chinese characters
        (" \t\u3000", []),
    ],
)
def test_words_by_hand(text, words):
    assert [word for word, _ in with_steps(True).pre_tokenizer.pre_tokenize_str(text)] == words


def test_our_steps_are_known_and_others_are_not():
    assert all(has_word_steps(with_steps(lowercase)) for lowercase in (True, False))
    assert not has_word_steps(backend())
    theirs = backend()
    theirs.normalizer = tokenizers.normalizers.BertNormalizer()
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    assert not has_word_steps(theirs)
    shorter = backend(99)
    set_word_steps(shorter, lowercase=True)
    assert not has_word_steps(shorter)
