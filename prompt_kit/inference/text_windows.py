"""Texts that are read ahead of their answers: a window at a time, so that batches are of like lengths and memory is bounded.

What is wrong with a text is raised after the answers of those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Optional, TypeVar

from prompt_kit.data.dataset import Example
from prompt_kit.data.texts import half_character, is_empty
from prompt_kit.errors import DataError, shown
from prompt_kit.inference.call_arguments import check_number

WINDOW = 64  # batches whose texts are sorted by length together: less padding, and still little memory
MOST_READ_AHEAD = MOST_IN_BATCH = 1 << 16  # texts

Answer = TypeVar("Answer")


def check_batch_size(value: Any) -> int:
    """How many texts a batch has; ConfigError for what is no such number."""
    return check_number("batch_size", value, 1, MOST_IN_BATCH)


def window_size(batch_size: int) -> int:
    """How many texts `Predictor.predict_stream` reads before it answers the first of them; ConfigError below 1."""
    batch_size = check_batch_size(batch_size)
    return 1 if batch_size == 1 else max(batch_size, min(batch_size * WINDOW, MOST_READ_AHEAD))


def to_example(text: Any, number: int, may_be_empty: bool = False) -> Example:
    """A text as an Example; DataError, with its `number` from 1, for an empty or broken one and for what is no text."""
    example = text if isinstance(text, Example) else Example(text)
    parts = [part for part in (example.text_a, example.text_b) if part is not None]
    wrong = [part for part in parts if not isinstance(part, str)]
    if wrong or not parts:
        got = wrong[0] if wrong else None
        raise DataError(f"text {number}: expected a string or an Example, got {type(got).__name__}: {shown(got)}")
    if broken := next(filter(None, map(half_character, parts)), ""):
        raise DataError(f"text {number} {broken}")
    if not may_be_empty and is_empty("".join(parts)):
        raise DataError(f"text {number} is empty ({shown(''.join(parts))}), expected some words")
    return example


def answers_by_window(
    texts: Iterator[Any],
    batch_size: int,
    answer: Callable[[Sequence[Example]], list[Answer]],
    check: Callable[[Example], None],
) -> Iterator[Answer]:
    """Answers one by one, in the order of the texts.

    Args:
        texts: strings or Examples; with batch_size 1 each is answered before the next is read.
        answer: gives the answers to a window of them; a DataError says that it refuses one of the texts.
        check: raises the DataError of a text that is refused.
    """
    window, done, problem = window_size(batch_size), 0, None
    while problem is None:
        examples, problem = _read(texts, window, done)
        if not examples and problem is None:
            return
        try:
            answers = answer(examples)
        except DataError:  # a text that the template refuses, such as one that it may not cut
            accepted, problem = _accepted(examples, done, check)
            answers = answer(examples[:accepted])
        yield from answers
        done += len(examples)
    raise problem


def _read(texts: Iterator[Any], most: int, done: int) -> tuple[list[Example], Optional[Exception]]:
    """Up to `most` examples, and what is wrong with the text behind them; `done` texts were read before."""
    examples: list[Example] = []
    try:
        for text in islice(texts, most):
            examples.append(to_example(text, done + len(examples) + 1))
    except Exception as problem:  # also of the caller's iterator; what came before it is answered
        return examples, problem
    return examples, None


def _accepted(examples: Sequence[Example], done: int, check: Callable[[Example], None]) -> tuple[int, DataError]:
    """How many examples come before the first that is refused, and why that is."""
    for place, example in enumerate(examples):
        try:
            check(example)
        except DataError as error:
            return place, DataError(f"text {done + place + 1}: {error}")
    raise AssertionError("a batch was refused, but none of its texts is")
