"""One text -> variants of it that mean about the same: words swapped, left out, or guessed by a masked language model.

Sources: Wei & Zou, EDA, EMNLP 2019 (arXiv:1901.11196), swap and deletion, here of jieba's words; Kumar et al., Data
Augmentation using Pre-trained Transformer Models, 2020 (arXiv:2003.02245), guessing hidden words with the label written in
front of the text, so that the guesses suit it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import paddle

from prompt_kit.training.pretraining.masked_lm import MaskedLanguageModel
from prompt_kit.training.pretraining.masking import words_of

SHARE = 0.15  # of the words that are changed; one at least
CANDIDATES = 10  # guesses that are drawn from
_BATCH = 64


def swap_words(text: str, random: np.random.Generator) -> str:
    """Exchange two words next to each other, one time in seven words; the text itself if it has one word only."""
    words = words_of(text)
    places = [place for place in range(len(words) - 1) if _is_word(words[place]) and _is_word(words[place + 1])]
    for place in random.permutation(places)[: _count(len(words))]:
        words[place], words[place + 1] = words[place + 1], words[place]
    return "".join(words)


def delete_words(text: str, random: np.random.Generator) -> str:
    """Leave out one word in seven; the text itself if it has fewer than three."""
    words = words_of(text)
    places = [place for place, word in enumerate(words) if _is_word(word)]
    if len(places) < 3:
        return text
    gone = set(random.permutation(places)[: _count(len(places))].tolist())
    return "".join(word for place, word in enumerate(words) if place not in gone)


@dataclass
class _Hidden:
    """A text with tokens to guess: where they are in the text, and in the ids that the model reads."""

    characters: list[str]
    ids: list[int]
    places: list[tuple[int, int]]  # (character, column)


class WordGuesser:
    """Guesses words anew, one character after the other, by a masked language model that reads `label：text`.

    Only words of Chinese characters are guessed, and only by such characters, so nothing else of a text changes.

    Args:
        model: a masked language model.
        max_tokens: the longest input.
    """

    def __init__(self, model: MaskedLanguageModel, max_tokens: int = 128):
        self.model, self.tokenizer, self.max_tokens = model, model.tokenizer, max_tokens
        tokenizer = self.tokenizer
        pieces = ((number, tokenizer.id_to_token(number) or "") for number in range(tokenizer.vocab_size))
        self._chinese = np.array([number for number, piece in pieces if len(piece) == 1 and _is_chinese(piece)])

    def __call__(self, texts: Sequence[str], words: Sequence[str], randoms: Sequence[np.random.Generator]) -> list[str]:
        """A variant of each text; the text itself where there is no word to guess.

        Args:
            texts: N texts.
            words: [N], what is written in front of each: a word of its label.
            randoms: [N], which words are guessed, and which of the guesses is taken.
        """
        hidden = [self._hide(*each) for each in zip(texts, words, randoms)]
        self.model.eval()
        for start in range(0, len(hidden), _BATCH):
            self._guess(hidden[start : start + _BATCH], randoms[start : start + _BATCH])
        return ["".join(one.characters) for one in hidden]

    def _hide(self, text: str, word: str, random: np.random.Generator) -> _Hidden:
        tokenizer, start = self.tokenizer, 0
        front = [tokenizer.cls_id, *tokenizer.encode(f"{word}：")]
        ((ids, begins),) = tokenizer.encode_places([text])
        ids, begins = ids[: self.max_tokens - len(front) - 1], begins[: self.max_tokens - len(front) - 1]
        column = {begin: len(front) + place for place, begin in enumerate(begins)}
        spans = []
        for piece in words_of(text):
            span = range(start, start + len(piece))
            start += len(piece)
            if all(_is_chinese(text[place]) and place in column for place in span):
                spans.append(span)
        chosen = random.permutation(len(spans))[: _count(len(spans))].tolist() if spans else []
        places = [(place, column[place]) for number in sorted(chosen) for place in spans[number]]
        row = [*front, *ids, tokenizer.sep_id]
        for _, at in places:
            row[at] = tokenizer.mask_id
        return _Hidden(list(text), row, places)

    @paddle.no_grad()
    def _guess(self, batch: Sequence[_Hidden], randoms: Sequence[np.random.Generator]) -> None:
        for turn in range(max(len(one.places) for one in batch)):
            rows = [number for number, one in enumerate(batch) if turn < len(one.places)]
            length = max(len(batch[number].ids) for number in rows)
            ids = np.full((len(rows), length), self.tokenizer.pad_id, "int64")
            for row, number in enumerate(rows):
                ids[row, : len(batch[number].ids)] = batch[number].ids
            columns = np.array([[batch[number].places[turn][1]] for number in rows])
            inputs = (ids, columns, np.arange(len(rows)))
            logits = self.model(*map(paddle.to_tensor, inputs)).astype("float32").numpy()
            for row, number in enumerate(rows):
                one = batch[number]
                character, column = one.places[turn]
                one.ids[column] = self._draw(logits[row], randoms[number])
                one.characters[character] = self.tokenizer.id_to_token(one.ids[column]) or ""

    def _draw(self, logits: np.ndarray, random: np.random.Generator) -> int:
        """One of the best Chinese characters, by their probabilities among each other."""
        found = logits[self._chinese].astype("float64")
        best = np.argsort(-found, kind="stable")[:CANDIDATES]
        chances = np.exp(found[best] - found[best[0]])
        return int(
            self._chinese[best[np.searchsorted(np.cumsum(chances / chances.sum()), random.random() * (1 - 1e-9))]]
        )


def _count(words: int) -> int:
    return max(1, round(SHARE * words))


def _is_word(word: str) -> bool:
    return any(character.isalnum() for character in word)


def _is_chinese(character: str) -> bool:
    return unicodedata.name(character, "").startswith("CJK UNIFIED")
