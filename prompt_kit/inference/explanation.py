"""Why this label? What each character does for it, found by leaving the characters out one at a time.

A text of n characters is classified n + 1 times: whole, and without each of them. The change of the label's log-odds,
log(p / (1 - p)), is what the character does for the label: above 0 it speaks for it, below 0 against it. Log-odds rather
than the probability, because near 1 the probability hardly moves, whatever is left out.

Li, Monroe and Jurafsky, Understanding Neural Networks through Representation Erasure, 2016 (arXiv:1612.08220). Where two
characters say the same, leaving one out changes little, so that both look idle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Callable, Optional, Union

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.data.layout import list_names
from prompt_kit.errors import ConfigError, shown
from prompt_kit.inference.carried_examples import Neighbour
from prompt_kit.inference.text_windows import to_example
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer

Probabilities = Callable[[Sequence[Example]], np.ndarray]  # N examples -> [N, C]

_WINDOW = 64  # texts whose variants are classified together: enough to fill batches, and little memory
_LEAST = 1e-12  # of a probability and of what it leaves to 1, so that log-odds are finite

# What is left out at once: a run of letters and digits that is no Chinese, so that a word goes whole, or any character
# alone. White space is nothing that a model reads.
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"
_UNIT = re.compile(rf"[^\W_{_IDEOGRAPHS}]+|\S")


@dataclass(frozen=True)
class CharacterEffect:
    """A character, or a word of letters and digits, and what it does for the label.

    text         as it stands in the text
    start        its place in the text, in characters
    log_odds     change of the label's log-odds by its being there: above 0 it speaks for the label
    probability  change of the label's probability
    """

    text: str
    start: int
    log_odds: float
    probability: float


@dataclass(frozen=True)
class Explanation:
    """What the characters of a text do for a label.

    score    the label's probability
    effects  of every character that the model reads, in the order of the text
    top      the few that speak for the label most, the strongest first
    is_cut   whether the text is longer than the model reads; characters that it does not read have no effect
    nearest  the training examples that are nearest to the text, where the exported folder carries them
    """

    text: str
    label: str
    score: float
    effects: tuple[CharacterEffect, ...]
    top: tuple[CharacterEffect, ...]
    is_cut: bool = False
    nearest: tuple[Neighbour, ...] = ()


@dataclass(frozen=True)
class Reading:
    """An example as the model reads it, and its units: what stands there, and where in the whole text it begins.

    whole   the example as it was given
    read    what is left of it where its text is cut
    units   (characters, their place in the whole text, their place in what is read)
    is_cut  whether the text is longer than the model reads
    """

    whole: Example
    read: Example
    units: tuple[tuple[str, int, int], ...]  # text, its place in the whole text, its place in what is read
    is_cut: bool

    def variants(self) -> list[Example]:
        """The example as it is read, and without each of its units."""
        return [self.read, *(self.without(unit) for unit in range(len(self.units)))]

    def without(self, unit: int) -> Example:
        text, _, place = self.units[unit]
        return replace(self.read, text_a=self.read.text_a[:place] + self.read.text_a[place + len(text) :])


def explain(
    probabilities: Probabilities,
    prompt_tokenizers: Sequence[PromptTokenizer],
    labels: Sequence[str],
    texts: Iterable[Union[str, Example]],
    top_k: int = 5,
    label: Optional[str] = None,
) -> Iterator[Explanation]:
    """Explanations one by one, in the order of the texts.

    Args:
        probabilities: the model.
        prompt_tokenizers: of the model, or of all the models whose probabilities are averaged.
        labels: C labels in the order of the probabilities.
        texts: of an Example only `text_a` is taken apart, `text_b` stays as it is.
        top_k: how many characters `Explanation.top` names at most.
        label: explain this one; None: each text's most probable one.

    Raises ConfigError for a `top_k` below 1 and a label that the model does not have, DataError for what is no text.
    """
    column = column_of(labels, label, top_k)
    return _explain(probabilities, prompt_tokenizers, labels, iter(texts), top_k, column)


def column_of(labels: Sequence[str], label: Optional[str], top_k: int) -> Optional[int]:
    """The place of `label` among the labels, None for None. ConfigError for one that is not there, and a `top_k` below 1."""
    if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1:
        raise ConfigError(f"top_k must be a whole number of 1 or more, got {top_k!r}")
    if label is not None and label not in labels:
        raise ConfigError(f"the model has no label {shown(label)}, expected one of {list_names(labels)}")
    return None if label is None else list(labels).index(label)


def _explain(
    probabilities: Probabilities,
    prompt_tokenizers: Sequence[PromptTokenizer],
    labels: Sequence[str],
    texts: Iterator[Union[str, Example]],
    top_k: int,
    column: Optional[int],
) -> Iterator[Explanation]:
    numbered = enumerate(texts, start=1)
    while True:
        examples = [to_example(text, number, may_be_empty=True) for number, text in islice(numbered, _WINDOW)]
        if not examples:
            return
        found_readings = readings(examples, prompt_tokenizers)
        rows = probabilities([one for reading in found_readings for one in reading.variants()])
        start = 0
        for reading in found_readings:
            found = rows[start : start + 1 + len(reading.units)]
            start += len(found)
            yield by_leaving_out(reading, labels, found, top_k, column)


def by_leaving_out(
    reading: Reading, labels: Sequence[str], rows: np.ndarray, top_k: int, column: Optional[int] = None
) -> Explanation:
    """What the units do for the label of `column`, None: for the most probable one.

    rows: [1 + n, C], the probabilities of `reading.variants()`.
    """
    of_label = int(rows[0].argmax()) if column is None else column
    label, found = labels[of_label], rows[:, of_label]
    odds = log_odds(found)
    effects = tuple(
        CharacterEffect(text, place, float(odds[0] - odds[n]), float(found[0] - found[n]))
        for n, (text, place, _) in enumerate(reading.units, start=1)
    )
    return explanation_of(reading, label, float(found[0]), effects, top_k)


def explanation_of(
    reading: Reading, label: str, score: float, effects: tuple[CharacterEffect, ...], top_k: int
) -> Explanation:
    """The explanation that has these effects, of all units that are read, in the order of the text."""
    helpful = sorted((one for one in effects if one.log_odds > 0), key=lambda one: -one.log_odds)
    return Explanation(reading.whole.text_a, label, score, effects, tuple(helpful[:top_k]), reading.is_cut)


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), finite for 0 and 1 too."""
    p = np.clip(np.asarray(probabilities, dtype=np.float64), _LEAST, 1 - _LEAST)
    return np.log(p) - np.log1p(-p)


def units_of(text: str) -> list[tuple[str, int]]:
    """What is left out at once, with its place: a Chinese character or sign, or a run of other letters and digits."""
    return [(found.group(), found.start()) for found in _UNIT.finditer(text)]


def readings(examples: Sequence[Example], prompt_tokenizers: Sequence[PromptTokenizer]) -> list[Reading]:
    """What the models that have these tokenizers read of each example, all of them together."""
    bounds = [(len(example.text_a), 0) for example in examples]
    cut = [False] * len(examples)
    texts = [example.text_a for example in examples]
    for prompt_tokenizer in prompt_tokenizers:
        reads = prompt_tokenizer.what_is_read(examples)
        for row, (_, begins) in enumerate(prompt_tokenizer.tokenizer.encode_places(texts)):
            mine = [one for one in reads[row] if one.field == "text_a"]
            cut[row] |= any(one.is_cut for one in mine)
            first, last = min(one.start for one in mine), max(one.stop for one in mine)
            begin = begins[first] if 0 < first < len(begins) else 0
            end = begins[last] if last < len(begins) else len(texts[row])
            bounds[row] = min(bounds[row][0], begin), max(bounds[row][1], end)
    return [_reading(*one) for one in zip(examples, bounds, cut)]


def _reading(example: Example, bounds: tuple[int, int], is_cut: bool) -> Reading:
    """Only what is read is kept: else a character left out would make room for one that was cut off."""
    begin, end = bounds
    text = example.text_a[begin:end]
    units = tuple((unit, begin + place, place) for unit, place in units_of(text))
    return Reading(example, replace(example, text_a=text), units, is_cut)
