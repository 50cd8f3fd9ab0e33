"""The first or the last ids of long texts, without tokenizing the texts whole.

A text of a million characters that is cut to a hundred tokens need not become a million tokens first. It is tokenized
piece by piece until the ids suffice. A piece ends only before a character that stands for itself whatever is around it: a
Chinese character, a punctuation mark of ASCII or of Chinese, or a space. No word goes across such a place, no
accent joins over it, and nothing there is reordered, so the ids of the pieces are those of the whole text, to the last one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

CHARACTERS_PER_ID = 4  # in the first piece; more than most texts need
SHORT = 512  # characters that are not worth cutting

_FREE = re.compile("[ \t\n\r!-/:-@\\[-`{-~\u3001\u3002\u3000\uff01\uff0c\uff1a\uff1b\uff1f\u4e00-\u9fff]")
# Runs that mean the same when they are shorter: what the tokenizer drops in any place, spaces after a space, and letters of a
# word that is one [UNK] at 101 of them already.
_DROPPED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffd]+")
_SPACES = re.compile("([ \t\n\r\u3000])[ \t\n\r\u3000]+")
_LETTERS = re.compile("([A-Za-z0-9]{101})[A-Za-z0-9]+")


class BatchTokenizer(Protocol):
    """What is needed of a tokenizer; `cuts_at_free_characters` says whether the promise above holds for it."""

    cuts_at_free_characters: bool

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]: ...


def encode_ends(tokenizer: BatchTokenizer, texts: Sequence[str], most: int, from_end: bool = False) -> list[list[int]]:
    """Ids of each text, at least the first `most` (with `from_end` the last), all of them where there are no more.

    `ids[:most]` (`ids[-most:]`) are those of the whole text; whether a text has more than `most` can be seen too.
    """
    piece = max(SHORT, (most + 1) * CHARACTERS_PER_ID)
    if all(len(text) <= piece for text in texts) or not getattr(tokenizer, "cuts_at_free_characters", False):
        return tokenizer.encode_batch(texts)
    ids: list[list[int]] = [[] for _ in texts]
    rest = {place: (text if len(text) <= piece else _shorten(text)) for place, text in enumerate(texts)}
    while rest:
        parts = {place: _split(text, piece, from_end) for place, text in rest.items()}
        for place, found in zip(parts, tokenizer.encode_batch([part for part, _ in parts.values()])):
            ids[place] = found + ids[place] if from_end else ids[place] + found
        rest = {place: left for place, (_, left) in parts.items() if left and len(ids[place]) <= most}
        piece *= 2
    return ids


def _shorten(text: str) -> str:
    """A text of the same ids, without the longest runs of what makes none."""
    return _LETTERS.sub(r"\1", _SPACES.sub(r"\1", _DROPPED.sub("", text)))


def _split(text: str, length: int, from_end: bool) -> tuple[str, str]:
    """(piece, rest): the piece is the first `length` characters (the last) and those up to where the text may be cut."""
    if len(text) <= length:
        return text, ""
    if not from_end:
        found = _FREE.search(text, length)
        return (text, "") if found is None else (text[: found.start()], text[found.start() :])
    at = len(text) - length
    while at > 0 and not _FREE.match(text, at):
        at -= 1
    return text[at:], text[:at]
