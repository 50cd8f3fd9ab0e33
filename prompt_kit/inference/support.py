"""A support set: labelled examples that are given at prediction time and add labels to a model, without training.

Each label of the support set is the prototype of its examples (prototypes.py). Beside the model's own labels its logit is
the cosine to the prototype on the scale of the model's cosine head, whose logits are cosines too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Optional, Union

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.data.layout import list_names
from prompt_kit.data.lines import PathLike, read_lines
from prompt_kit.data.texts import is_empty
from prompt_kit.errors import ConfigError, DataError, shown
from prompt_kit.inference.onnx_model import OnnxModel
from prompt_kit.inference.prototypes import prototypes
from prompt_kit.metrics import softmax
from prompt_kit.prompt_config.kinds import OUTPUT_NAME, STATES_NAME

Support = Iterable[Union[Example, tuple[str, str]]]
DEFAULT_SCALE = 12.0  # logits a cosine, of a model whose head says nothing of it


class SupportClassifier:
    """Classifies by a model and a support set.

    labels       the model's, then those of the support set, in the order in which they first occur; with `only` the latter
    prototypes   [C, D] of the support set's labels, of length 1

    Args:
        model: of a bundle with states.
        support: examples with a label, or pairs of text and label.
        only: leave the model's own labels out.
        batch_size: of the examples.

    Raises:
        BundleError: the bundle has no states.
        ConfigError: without `only`, the model's head gives logits that no prototype's can stand beside.
        DataError: the support set is empty, or an example has no text, no label, or without `only` a label of the model.
    """

    def __init__(self, model: OnnxModel, support: Support, only: bool = False, batch_size: int = 32):
        examples = _checked(support)
        own: tuple[str, ...] = () if only else model.config.labels
        new = tuple(dict.fromkeys(str(example.label) for example in examples))
        if known := [label for label in new if label in own]:
            raise DataError(
                f"support: the model has the label(s) {list_names(known)} itself; leave their examples out, or classify by the "
                "support set alone (--only_support, only_support=True)"
            )
        states = model.states(examples, batch_size)
        if not only and model.config.scale is None:
            raise ConfigError(
                f"{model.folder}: its head's logits are no cosines, so that new labels cannot stand beside its own; give "
                "examples of every label and classify by them alone (--only_support, only_support=True), or train with "
                "--verbalizer cosine"
            )
        self.labels = (*own, *new)
        ids = np.array([new.index(str(example.label)) for example in examples])
        self.prototypes = prototypes(states, ids, len(new))
        self._model, self._only = model, only
        self._scale = model.config.scale or DEFAULT_SCALE

    def probabilities(self, examples: Sequence[Example], batch_size: int) -> np.ndarray:
        """[N, C] float64, in the order of the examples and of `labels`."""
        names = (STATES_NAME,) if self._only else (STATES_NAME, OUTPUT_NAME)
        states, *own = self._model.outputs(examples, batch_size, names)
        return softmax(np.concatenate([*own, self._scale * states @ self.prototypes.T], axis=1))


def read_support(path: PathLike) -> list[Example]:
    """The examples of a file of lines `text<TAB>label`, of whatever labels. DataError with file:line for another line."""
    examples = []
    for number, line in read_lines(path):
        text, tab, label = line.rpartition("\t")
        text, label = text.strip(), label.strip()
        if not tab or not label or is_empty(text) or "\t" in text:
            raise DataError(f"{path}:{number}: expected text<TAB>label, got {shown(line)}")
        examples.append(Example(text, label))
    return examples


def _checked(support: Support) -> list[Example]:
    if isinstance(support, (str, bytes)) or not isinstance(support, Iterable):
        raise ConfigError(
            f"support: expected examples with labels, or pairs of text and label, got {shown(support)}; a file is read by "
            "prompt_kit.inference.support.read_support(path)"
        )
    examples = [_example(one, number) for number, one in enumerate(support, start=1)]
    if not examples:
        raise DataError("support: no example, expected one or more of each label that is to be added")
    return examples


def _example(one: object, number: int) -> Example:
    """An example whose text and label are there."""
    example: Optional[Example] = one if isinstance(one, Example) else None
    if isinstance(one, (tuple, list)) and len(one) == 2 and all(isinstance(part, str) for part in one):
        example = Example(one[0], one[1])
    if example is None or not isinstance(example.text_a, str) or not isinstance(example.label, str):
        raise DataError(f"support {number}: expected a text and its label, got {shown(one)}")
    if is_empty(example.text_a) or not example.label.strip():
        raise DataError(f"support {number}: the text or the label is empty: {shown(one)}")
    return example
