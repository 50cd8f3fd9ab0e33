"""What a user should know of the texts before training: which are cut, contradict each other, or are in two files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Optional

from prompt_kit.data.dataset import Dataset, Example
from prompt_kit.data.line_format import label_text
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.training.pretraining.corpus import normalize

logger = logging.getLogger(__name__)

_SHOWN = 30  # characters of a text in a message
_MARGIN = 8  # tokens that a text may have more than characters: lower-casing can make two of one


_FILES = {"train": "train.txt", "dev": "dev.txt", "test": "test.txt"}


def report(prompt_tokenizer: PromptTokenizer, dataset: Dataset, names: Mapping[str, str] = _FILES) -> None:
    """Log one warning each for texts that are cut, that have several labels in train.txt, and that are in dev or test too.

    names: what the messages call each split.
    """
    splits = {name: getattr(dataset, name) for name in ("train", "dev", "test") if getattr(dataset, name)}
    cut = {name: count_cut(prompt_tokenizer, examples) for name, examples in splits.items()}
    if any(cut.values()):
        bounds = [f"--max_seq_length {prompt_tokenizer.max_seq_length}"] + [
            f"--{name} {getattr(prompt_tokenizer, name)}"
            for name in ("first_max_length", "other_max_length")
            if getattr(prompt_tokenizer, name) is not None
        ]
        listed = ", ".join(f"{cut[name]} of {len(splits[name])} in {names[name]}" for name in cut if cut[name])
        logger.warning("texts that are cut at %s, the prompt included: %s", " and ".join(bounds), listed)
    train = splits.get("train", [])
    if contradictions := find_contradictions(train):
        text, labels = contradictions[0]
        logger.warning(
            "%s: %d text%s with different labels, such as %s with %s; keep the right one",
            names["train"], len(contradictions), " stands there" if len(contradictions) == 1 else "s stand there", _shown(text),
            " and ".join(labels),
        )  # fmt: skip
    shared = {name: find_shared(train, splits[name]) for name in ("dev", "test") if name in splits}
    if any(shared.values()):
        listed = ", ".join(f"{len(texts)} of {names[name]}" for name, texts in shared.items() if texts)
        example = next(texts[0] for texts in shared.values() if texts)
        logger.warning(
            "texts that are in %s too: %s, such as %s; a score on what was trained on is too good",
            names["train"],
            listed,
            _shown(example),
        )


def count_cut(prompt_tokenizer: PromptTokenizer, examples: Sequence[Example]) -> int:
    """How many examples lose some of a text to the bounds of the prompt tokenizer: with a token more they are longer."""
    first, other = prompt_tokenizer.first_max_length, prompt_tokenizer.other_max_length
    room = prompt_tokenizer.max_seq_length - prompt_tokenizer.num_prompt_tokens
    least = min([room, *(bound for bound in (first, other) if bound)])
    long = [one for one in examples if len(one.text_a) + len(one.text_b or "") + _MARGIN > least]
    if not long:
        return 0
    wider = PromptTokenizer(
        prompt_tokenizer.template,
        prompt_tokenizer.tokenizer,
        prompt_tokenizer.max_seq_length + 1,
        _more(first),
        _more(other),
        prompt_tokenizer.truncate_mode,
    )
    pairs = zip(prompt_tokenizer.encode_many(long), wider.encode_many(long))
    return sum(len(more.input_ids) > len(now.input_ids) for now, more in pairs)


def find_contradictions(examples: Sequence[Example]) -> list[tuple[str, list[str]]]:
    """(text, its labels in the order of the file) of every text that has several; width, case and spaces do not count."""
    found: dict[str, dict[str, str]] = {}
    for one in examples:
        found.setdefault(_key(one), {}).setdefault(label_text(one.label), one.text_a)
    return [
        (next(iter(labels.values())), [label or "none" for label in labels])
        for labels in found.values()
        if len(labels) > 1
    ]


def find_shared(examples: Sequence[Example], others: Sequence[Example]) -> list[str]:
    """The texts of `others` that are among `examples`, compared in the same way."""
    known = {_key(one) for one in examples}
    return [one.text_a for one in others if _key(one) in known]


def _key(example: Example) -> str:
    return normalize(example.text_a) + "\t" + normalize(example.text_b or "")


def _more(bound: Optional[int]) -> Optional[int]:
    return None if bound is None else bound + 1


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
