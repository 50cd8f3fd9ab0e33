"""Texts that are nearly one of those a model is judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prompt_kit.training.pretraining.corpus import normalize

LEAST_SHARED = 0.8  # of two characters in a row


class NearDuplicates:
    """`text in near`: it is one of the texts, or shares 80 % of its pairs of neighbouring characters with one.

    The share is Jaccard's: pairs in both over pairs in either, each pair counted once. Upper case, width, white space and
    invisible characters do not count.
    """

    def __init__(self, texts: Iterable[str]):
        self._pairs: list[set[str]] = []
        self._of_pair: dict[str, list[int]] = {}
        for text in texts:
            pairs = _pairs(text)
            for pair in pairs:
                self._of_pair.setdefault(pair, []).append(len(self._pairs))
            self._pairs.append(pairs)

    def __contains__(self, text: str) -> bool:
        pairs = _pairs(text)
        shared = Counter(number for pair in pairs for number in self._of_pair.get(pair, ()))
        return any(
            count >= LEAST_SHARED * (len(pairs) + len(self._pairs[number]) - count) for number, count in shared.items()
        )


def _pairs(text: str) -> set[str]:
    key = normalize(text)
    return {key[place : place + 2] for place in range(len(key) - 1)} or {key}
