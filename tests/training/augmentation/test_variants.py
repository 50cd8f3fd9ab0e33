"""Variants of one text: only words move, go, or are guessed, and the seed decides which."""

from __future__ import annotations

from collections import Counter

import numpy as np
import paddle
import pytest
from tiny import tiny_backbone, tiny_tokenizer

from prompt_kit.training.augmentation.variants import WordGuesser, delete_words, swap_words
from prompt_kit.training.pretraining.masked_lm import MaskedLanguageModel
from prompt_kit.training.pretraining.masking import words_of

TEXT = "今天汽车公司发布手机，体育比赛冠军"


def random(seed=0):
    return np.random.default_rng(seed)


def test_words_are_swapped():
    words, found = words_of(TEXT), words_of(swap_words(TEXT, random()))
    assert "".join(words) == TEXT
    places = [place for place, (before, after) in enumerate(zip(words, found)) if before != after]
    assert len(places) == 2 and places[1] == places[0] + 1
    assert [found[places[0]], found[places[1]]] == [words[places[1]], words[places[0]]]
    assert swap_words(TEXT, random()) == swap_words(TEXT, random())
    assert len({swap_words(TEXT, random(seed)) for seed in range(20)}) > 2
    assert swap_words("手机", random()) == "手机" and swap_words("，。！", random()) == "，。！"


def test_words_are_left_out():
    found = delete_words(TEXT, random())
    missing = Counter(words_of(TEXT)) - Counter(words_of(found))
    assert sum(missing.values()) == 1 and "，" in found
    assert delete_words("手机公司", random()) == "手机公司", "of two words none is left out"


@pytest.fixture(scope="module")
def guesser():
    return WordGuesser(MaskedLanguageModel(tiny_backbone(), tiny_tokenizer()), 30)


def test_words_are_guessed_anew(guesser):
    texts = [TEXT, "Phone 15！", "手机公司", TEXT]
    found = guesser(texts, ["汽车", "体育", "财经", "体育"], [random(3), random(4), random(5), random(3)])
    assert found[1] == texts[1], "no Chinese word, nothing to guess"
    assert [len(text) for text in found] == [len(text) for text in texts]
    changed = {place for place, (a, b) in enumerate(zip(TEXT, found[0])) if a != b}
    spans, start = [], 0
    for word in words_of(TEXT):
        spans.append(set(range(start, start + len(word))))
        start += len(word)
    assert changed and any(changed <= span for span in spans), "one word of seven"
    assert found[2] != texts[2]
    assert guesser(texts[:1], ["汽车"], [random(3)]) == found[:1], "neighbours in a batch change nothing"


def test_the_guess_by_hand(guesser):
    """One text with one word: the model reads `label：text` with the word hidden, one character after the other."""
    tokenizer, model = tiny_tokenizer(), tiny_backbone()
    ids = [tokenizer.cls_id, *tokenizer.encode("汽车："), tokenizer.mask_id, tokenizer.mask_id, tokenizer.sep_id]
    chinese = guesser._chinese
    draws = random(8)
    draws.permutation(1)
    text = ""
    for column in (len(ids) - 3, len(ids) - 2):
        with paddle.no_grad():
            logits = model(paddle.to_tensor([ids]))[0].numpy().reshape(len(ids), -1)[column][chinese].astype("float64")
        best = np.argsort(-logits)[:10]
        chances = np.exp(logits[best]) / np.exp(logits[best]).sum()
        ids[column] = int(chinese[best[np.searchsorted(np.cumsum(chances), draws.random())]])
        text += tokenizer.id_to_token(ids[column])
    assert guesser(["手机"], ["汽车"], [random(8)]) == [text]
