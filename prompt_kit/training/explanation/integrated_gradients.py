"""Why this label? The gradient of its log-odds at the word embeddings, integrated from a text of padding to the text.

With x the word embeddings of the text's pieces, x' that of [PAD] in the place of each, and F the label's log-odds,
log(p / (1 - p)), a piece's attribution is the sum over its dimensions of

    (x - x') * integral over a from 0 to 1 of  dF(x' + a (x - x')) / dx

and all attributions of a text sum up to F(x) - F(x') ("completeness"). Template, special tokens, positions and a second text
stay as they are on the whole path, so they take no part. A character's number is the sum over the pieces that begin in it.

Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML 2017 (arXiv:1703.01365). The integral is a
Gauss-Legendre quadrature whose points are doubled until the attributions are complete.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np
import paddle
from paddle import nn

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError
from prompt_kit.inference.explanation import (
    CharacterEffect,
    Explanation,
    Reading,
    column_of,
    explanation_of,
    log_odds,
    readings,
)
from prompt_kit.inference.text_windows import to_example
from prompt_kit.prompt.prompt_tokenizer import collate
from prompt_kit.training.loop.prediction import predict_probabilities
from prompt_kit.training.models.base import TextClassifier

logger = logging.getLogger(__name__)

TOLERANCE = 0.01  # of the change of the log-odds, or of 0.1 where that changes less
FEWEST_POINTS, MOST_POINTS = 16, 256
_BATCH = 32  # points that go through the model together


@dataclass(frozen=True)
class Attribution:
    """What the pieces of one text do for a label.

    log_odds    [T] of each piece of text_a that is read; they sum up to `change`, but for `gap`
    probability [T] the same of the label's probability
    change      F(x) - F(x'): the label's log-odds by the text, less those by padding in its place
    points      of the quadrature
    """

    log_odds: np.ndarray
    probability: np.ndarray
    change: float
    points: int

    @property
    def gap(self) -> float:
        """How far from complete the attributions are."""
        return float(abs(self.log_odds.sum() - self.change))

    @property
    def is_complete(self) -> bool:
        """Whether the gap is within the tolerance."""
        return self.gap <= TOLERANCE * max(0.1, abs(self.change))


def explain_by_gradients(
    model: TextClassifier,
    texts: Iterable[Union[str, Example]],
    top_k: int = 5,
    label: Optional[str] = None,
) -> Iterator[Explanation]:
    """Explanations one by one, in the order of the texts; the arguments as in inference/explanation.py.

    The model's mode and what of it is trained are afterwards as they were. Warns of a text whose attributions are not
    complete even with MOST_POINTS. Raises ConfigError as there, and for a model of another kind than prompt and finetune.
    """
    labels = model.verbalizer.labels
    column = column_of(labels, label, top_k)
    if model.task.several:
        raise ConfigError(
            f"integrated gradients are for one label a text, this model is {model.task.kind}: use --method leave_one_out"
        )
    if model.method not in ("prompt", "finetune"):
        raise ConfigError(
            f"integrated gradients are for prompt and fine-tuned models, this is {model.method}: "
            "use --method leave_one_out"
        )
    return _explain(model, labels, iter(texts), top_k, column)


def _explain(model, labels, texts, top_k, column) -> Iterator[Explanation]:
    for number, text in enumerate(texts, start=1):
        example = to_example(text, number, may_be_empty=True)
        (reading,) = readings([example], [model.prompt_tokenizer])
        row = predict_probabilities(model, [example])[0]
        of_label = int(row.argmax()) if column is None else column
        found = attribute(model, example, of_label)
        if not found.is_complete:
            logger.warning(
                "text %d: the attributions sum up to %.3f, but the log-odds change by %.3f", number,
                found.log_odds.sum(), found.change,
            )  # fmt: skip
        effects = _effects(reading, _begins(model, example), found)
        yield explanation_of(reading, labels[of_label], float(row[of_label]), effects, top_k)


def attribute(model: TextClassifier, example: Example, column: int) -> Attribution:
    """What the pieces of the example's text_a do for the label of that id."""
    reads = model.prompt_tokenizer.what_is_read([example])[0]
    columns = [
        place
        for read, found in zip(reads, model.prompt_tokenizer.columns_of(reads))
        if read.field == "text_a"
        for place in found
    ]
    arrays = collate(model.prompt_tokenizer.encode_many([example]), model.tokenizer.pad_id)
    with _at_rest(model):
        path = _Path(model, arrays, columns, column)
        before, after = log_odds(path.ends())
        points = FEWEST_POINTS
        while True:
            found = Attribution(*path.integrate(points), float(after - before), points)
            if found.is_complete or points >= MOST_POINTS or not columns:
                return found
            points *= 2


class _Path:
    """The straight line from the padding to the text, in the space of word embeddings."""

    def __init__(self, model: TextClassifier, arrays: dict[str, np.ndarray], columns: Sequence[int], label: int):
        self._model, self._arrays, self._columns, self._label = model, arrays, list(columns), label
        moved = np.zeros(arrays["input_ids"].shape[1], "float32")
        moved[self._columns] = 1
        self._moved = paddle.to_tensor(moved.reshape([1, -1, 1]))

    def ends(self) -> np.ndarray:
        """[2] float64: the label's probability by the padding, and by the text."""
        with paddle.no_grad():
            logits, _ = self._pass(np.array([0.0, 1.0]))
        return np.exp(_log_softmax(logits.numpy()))[:, self._label]

    def integrate(self, points: int) -> tuple[np.ndarray, np.ndarray]:
        """([T], [T]) float64: the pieces' attributions of log-odds and of probability."""
        places, weights = np.polynomial.legendre.leggauss(points)  # on [-1, 1]
        places, weights = (places + 1) / 2, weights / 2
        odds, probability = (np.zeros(len(self._columns)) for _ in range(2))
        for start in range(0, points, _BATCH):
            logits, embedded = self._pass(places[start : start + _BATCH])
            own = logits[:, self._label]
            others = [n for n in range(logits.shape[1]) if n != self._label]
            value = own - paddle.logsumexp(paddle.index_select(logits, paddle.to_tensor(others), axis=1), axis=1)
            gradient, *_ = paddle.grad(value.sum(), [embedded.leaf, *_gains(self._model)], allow_unused=True)
            # along the path: the gradient times the whole difference
            along = (gradient * embedded.difference).sum(axis=-1).numpy()[:, self._columns].astype("float64")
            p = 1 / (1 + np.exp(-value.detach().numpy().astype("float64")))
            share = weights[start : start + _BATCH]
            odds += share @ along
            probability += (share * p * (1 - p)) @ along  # dp = p (1 - p) d log-odds
        return odds, probability

    def _pass(self, places: np.ndarray) -> tuple[paddle.Tensor, _Embedded]:
        """Logits [B, C] float32 at B places of the path, and the word embeddings that they were made of."""
        embedding = self._model.backbone.get_input_embeddings()
        embedded = _Embedded(self._moved, places, self._padding(embedding))
        hook = embedding.register_forward_post_hook(embedded)
        arrays = {name: np.repeat(array, len(places), axis=0) for name, array in self._arrays.items()}
        try:
            logits = self._model(**{name: paddle.to_tensor(array) for name, array in arrays.items()})
        finally:
            hook.remove()
        return logits.astype("float32"), embedded

    def _padding(self, embedding: nn.Layer) -> paddle.Tensor:
        """The word embedding of [PAD], [E]. Where the look-up gives zeros for it, what the table holds is what was learned."""
        return embedding.weight[self._model.tokenizer.pad_id].detach()


class _Embedded:
    """A hook behind the embedding layer: words [B, L, E] -> their places on the path, a leaf that takes a gradient."""

    def __init__(self, moved: paddle.Tensor, places: np.ndarray, padding: paddle.Tensor):
        self._moved, self._padding = moved, padding
        self._left = paddle.to_tensor((1 - places).astype("float32").reshape([-1, 1, 1]))

    def __call__(self, layer: nn.Layer, inputs: tuple, words: paddle.Tensor) -> paddle.Tensor:
        words = words.detach().astype("float32")
        self.difference = (words - self._padding.astype("float32")) * self._moved
        self.leaf = words - self._left * self.difference
        self.leaf.stop_gradient = False
        return self.leaf


@contextlib.contextmanager
def _at_rest(model: TextClassifier) -> Iterator[None]:
    """Evaluation mode, and no gradient for any parameter but the gains of layer norms.

    Paddle 3.3.1's CPU kernel leaves the gain out of the gradient of a layer norm's input where it is not asked for the
    gradient of the gain too.
    """
    training = model.training
    stopped = [(parameter, parameter.stop_gradient) for parameter in model.parameters()]
    model.eval()
    for parameter, _ in stopped:
        parameter.stop_gradient = True
    for gain in _gains(model):
        gain.stop_gradient = False
    try:
        yield
    finally:
        for parameter, before in stopped:
            parameter.stop_gradient = before
        if training:
            model.train()


def _gains(model: TextClassifier) -> list[paddle.Tensor]:
    return [layer.weight for layer in model.sublayers() if isinstance(layer, nn.LayerNorm) and layer.weight is not None]


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype("float64") - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _begins(model: TextClassifier, example: Example) -> list[int]:
    """Where each piece of text_a that is read begins, in characters, once for every time that the template shows it."""
    (found,) = model.tokenizer.encode_places([example.text_a])
    reads = model.prompt_tokenizer.what_is_read([example])[0]
    return [begin for read in reads if read.field == "text_a" for begin in found[1][read.start : read.stop]]


def _effects(reading: Reading, begins: Sequence[int], found: Attribution) -> tuple[CharacterEffect, ...]:
    """The sums over the pieces that begin in each unit."""
    effects = []
    for text, start, _ in reading.units:
        of_unit = [n for n, begin in enumerate(begins) if start <= begin < start + len(text)]
        effects.append(
            CharacterEffect(text, start, float(found.log_odds[of_unit].sum()), float(found.probability[of_unit].sum()))
        )
    return tuple(effects)
