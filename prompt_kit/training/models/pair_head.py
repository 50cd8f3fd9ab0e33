"""The pair head: two texts are read apart from each other, and compared.

A language model of a few layers that was never trained on pairs says nothing of two texts it reads as one; what it says of
each alone can be compared. So each text has masks of its own, and a pass in which the other text is padding. The label
logits are linear in the products of the two texts' centred states, which start as the cosine: logistic regression on the
cosines of the training pairs is the start.

Sources: Reimers & Gurevych, Sentence-BERT, EMNLP 2019 (arXiv:1908.10084), two texts through one encoder, and a classifier
on a comparison of the two; Mou et al., ACL 2016 (arXiv:1512.08422), the product as such a comparison.
"""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from prompt_kit.errors import ConfigError
from prompt_kit.prompt.prompt_tokenizer import Features

APART_PROMPT = (
    "{'mask'}{'mask'}{'soft': '：', 'soft_id': 1}{'text': 'text_a'}{'sep'}"
    "{'mask', 'token_type': 1}{'mask'}{'soft_id': 1}{'text': 'text_b'}"
)


class PairHead(nn.Layer):
    """Label logits from the products of two texts' mask states, each centred and of length 1.

    [B, M, E] -> two of [B, D], D = M E / 2 -> their products [B, D] -> [B, C]. The first M / 2 masks are the first text's.

    Args:
        num_masks: M, an even number.
        num_labels: C.
        width: E.
    """

    def __init__(self, num_masks: int, num_labels: int, width: int):
        super().__init__()
        self._size = num_masks // 2 * width
        self.center = self.create_parameter([self._size], is_bias=True)
        self.center.stop_gradient = True  # put where the texts are, and not learned
        self.weight = self.create_parameter([num_labels, self._size], is_bias=True)
        self.bias = self.create_parameter([num_labels], is_bias=True)

    def start_from_examples(self, states: np.ndarray, labels: np.ndarray) -> None:
        """Put the origin at the mean of the training texts, and tell the labels apart by the cosine.

        Args:
            states: [N, M E] transformed mask states.
            labels: [N] label ids.
        """
        center = states.reshape([-1, self._size]).mean(axis=0)
        slopes, bias = fit_labels(_cosines(states, center), labels, len(self.bias))
        self.center.set_value(center.astype("float32"))
        # the logits are of products times the root of their number, so that a step of the optimizer turns them as fast as
        # it turns other heads'; equal weights make of them the cosine
        self.weight.set_value(np.repeat(slopes[:, None] / self._size**0.5, self._size, axis=1).astype("float32"))
        self.bias.set_value(bias.astype("float32"))

    def shift(self, bias: np.ndarray) -> None:
        """Add `bias` [C] to the label logits, for good."""
        self.bias.set_value(self.bias.numpy() + bias.astype("float32"))

    def embed(self, states: paddle.Tensor) -> paddle.Tensor:
        """[B, M, E] transformed mask states -> [B, D], the products of length 1: pairs that are alike in the same way."""
        return F.normalize(self._products(states), axis=-1)

    def forward(self, states: paddle.Tensor) -> paddle.Tensor:
        """[B, M, E] transformed mask states -> [B, C]."""
        return self._size**0.5 * paddle.matmul(self._products(states), self.weight, transpose_y=True) + self.bias

    def _products(self, states: paddle.Tensor) -> paddle.Tensor:
        texts = F.normalize(states.reshape([-1, 2, self._size]) - self.center, axis=-1)
        return texts[:, 0] * texts[:, 1]


def leave_one_out_of_pairs(states: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """[N, C] label logits of training pairs, states [N, M E], each by a pair head that is started from the others."""
    logits = np.empty([len(states), count])
    for place in range(len(states)):
        others = np.arange(len(states)) != place
        center = states[others].reshape([-1, states.shape[1] // 2]).mean(axis=0)
        cosines = _cosines(states, center)
        slopes, bias = fit_labels(cosines[others], labels[others], count)
        logits[place] = slopes * cosines[place] + bias
    return logits


def fit_labels(cosines: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(slopes [C], bias [C]) of logits that are linear in a cosine: logistic regression on cosines [N] and label ids [N].

    A label without an example gets no slope and the least bias.
    """
    from sklearn.linear_model import LogisticRegression

    slopes, bias = np.zeros(count), np.zeros(count)
    present = np.unique(labels)
    if len(present) > 1:
        mean, spread = cosines.mean(), max(float(cosines.std()), 1e-6)
        model = LogisticRegression().fit((cosines[:, None] - mean) / spread, labels)
        slope, offset = model.coef_[:, 0] / spread, model.intercept_
        if len(present) == 2:  # one logit, of the second label against the first
            slope, offset = np.array([-0.5, 0.5]) * slope, np.array([-0.5, 0.5]) * offset
        slopes[present], bias[present] = slope, offset - slope * mean
    absent = np.setdiff1d(np.arange(count), present)
    bias[absent] = (slopes[present][:, None] * cosines + bias[present][:, None]).min() - np.log(len(labels) + 1)
    return slopes, bias


def check_masks(features: Features, template: object) -> None:
    """ConfigError for the features of a template that does not give each of two texts as many masks of its own."""
    types = [features.token_type_ids[column] for column in features.mask_columns]
    half = len(types) // 2
    if types != [0] * half + [1] * half:
        raise ConfigError(
            "the pair head needs a template with as many masks beside each of two texts, those of the second with token type "
            f"1, got {template}; use {APART_PROMPT}"
        )


def apart(input_ids: paddle.Tensor, token_type_ids: paddle.Tensor, pad_id: int) -> paddle.Tensor:
    """[B, L] ids of two texts -> [2 B, L]: the first texts, and behind them the second ones, each with the other as padding.

    The first column, [CLS], is in both.
    """
    is_second, padding = token_type_ids > 0, paddle.full_like(input_ids, pad_id)
    behind = paddle.concat([input_ids[:, :1], paddle.where(is_second, input_ids, padding)[:, 1:]], axis=1)
    return paddle.concat([paddle.where(is_second, padding, input_ids), behind])


def _cosines(states: np.ndarray, center: np.ndarray) -> np.ndarray:
    """[N] cosines of the two texts of pairs, states [N, M E]."""
    texts = states.reshape([len(states), 2, -1]) - center
    texts = texts / np.maximum(np.linalg.norm(texts, axis=-1, keepdims=True), 1e-12)
    return (texts[:, 0] * texts[:, 1]).sum(axis=-1)
