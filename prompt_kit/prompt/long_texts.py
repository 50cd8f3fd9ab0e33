"""The first or the last ids of long texts, without tokenizing the texts whole.

A text of a million characters that is cut to a hundred tokens need not become a million tokens first. It is tokenized
piece by piece until the ids suffice. A piece ends only before a character that stands for itself whatever is around it: a
Chinese character, a punctuation mark of ASCII or of Chinese, or a space. No word goes across such a place, no
accent joins over it, and nothing there is reordered, so the ids of the pieces are those of the whole text, to the last one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from prompt_kit.prompt.word_steps import MAX_WORD_CHARACTERS

CHARACTERS_PER_ID = 4  # in the first piece; more than most texts need
SHORT = 512  # characters that are not worth cutting

_FREE = re.compile(
    "[ \t\n\r!-/:-@\\[-`{-~\u3001\u3002\u3000\uff01\uff0c\uff1a\uff1b\uff1f\u4e00-\u9fff\U0001f300-\U0001f64f]"
)
# Runs that mean the same when they are shorter: what the tokenizer drops in any place, spaces after a space, and letters of a
# word that is one [UNK] at 101 of them already, with or without their accents.
_DROPPED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffd]+")
_SPACES = re.compile("([ \t\n\r\u3000])[ \t\n\r\u3000]+")

# Letters and digits that Unicode has had for long, of which none stands alone, vanishes or is an accent: Latin, Greek,
# Cyrillic, Hebrew, Arabic, Devanagari, Thai, Hangul, kana, bopomofo, and the full-width and half-width forms.
_LETTERS = (
    "0-9A-Za-z\u00c0-\u00d6\u00d9-\u00f6\u00f9-\u0149\u014c-\u01b0\u01b2-\u024f\u0391-\u03a1\u03a3-\u03c9\u0400-\u0481"
    "\u05d0-\u05ea\u0620-\u064a\u0904-\u0939\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u1100-\u11ff\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u312f\u3131-\u318e\uac00-\ud7a3\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uff9f"
)
# What is written over or under a letter (category Mn): an uncased tokenizer drops it, for a cased one it is a letter.
_ACCENTS = (
    "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0941-\u0948\u094d\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u1ab0-\u1abd\u1dc0-\u1df9"
    "\u20d0-\u20dc\u3099\u309a\ufe00-\ufe0f\ufe20-\ufe2f"
)
_LETTER = re.compile(f"[{_LETTERS}]")
_ACCENT_RUN = re.compile(f"([{_ACCENTS}]{{{MAX_WORD_CHARACTERS + 1}}})[{_ACCENTS}]+")
_WORD = re.compile(f"[{_LETTERS}{_ACCENTS}]{{{MAX_WORD_CHARACTERS + 2},}}")


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
    rest = {place: (text if len(text) <= piece else shorten(text)) for place, text in enumerate(texts)}
    while rest:
        parts = {place: _split(text, piece, from_end) for place, text in rest.items()}
        for place, found in zip(parts, tokenizer.encode_batch([part for part, _ in parts.values()])):
            ids[place] = found + ids[place] if from_end else ids[place] + found
        rest = {place: left for place, (_, left) in parts.items() if left and len(ids[place]) <= most}
        piece *= 2
    return ids


def shorten(text: str) -> str:
    """A text of the same ids, without the longest runs of what makes none."""
    text = _ACCENT_RUN.sub(r"\1", _SPACES.sub(r"\1", _DROPPED.sub("", text)))
    return _WORD.sub(_first_letters, text)


def _first_letters(word: re.Match[str]) -> str:
    """As much of a word as makes it too long, the whole of one that has accents rather than letters."""
    letter = next(islice(_LETTER.finditer(word[0]), MAX_WORD_CHARACTERS, None), None)
    return word[0] if letter is None else word[0][: letter.end()]


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
