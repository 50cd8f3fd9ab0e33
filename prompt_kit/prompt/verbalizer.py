"""label.txt -> Verbalizer: the labels in file order and the words that stand for them in the mask's place.

This is data only. What a word is worth under a tokenizer is `token_table`; what can be learned is the head's affair.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from prompt_kit.data.layout import list_names
from prompt_kit.data.line_format import LEVELS
from prompt_kit.data.lines import PathLike, read_lines
from prompt_kit.data.texts import control_character, is_empty
from prompt_kit.errors import ConfigError, VerbalizerError, shown

# news_car'=='汽车 is how articles print the line: the quotes belong to the article's string, not to the label.
_QUOTED = re.compile(r"""^['"‘’“”]?(.*?)['"‘’“”]\s*==\s*['"‘’“”](.*?)['"‘’“”]?$""")
# Quotes and brackets around words, and what would stand between two Chinese words in place of a comma.
_HAN = "\u3400-\u9fff"
_ODD = re.compile(f"[\"'‘’“”「」《》【】]|^\\s*[\\[({{（]|(?<=[{_HAN}])\\s*[|/\\\\｜／+&。\\s]\\s*(?=[{_HAN}])")
_ONE_SIGN = re.compile(f"[^={_HAN}]+=[{_HAN}]")  # news_car=汽车; a label c=d may be called so
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")  # what web pages and spreadsheets leave at the ends of words


class WordTokenizer(Protocol):
    """What `token_table` needs of a tokenizer."""

    unk_id: int

    def encode(self, text: str) -> list[int]: ...


class LabelTokens(NamedTuple):
    """Label words as token ids. Label logit c = sum over (w, t) of weights[c, w, t] * logit of ids[c, w, t].

    With one mask every token is read at that mask, with M masks token t at mask t. Padding has id 0 and weight 0.
    """

    ids: np.ndarray  # int64 [C, W, T]
    weights: np.ndarray  # float32 [C, W, T], summing to 1 over a label (one mask), to M (M masks)


@dataclass(frozen=True)
class Verbalizer:
    """Labels in file order, which is the order of ids, and their words: words[i] belong to labels[i]."""

    labels: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for words in self.words:
            if isinstance(words, str):  # it would fall apart into characters
                raise VerbalizerError(
                    f"words of a label: expected a tuple like ({shown(words)},), got the string {shown(words)}"
                )
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "words", tuple(tuple(words) for words in self.words))
        _check(self.labels, self.words, "labels", lambda index: f"label {index + 1}")

    @classmethod
    def from_file(cls, path: PathLike) -> Verbalizer:
        """Read label.txt: `label` or `label==word` or `label==word,word` a line. Raises VerbalizerError, file:line."""
        return cls._from_rows(list(read_lines(path, VerbalizerError)), str(path))

    @classmethod
    def from_lines(cls, lines: Iterable[str], name: str = "label.txt") -> Verbalizer:
        """The same from lines in memory; `name` stands for the file in messages."""
        rows = list(enumerate(lines, start=1))
        while rows and not rows[-1][1].strip():
            rows.pop()  # blank lines at the end are fine
        return cls._from_rows(rows, name)

    @classmethod
    def _from_rows(cls, rows: Sequence[tuple[int, str]], name: str) -> Verbalizer:
        parsed = [parse_label(line, f"{name}:{number}") for number, line in rows]
        labels, words = [label for label, _ in parsed], _words_of_paths(parsed)
        _check(labels, words, name, lambda index: f"{name}:{rows[index][0]}")
        return cls(tuple(labels), tuple(words))

    @property
    def first_words(self) -> tuple[str, ...]:
        """One word of each label, the first: what {'options'} in a template stands for."""
        return tuple(words[0] for words in self.words)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def label_to_id(self) -> dict[str, int]:
        """Label -> its place in the file."""
        return {label: index for index, label in enumerate(self.labels)}

    def to_dict(self) -> dict[str, Any]:
        """{"labels": [{"label": "news_car", "words": ["汽车"]}, …]} in id order, for JSON."""
        return {"labels": [{"label": label, "words": list(words)} for label, words in zip(self.labels, self.words)]}

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Verbalizer:
        """Inverse of `to_dict`. Raises VerbalizerError when the dictionary has another shape."""
        entries = config.get("labels") if isinstance(config, Mapping) else None
        if not isinstance(entries, list):
            raise VerbalizerError('labels: expected {"labels": [{"label": …, "words": […]}, …]}, got no such list')
        for index, entry in enumerate(entries):
            words = entry.get("words") if isinstance(entry, Mapping) else None
            if not isinstance(words, list) or not all(isinstance(text, str) for text in [entry.get("label"), *words]):
                raise VerbalizerError(
                    f'label {index + 1}: expected {{"label": text, "words": [text, …]}}, got {shown(entry)}'
                )
        return cls(tuple(entry["label"] for entry in entries), tuple(tuple(entry["words"]) for entry in entries))

    def token_table(self, tokenizer: WordTokenizer, num_masks: int = 1) -> LabelTokens:
        """Label words as ids and weights, both [C, W, T].

        One mask: words of any length; T is the longest, a label logit is the mean over words of the mean over tokens.
        M masks: T = M; weights are 1 / words of the label, so log-probabilities add up over the masks.
        Raises VerbalizerError for a word that needs [UNK], that is not M tokens long (M masks), and for two labels
        whose tables are equal, which no logit can tell apart.
        """
        if num_masks < 1:
            raise ConfigError(f"num_masks must be at least 1, got {num_masks}; put {{'mask'}} into the template")
        tokens = [[self._encode(word, label, tokenizer) for word in words] for label, words in self._pairs()]
        if num_masks > 1:
            self._check_lengths(tokens, num_masks)
        width, length = max(map(len, tokens)), max(len(word) for words in tokens for word in words)
        ids = np.zeros((len(self), width, length), dtype=np.int64)
        weights = np.zeros(ids.shape, dtype=np.float32)
        for c, words in enumerate(tokens):
            for w, word in enumerate(words):
                ids[c, w, : len(word)] = word
                weights[c, w, : len(word)] = 1 / len(words) / (len(word) if num_masks == 1 else 1)
        self._check_distinct(tokens, num_masks)
        return LabelTokens(ids, weights)

    def alike(self, tokenizer: WordTokenizer) -> str:
        """Why the words, read as texts, do not tell all labels apart; "" where they do.

        A head that reads words as texts takes any word, but a word without a known token says nothing, and two labels of the
        same tokens get the same answer.
        """
        tokens = [[list(tokenizer.encode(word)) for word in words] for words in self.words]
        for label, words, encoded in zip(self.labels, self.words, tokens):
            if not any(set(ids) - {tokenizer.unk_id} for ids in encoded):
                return f"label word(s) {list_names(words)} of {shown(label)}: no character is in the model's vocabulary"
        seen: dict[Any, str] = {}
        for label, encoded in zip(self.labels, tokens):
            first = seen.setdefault(frozenset(map(tuple, encoded)), label)
            if first != label:
                return f"the words of {shown(first)} and {shown(label)} are the same tokens, so these labels cannot be told apart"
        return ""

    def _pairs(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        return zip(self.labels, self.words)

    @staticmethod
    def _encode(word: str, label: str, tokenizer: WordTokenizer) -> list[int]:
        ids = list(tokenizer.encode(word))
        if not ids or tokenizer.unk_id in ids:
            problem = "has characters outside the model's vocabulary" if ids else "has no token"
            raise VerbalizerError(
                f"label word {shown(word)} of {shown(label)} {problem}; choose another word in label.txt"
            )
        return ids

    def _check_lengths(self, tokens: Sequence[Sequence[Sequence[int]]], num_masks: int) -> None:
        pairs = [
            (word, label, len(ids))
            for (label, words), encoded in zip(self._pairs(), tokens)
            for word, ids in zip(words, encoded)
        ]
        wrong = [
            f"{shown(word)} of {shown(label)} has {length}" for word, label, length in pairs if length != num_masks
        ]
        if not wrong:
            return
        lengths = {length for _, _, length in pairs}
        if len(lengths) == 1:
            fix = f"all words have {lengths.pop()}: use that many masks in the template"
        else:
            fix = f"choose words of {num_masks} tokens, or a template with one mask, which takes words of any length"
        listed = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        raise VerbalizerError(f"with {num_masks} masks every label word needs {num_masks} tokens, but {listed}; {fix}")

    def _check_distinct(self, tokens: Sequence[Sequence[Sequence[int]]], num_masks: int) -> None:
        """Words may differ and still sum to the same logit: lower-casing, or with one mask the order of characters."""
        seen: dict[Any, int] = {}
        for c, words in enumerate(tokens):
            terms: dict[tuple[int, int], Fraction] = defaultdict(
                Fraction
            )  # (mask, token id) -> its weight in the label's logit
            for word in words:
                for place, token in enumerate(word):
                    terms[place if num_masks > 1 else 0, token] += Fraction(1, len(words) * len(word))
            key = frozenset(terms.items())
            if key in seen:
                first, second = self.labels[seen[key]], self.labels[c]
                raise VerbalizerError(
                    f"the words of {shown(first)} ({list_names(self.words[seen[key]])}) and {shown(second)} "
                    f"({list_names(self.words[c])}) are the same tokens, so these labels cannot be told apart; "
                    "change one word in label.txt"
                )
            seen[key] = c


def parse_label(line: str, where: str) -> tuple[str, tuple[str, ...]]:
    """`label` or `label==word,word` -> (label, words). A label without == is its own word.

    Raises:
        VerbalizerError: it is neither; the message begins with `where`.
    """
    line = line.strip()
    if not line:
        raise VerbalizerError(f"{where}: blank line, expected label or label==word; delete the blank line")
    if "\t" in line:
        raise VerbalizerError(
            f"{where}: a tab in {shown(line)}, expected label or label==word; write == instead of the tab"
        )
    if found := control_character(line):
        raise VerbalizerError(f"{where}: the control character {found} in {shown(line)}; take it out")
    if "＝" in line:
        raise VerbalizerError(f"{where}: full-width ＝ in {shown(line)}, expected label==word; write == in ASCII")
    label, sign, rest = line.partition("==")
    quoted = _QUOTED.match(line)
    if quoted:
        label, rest = quoted.groups()
    if "==" in rest or rest.startswith("="):
        raise VerbalizerError(f"{where}: more than one '==', expected label==word, got {shown(line)}")
    if odd := _ODD.search(rest):
        raise VerbalizerError(
            f"{where}: {odd[0]} in the label words of {shown(line)}; write them without quotes, commas between: "
            "label==word,word"
        )
    label = label.strip()
    if not sign and _ONE_SIGN.match(label):
        raise VerbalizerError(f"{where}: one = in {shown(line)}, expected label==word; write == before the words")
    words = tuple(word.strip() for word in re.split("[,，、;；]", rest)) if sign else (label,)
    for text in (label, *words):
        if (unseen := _INVISIBLE.search(text)) and not is_empty(text):
            raise VerbalizerError(
                f"{where}: the invisible character U+{ord(unseen[0]):04X} in {shown(text)}, with which it is not what it looks "
                "like; take it out"
            )
    return label, words


def _words_of_paths(parsed: Sequence[tuple[str, tuple[str, ...]]]) -> list[tuple[str, ...]]:
    """The words of each label; of a path `a##b` without words b, or ab where b is another label's word too."""
    last = [label.rpartition(LEVELS)[2] if words == (label,) else None for label, words in parsed]
    taken = Counter(word for (_, words), own in zip(parsed, last) for word in ((own,) if own else words))
    return [
        words if not own or LEVELS not in label else (own,) if taken[own] == 1 else (label.replace(LEVELS, ""),)
        for (label, words), own in zip(parsed, last)
    ]


def _check(labels: Sequence[str], words: Sequence[Sequence[str]], name: str, where: Callable[[int], str]) -> None:
    """The rules of label.txt. `where` turns a label's index into what its message starts with."""
    if len(labels) != len(words):
        raise VerbalizerError(f"{name}: {len(labels)} labels but words for {len(words)}; give every label its words")
    first_label: dict[str, int] = {}
    first_word: dict[str, int] = {}
    for index, (label, own) in enumerate(zip(labels, words)):
        for text in (label, *own):
            if found := control_character(text):
                raise VerbalizerError(
                    f"{where(index)}: the control character {found} in {shown(text)}, which would steer a terminal; take it out"
                )
        if is_empty(label):
            raise VerbalizerError(f"{where(index)}: empty label, expected label or label==word")
        if label in first_label:
            raise VerbalizerError(
                f"{where(index)}: repeated label {shown(label)}, first at {where(first_label[label])}; "
                "several words of one label go on one line: label==word,word"
            )
        first_label[label] = index
        if not own or not all(own):
            raise VerbalizerError(
                f"{where(index)}: empty label word for {shown(label)}, expected label==word or label==word,word"
            )
        for word in own:
            if word not in first_word:
                first_word[word] = index
            elif first_word[word] == index:
                raise VerbalizerError(f"{where(index)}: word {shown(word)} stands twice for {shown(label)}; keep one")
            else:
                raise VerbalizerError(
                    f"{where(index)}: {shown(label)} and {shown(labels[first_word[word]])} have the same word {shown(word)} "
                    f"(first at {where(first_word[word])}), so they could not be told apart; change one"
                )
    if len(labels) < 2:
        raise VerbalizerError(f"{name}: expected at least 2 labels, got {len(labels)}; a classifier needs a choice")
