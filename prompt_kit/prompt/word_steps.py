"""How a text is cut into words before it is cut into pieces: as PaddleNLP's ErnieTokenizer and BertTokenizer do it.

PaddleNLP cuts text in five steps: drop control characters, isolate CJK characters, lower-case and strip accents
(uncased models only), isolate punctuation *and* symbols, then match the longest word pieces. The ready-made BERT steps
of `tokenizers` do not isolate all symbols and carry other Unicode tables, so the steps are written here as regular
expressions. Their character classes are made from `unicodedata`, the table that PaddleNLP reads too, and are spelled
out as ranges of code points: a saved tokenizer.json is complete and means the same with every version of Python and of
`tokenizers` that reads it later.
"""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from itertools import groupby
from typing import Any

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

# A longer word is one [UNK], as in every BERT tokenizer.
MAX_WORD_CHARACTERS = 100

# The blocks that BERT isolates as "Chinese characters"; kana and Hangul are not among them.
_CJK = (
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}"
    r"\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}\x{2B740}-\x{2B81F}\x{2B820}-\x{2CEAF}\x{2F800}-\x{2FA1F}"
)
# PaddleNLP counts these letters and numbers as symbols: ² µ º Ø ŋ Ʊ 〇. (U+00AD is on its list too, but as a control
# character it is dropped before the list is read.)
_EXTRA_SYMBOLS = r"\x{B2}\x{B5}\x{BA}\x{D8}\x{14B}\x{1B1}\x{3007}"

# The one character of Unicode 14 that is too young for the NFD of `tokenizers`, a vowel sign in Dives Akuru.
_LATE_DECOMPOSITION = ("\U00011938", "\U00011935\U00011930")


def set_word_steps(backend: tokenizers.Tokenizer, lowercase: bool) -> None:
    """Have `backend` cut texts in these steps; `lowercase` also strips accents."""
    removed, marks, spaces, isolated = _character_classes()
    steps: list[Any] = [normalizers.Replace(Regex(removed), "")]
    if lowercase:
        # Lowercase works character by character, so there is no final sigma: PaddleNLP's does too.
        steps += [normalizers.Lowercase(), normalizers.Replace(*_LATE_DECOMPOSITION), normalizers.NFD()]
        steps += [normalizers.Replace(Regex(marks), "")]
    backend.normalizer = normalizers.Sequence(steps)
    # One pass finds the words: an isolated character, or a run of anything else that is not a space.
    word = f"[{isolated}]|[^{isolated}{spaces}]+"
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(word), behavior="removed", invert=True)


def has_word_steps(backend: tokenizers.Tokenizer) -> bool:
    """Whether a tokenizer's steps are those of `set_word_steps`, whatever the Unicode tables they were made from."""
    if backend.normalizer is None or backend.pre_tokenizer is None:
        return False
    steps = json.loads(backend.normalizer.__getstate__())
    kinds = [step.get("type") for step in steps.get("normalizers", [])]
    words = json.loads(backend.pre_tokenizer.__getstate__())
    pattern = words.get("pattern", {}).get("Regex", "") if words.get("type") == "Split" else ""
    isolated, _, others = pattern.partition("]|[^")
    return (
        kinds in (["Replace"], ["Replace", "Lowercase", "Replace", "NFD", "Replace"])
        and isolated.endswith(_EXTRA_SYMBOLS + _CJK)
        and others.startswith(isolated[1:] + r"\t\n\r")
        and (words.get("behavior"), words.get("invert")) == ("Removed", True)
        and backend.model.max_input_chars_per_word == MAX_WORD_CHARACTERS
    )


@cache
def _character_classes() -> tuple[str, str, str, str]:
    """Classes of characters: to drop, accents (both in brackets), spaces, isolated (both without brackets)."""
    runs = []  # (first, last, category), some 3,400 of them
    first = 0
    for category, run in groupby(map(unicodedata.category, map(chr, range(0x110000)))):
        last = first + sum(1 for _ in run) - 1
        runs.append((first, last, category))
        first = last + 1

    def ranges(*categories: str) -> str:
        return "".join(rf"\x{{{a:X}}}-\x{{{b:X}}}" for a, b, category in runs if category.startswith(categories))

    # Unassigned code points (Cn) count as control characters, so a newer emoji is dropped, not unknown. Surrogates
    # (Cs) do not exist in UTF-8; encode() takes them out.
    removed = rf"[{ranges('Cc', 'Cf', 'Cn', 'Co')}\x{{FFFD}}&&[^\t\n\r]]"
    # Punctuation and symbols together cover all of ASCII that is neither letter, digit nor space.
    return removed, f"[{ranges('Mn')}]", rf"\t\n\r{ranges('Z')}", ranges("P", "S") + _EXTRA_SYMBOLS + _CJK
