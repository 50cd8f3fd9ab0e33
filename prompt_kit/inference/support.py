"""A support set: labelled examples that are given at prediction time and add labels to a model, without training.

Each label of the support set is the prototype of its examples and, where they name some (`label==word`), of its words
(prototypes.py). Beside the model's own labels its logit is the cosine to the prototype on the scale of the model's cosine
head, whose logits are cosines too, times what a prototype of few examples is expected to fall short by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.data.layout import list_names
from prompt_kit.data.lines import PathLike, read_lines
from prompt_kit.data.texts import half_character, is_empty
from prompt_kit.errors import ConfigError, DataError, shown
from prompt_kit.inference.onnx_model import OnnxModel
from prompt_kit.inference.prototypes import WORD_EXAMPLES, expected_gain, unit, word_prototypes
from prompt_kit.metrics import softmax
from prompt_kit.prompt.verbalizer import WordTokenizer, parse_label
from prompt_kit.prompt_config.kinds import OUTPUT_NAME, STATES_NAME

Support = Iterable[Union[Example, tuple[str, str], str]]
DEFAULT_SCALE = 12.0  # logits a cosine, of a model whose head says nothing of it


@dataclass(frozen=True)
class SupportSet:
    """What a support set says of its labels, in the order in which they first occur.

    labels    [C]
    examples  [N] without their labels, and their label ids
    words     of each label, which may be none
    """

    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    ids: tuple[int, ...]
    words: tuple[tuple[str, ...], ...]


class SupportClassifier:
    """Classifies by a model and a support set.

    labels       the model's, then those of the support set, in the order in which they first occur; with `only` the latter
    prototypes   [C, D] of the support set's labels, of length 1, or beside the model's own labels longer

    Args:
        model: of a bundle with states.
        support: examples with a label, or pairs of text and label, where a label may be written `label==word,word`; such a
            string alone is a label that has its words and no example.
        only: leave the model's own labels out.
        batch_size: of the examples.

    Raises:
        BundleError: the bundle has no states.
        ConfigError: without `only`, the model's head gives logits that no prototype's can stand beside.
        DataError: the support set is empty, or an example has no text, no label, or without `only` a label of the model.
    """

    def __init__(self, model: OnnxModel, support: Support, only: bool = False, batch_size: int = 32):
        found = read_support_set(support)
        own: tuple[str, ...] = () if only else model.config.labels
        if known := [label for label in found.labels if label in own]:
            raise DataError(
                f"support: the model has the label(s) {list_names(known)} itself; leave their examples out, or classify by the "
                "support set alone (--only_support, only_support=True)"
            )
        _check_columns(found, model.config.labels)
        _check_words(found, () if only else model.config.verbalizer.words, model.prompt_tokenizer.tokenizer)
        self.labels = (*own, *found.labels)
        self.prototypes = _prototypes(model, found, only, batch_size)
        if not only and model.config.scale is None:
            raise ConfigError(
                f"{model.folder}: its head's logits are no cosines, so that new labels cannot stand beside its own; give "
                "examples of every label and classify by them alone (--only_support, only_support=True), or train with "
                "--verbalizer cosine"
            )
        self._model, self._only = model, only
        self._scale = model.config.scale or DEFAULT_SCALE

    def probabilities(self, examples: Sequence[Example], batch_size: int) -> np.ndarray:
        """[N, C] float64, in the order of the examples and of `labels`."""
        names = (STATES_NAME,) if self._only else (STATES_NAME, OUTPUT_NAME)
        states, *own = self._model.outputs(examples, batch_size, names)
        return softmax(np.concatenate([*own, self._scale * states @ self.prototypes.T], axis=1))


def _check_columns(found: SupportSet, known: Sequence[str]) -> None:
    """DataError for a line of label and text, the other way round: its label would be the text."""
    for example in found.examples:
        if example.text_a in known:
            raise DataError(
                f"support: {shown(example.text_a)} is a label, expected a text before it; exchange the columns"
            )


def _check_words(found: SupportSet, others: Sequence[Sequence[str]], tokenizer: WordTokenizer) -> None:
    """DataError for a label that has words alone which say nothing, or the same as those of another label."""

    def read(words: Sequence[str]) -> frozenset[tuple[int, ...]]:
        return frozenset(tuple(tokenizer.encode(word)) for word in words)

    seen = {read(words) for words in others}
    for label_id, (label, words) in enumerate(zip(found.labels, found.words)):
        tokens = read(words)
        if label_id not in found.ids:
            if not {number for ids in tokens for number in ids} - {tokenizer.unk_id}:
                raise DataError(
                    f"support: the words of {shown(label)} ({list_names(words)}) have no token that the model knows"
                )
            if tokens in seen:
                raise DataError(
                    f"support: the words of {shown(label)} ({list_names(words)}) are those of another label too; choose others, "
                    "or add examples"
                )
        seen.add(tokens)


def support_prototypes(states: np.ndarray, ids: np.ndarray, words: np.ndarray, beside: bool) -> np.ndarray:
    """[C, D] of C labels.

    Args:
        states: [N, D] of the examples, of length 1.
        ids: [N] their label ids.
        words: [C, D] of length 1, of each label's words, or 0 where it has none.
        beside: they stand beside labels of many examples, and are longer than 1 by `expected_gain`.
    """
    counts = np.bincount(ids, minlength=len(words)) + WORD_EXAMPLES * words.any(axis=1)
    sums = np.eye(len(words), dtype=states.dtype)[ids].T @ states + WORD_EXAMPLES * words
    found = unit(sums)
    # the mean of one or two is so uncertain that its full gain would take more texts from the other labels than it finds
    gain = expected_gain(np.maximum(counts, WORD_EXAMPLES))[:, None] if beside else 1.0
    return (found * gain).astype(states.dtype)


def _prototypes(model: OnnxModel, support: SupportSet, only: bool, batch_size: int) -> np.ndarray:
    """[C, D] of the support set's labels. Words are centred on those of all labels that compete."""
    own = () if only else model.config.verbalizer.words
    of_label = [*own, *support.words]
    named = [label for label, words in enumerate(of_label) if words]
    words = [word for label in named for word in of_label[label]]
    read = model.states(
        [*support.examples, *map(Example, words)] if any(support.words) else support.examples, batch_size
    )
    states, word_states = read[: len(support.examples)], read[len(support.examples) :]
    directions = np.zeros((len(of_label), read.shape[1]), read.dtype)
    if any(support.words):
        ids = np.repeat(np.arange(len(named)), [len(of_label[label]) for label in named])
        directions[named] = word_prototypes(word_states, ids, len(named))
    return support_prototypes(states, np.array(support.ids, "int64"), directions[len(own) :], not only)


def read_support(path: PathLike) -> list[Union[Example, str]]:
    """The examples of a file of lines `text<TAB>label` or `text<TAB>label==word`; `label==word` alone stays a string.

    DataError with file:line for another line.
    """
    examples: list[Union[Example, str]] = []
    for number, line in read_lines(path):
        text, tab, label = line.rpartition("\t")
        text, label = text.strip(), label.strip()
        if not tab and "==" in label:
            _label(label, f"{path}:{number}")
            examples.append(label)
            continue
        if not tab or not label or is_empty(text) or "\t" in text:
            raise DataError(
                f"{path}:{number}: expected text<TAB>label, text<TAB>label==word or label==word, got {shown(line)}"
            )
        _label(label, f"{path}:{number}")
        examples.append(Example(text, label))
    return examples


def read_support_set(support: Support) -> SupportSet:
    """What `SupportClassifier` was given, checked and put in order."""
    if isinstance(support, (str, bytes)) or not isinstance(support, Iterable):
        raise ConfigError(
            f"support: expected examples with labels, or pairs of text and label, got {shown(support)}; a file is read by "
            "prompt_kit.inference.support.read_support(path)"
        )
    words: dict[str, dict[str, None]] = {}
    examples, of_example = [], []
    for number, one in enumerate(support, start=1):
        example, spelled = _example(one, number)
        label, own = _label(spelled, f"support {number}")
        words.setdefault(label, {}).update(dict.fromkeys(own))
        if example is not None:
            examples.append(example)
            of_example.append(label)
    if not words:
        raise DataError("support: no example, expected one or more of each label that is to be added")
    labels = tuple(words)
    return SupportSet(
        labels, tuple(examples), tuple(map(labels.index, of_example)), tuple(tuple(own) for own in words.values())
    )


def _label(spelled: str, where: str) -> tuple[str, tuple[str, ...]]:
    """`label` or `label==word,word` -> (label, its words). Here a label without == has none: a code says nothing."""
    label, words = parse_label(spelled, where)
    if is_empty(label) or not all(words):
        raise DataError(f"{where}: the label or one of its words is empty: {shown(spelled)}")
    return label, words if "==" in spelled else ()


def _example(one: object, number: int) -> tuple[Optional[Example], str]:
    """(the example, or None of a label that is given by its words alone; its label as it is written)."""
    if isinstance(one, str) and "==" in one:
        return None, one.strip()
    example: Optional[Example] = one if isinstance(one, Example) else None
    if isinstance(one, (tuple, list)) and len(one) == 2 and all(isinstance(part, str) for part in one):
        example = Example(one[0], one[1])
    if example is None or not isinstance(example.text_a, str) or not isinstance(example.label, str):
        raise DataError(f"support {number}: expected a text and its label, got {shown(one)}")
    if broken := half_character(example.text_a):
        raise DataError(f"support {number}: the text {broken}")
    if is_empty(example.text_a) or not example.label.strip():
        raise DataError(f"support {number}: the text or the label is empty: {shown(one)}")
    return example, example.label.strip()
