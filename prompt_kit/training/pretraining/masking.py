"""Whole-word masking: lines of text -> pieces of at most L tokens -> inputs with some of their words hidden.

Sources: BERT (Devlin et al., arXiv:1810.04805), 80 % [MASK], 10 % a random piece, 10 % left as it is; whole words for
Chinese, found by jieba: Cui et al. (arXiv:1906.08101). Two things are ours: every word is drawn by itself, so that
long words are hidden as often as short ones, and one of the three fates is drawn for a word rather than for each of
its characters, since it is words that a prompt's masks stand for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import accumulate

import numpy as np

from prompt_kit.errors import ConfigError, DataError
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.training.runtime import quiet, require

MASKED, RANDOM = 0.8, 0.9  # below the first: [MASK]; between them: a random piece; above: left as it is


@cache
def _jieba():
    require("jieba")
    with quiet():
        import jieba

    cutter = jieba.Tokenizer()
    # What its initialize() does, but without its log and without the cache file in /tmp, which it would trust.
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return cutter


def words_of(text: str) -> list[str]:
    """The words of a text, by jieba; joined they are the text."""
    return _jieba().lcut(text)


def word_of_each_character(text: str) -> list[int]:
    """The number of the word that each character is in, counted from 0."""
    return [number for number, word in enumerate(words_of(text)) for _ in word]


class EncodedLines:
    """Lines as token ids with their words, cut into pieces of at most `max_tokens`; `self[i]` is (ids [T], words [T]).

    words: the number of each token's word, rising; -1 for a token that must not be hidden, which is [UNK].
    Pieces without any word to hide are left out; `self.origins[i]` is the line that piece i is of. With `first_only` what
    does not fit into a line's first piece is left out too.
    """

    def __init__(self, lines: Sequence[str], tokenizer: Tokenizer, max_tokens: int, first_only: bool = False):
        if max_tokens < 1:
            raise ConfigError(f"--max_seq_length {max_tokens + 2} leaves no room for text beside [CLS] and [SEP]")
        size = tokenizer.vocab_size
        inner = np.array([(tokenizer.id_to_token(i) or "").startswith("##") for i in range(size)])
        ids, words, self.lengths, self.origins = [], [], [], []
        lines = [line.encode("utf-8", "ignore").decode("utf-8") for line in lines]  # without lone surrogates
        for number, (line, (pieces, places)) in enumerate(zip(lines, tokenizer.encode_places(lines))):
            of_character = word_of_each_character(line)
            found = np.array(pieces, dtype="int32")
            word = np.array([of_character[place] for place in places], dtype="int32")
            for i in np.flatnonzero(inner[found]):
                if i:
                    word[i] = word[i - 1]  # what the tokenizer takes for one word is one, wherever jieba may cut it
            word[found == tokenizer.unk_id] = -1
            for start, end in cut(word, max_tokens)[: 1 if first_only else None]:
                if (word[start:end] >= 0).any():
                    ids.append(found[start:end])
                    words.append(word[start:end])
                    self.lengths.append(end - start)
                    self.origins.append(number)
        if not ids:
            raise DataError("no line holds a word of the vocabulary; expected texts in the language model's language")
        self._ids, self._words = np.concatenate(ids), np.concatenate(words)
        self._starts = [0, *accumulate(self.lengths)]

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        place = slice(self._starts[index], self._starts[index + 1])
        return self._ids[place], self._words[place]

    @property
    def tokens(self) -> int:
        """All tokens, [CLS] and [SEP] not counted."""
        return self._starts[-1]


def cut(words: np.ndarray, most: int) -> list[tuple[int, int]]:
    """(start, end) of pieces of at most `most` tokens, cut between words where a word is not longer than a piece."""
    pieces, start, total = [], 0, len(words)
    while total - start > most:
        end = start + most
        while end > start and words[end] == words[end - 1] and words[end] >= 0:
            end -= 1
        end = end if end > start else start + most
        pieces.append((start, end))
        start = end
    return [*pieces, (start, total)] if total > start else pieces


class WholeWordMasker:
    """Hides words; which ones is a function of the key alone.

    Args:
        tokenizer: for [MASK], and for the pieces that stand in at random.
        share: the probability with which a word is hidden; one word at least is.
    """

    def __init__(self, tokenizer: Tokenizer, share: float):
        self.mask_id, self.share = tokenizer.mask_id, share
        pieces = ((i, tokenizer.id_to_token(i) or "") for i in range(tokenizer.vocab_size))
        self.ordinary = np.array(
            [i for i, piece in pieces if piece and not (piece.startswith("[") and piece.endswith("]"))], dtype="int32"
        )

    def __call__(self, ids: np.ndarray, words: np.ndarray, key: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """(ids [T] with words hidden, places [M] of what is to be predicted there).

        Args:
            ids, words: [T], see EncodedLines.
            key: such as (seed, epoch, line).
        """
        random = np.random.default_rng(list(key))
        candidates = np.unique(words[words >= 0])
        draws = random.random(len(candidates))
        chosen = candidates[draws < self.share]
        if not len(chosen):
            chosen = candidates[[draws.argmin()]]
        fates = random.random(len(chosen))
        places = np.flatnonzero(np.isin(words, chosen))
        fate = fates[np.searchsorted(chosen, words[places])]
        stand_ins = self.ordinary[(random.random(len(places)) * len(self.ordinary)).astype("int64")]
        hidden = ids.copy()
        hidden[places] = np.where(fate < MASKED, self.mask_id, np.where(fate < RANDOM, stand_ins, ids[places]))
        return hidden, places
