"""Whole-word masking: words are whole, shares are as asked, and the key alone decides."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import VOCABULARY, tiny_tokenizer

from prompt_kit.errors import ConfigError, DataError
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.training.pretraining.masking import EncodedLines, WholeWordMasker, cut, word_of_each_character

TEXT = "今天体育比赛发布，手机公司上市"


def test_words_are_jiebas():
    assert word_of_each_character("手机公司上市") == [0, 0, 1, 1, 2, 2]


def test_tokens_know_their_words():
    tokenizer = tiny_tokenizer()
    lines = EncodedLines(["手机公司上市X"], tokenizer, 30)
    ids, words = lines[0]
    assert ids.tolist() == tokenizer.encode("手机公司上市X")
    assert words.tolist() == [0, 0, 1, 1, 2, 2, -1]  # X is unknown: there is nothing to learn from it
    assert (len(lines), lines.tokens) == (1, 7)


def test_pieces_of_a_latin_word_are_one_word():
    tokenizer = Tokenizer.from_vocab([*VOCABULARY, "cafe", "play", "##ing", "##e"])
    ids, words = EncodedLines(["手机 playing caféé"], tokenizer, 30)[0]
    assert [tokenizer.id_to_token(i) for i in ids] == ["手", "机", "play", "##ing", "cafe", "##e"]
    assert words[0] == words[1] and words[2] == words[3] and words[4] == words[5]
    assert len({words[0], words[2], words[4]}) == 3


def test_cut_between_words():
    assert cut(np.array([0, 0, 1, 1, 1, 2]), 4) == [(0, 2), (2, 6)]
    assert cut(np.array([0, 0, 0, 0, 0]), 2) == [(0, 2), (2, 4), (4, 5)]  # a word longer than a piece
    assert cut(np.array([0, -1, -1, 1]), 2) == [(0, 2), (2, 4)]  # unknown pieces are no word
    assert cut(np.array([0, 1]), 2) == [(0, 2)]


def test_long_lines_lose_nothing():
    tokenizer = tiny_tokenizer()
    lines = EncodedLines([TEXT * 5, "体育"], tokenizer, 6)
    assert max(lines.lengths) <= 6
    joined = np.concatenate([lines[i][0] for i in range(len(lines))])
    assert joined.tolist() == tokenizer.encode(TEXT * 5) + tokenizer.encode("体育")


def test_lines_without_any_known_word():
    assert len(EncodedLines(["XYZ", "手机", "\ud83d"], tiny_tokenizer(), 6)) == 1
    with pytest.raises(DataError, match="no line holds a word of the vocabulary"):
        EncodedLines(["XYZ"], tiny_tokenizer(), 6)
    with pytest.raises(ConfigError, match="--max_seq_length 2 leaves no room"):
        EncodedLines(["手机"], tiny_tokenizer(), 0)


def test_words_are_hidden_whole_and_by_the_shares():
    tokenizer = tiny_tokenizer()
    ids, words = EncodedLines([TEXT * 3], tokenizer, 100)[0]
    masker = WholeWordMasker(tokenizer, 0.2)
    hidden_tokens = masked = kept = 0
    for number in range(3000):
        hidden, places = masker(ids, words, (1, number))
        chosen = set(words[places].tolist())
        assert places.tolist() == [i for i, word in enumerate(words) if word in chosen]
        untouched = np.setdiff1d(np.arange(len(ids)), places)
        assert (hidden[untouched] == ids[untouched]).all()
        for word in chosen:  # one fate a word
            of_word = hidden[words == word]
            assert (of_word == tokenizer.mask_id).all() or not (of_word == tokenizer.mask_id).any()
        assert not np.isin(hidden[hidden != tokenizer.mask_id], [tokenizer.pad_id, tokenizer.cls_id]).any()
        hidden_tokens += len(places)
        masked += int((hidden[places] == tokenizer.mask_id).sum())
        kept += int((hidden[places] == ids[places]).sum())
    known = int((words >= 0).sum())
    assert hidden_tokens / (3000 * known) == pytest.approx(0.2, abs=0.01)
    assert masked / hidden_tokens == pytest.approx(0.8, abs=0.01)
    assert kept / hidden_tokens == pytest.approx(0.1 + 0.1 / len(masker.ordinary), abs=0.01)


def test_one_word_at_least_is_hidden():
    tokenizer = tiny_tokenizer()
    ids, words = EncodedLines(["手机公司"], tokenizer, 10)[0]
    masker = WholeWordMasker(tokenizer, 1e-9)
    found = [masker(ids, words, (0, number))[1].tolist() for number in range(20)]
    assert {tuple(places) for places in found} == {(0, 1), (2, 3)}


def test_the_key_alone_decides():
    tokenizer = tiny_tokenizer()
    ids, words = EncodedLines([TEXT * 2], tokenizer, 100)[0]
    masker = WholeWordMasker(tokenizer, 0.3)
    first = masker(ids, words, (1, 2, 3))
    np.random.seed(5)
    masker(ids, words, (9, 9, 9))
    again = masker(ids, words, (1, 2, 3))
    assert all((a == b).all() for a, b in zip(first, again))
    for key in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        other = masker(ids, words, key)
        assert len(other[1]) != len(first[1]) or (other[0] != first[0]).any()
