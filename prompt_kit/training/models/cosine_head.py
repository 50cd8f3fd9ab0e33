"""The cosine head: each label is a direction among the mask states, started from its words and its examples.

Label words are read as texts: they go through the same template and the same encoder as the texts they are compared
with. A label starts at the mean direction of its training examples and of its words, which count as `WORD_EXAMPLES` of
them, so with no example at all the words alone decide, and with many they hardly matter. Texts without labels say where
the states' mean is, soft k-means over them moves the labels' directions to where the texts are, and a ridge regression
on what it makes of the texts, and on the examples, turns the directions to where they tell the labels apart.

Sources: Wang et al., SimpleShot, 2019 (arXiv:1911.04623): centred and normalised states, nearest class mean; Qi et al.,
Low-Shot Learning with Imprinted Weights, CVPR 2018 (arXiv:1712.07136): class means as the weights of a cosine
classifier that is trained on; Bertinetto et al., Meta-learning with differentiable closed-form solvers, ICLR 2019
(arXiv:1805.08136): ridge regression as the classifier of a frozen encoder's few examples; Gidaris & Komodakis, Dynamic
Few-Shot Visual Learning without Forgetting, CVPR 2018 (arXiv:1804.09458): its learned temperature, which is fixed here.
Words as examples are ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from prompt_kit.inference.prototypes import WORD_EXAMPLES, unit
from prompt_kit.training.models.heads import HeadArrays

SCALE = 12.0  # logits a cosine, where no example says better: a softmax over cosines themselves is never certain
_SCALES = (2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)
_CENTER_TEXTS = 60.0  # examples that unlabelled texts are worth, however many, where the states' mean is looked for
_CENTER_NEUTRAL = 16.0  # and that neutral texts are worth, where there is no unlabelled one
_ROUNDS, _SHARPNESS = 10, 25.0  # of the soft k-means over unlabelled texts
_EXAMPLE_TEXTS = 3.0  # unlabelled texts that an example is worth in the regression
_RIDGE = 10.0  # of the regression: its penalty, in texts
_PRIOR = 0.5  # and the length of the directions that it starts from


class CosineHead(nn.Layer):
    """Label logits: scaled cosines between a text's centred mask states and one direction a label.

    [B, M, E] -> [B, D], D = M E -> [B, C]. All of it is kept with the model: prediction and export need no example.

    Args:
        num_masks: M.
        num_labels: C.
        width: E.
    """

    def __init__(self, num_masks: int, num_labels: int, width: int):
        super().__init__()
        size = num_masks * width
        self.center = self.create_parameter([size], is_bias=True)
        self.center.stop_gradient = True  # put where the texts are, and not learned
        self.weight = self.create_parameter([num_labels, size])
        self.bias = self.create_parameter([num_labels], is_bias=True)
        self.scale = self.create_parameter([1], default_initializer=nn.initializer.Constant(SCALE))
        self.scale.stop_gradient = True  # chosen at the start; trained, it would only grow

    def start_from(self, center: np.ndarray, directions: np.ndarray, scale: float = SCALE, bias: float = 0.0) -> None:
        """Put the origin at `center` [D], point label c to directions[c], of [C, D], and make a cosine `scale` logits, which
        `bias` is added to."""
        self.bias.set_value(np.full(self.bias.shape, bias, "float32"))
        self.scale.set_value(np.array([scale], "float32"))
        self.center.set_value(center.astype("float32"))
        self.weight.set_value(unit(directions).astype("float32"))

    def shift(self, bias: np.ndarray) -> None:
        """Add `bias` [C] to the label logits, for good."""
        self.bias.set_value(self.bias.numpy() + bias.astype("float32"))

    def arrays(self) -> HeadArrays:
        """The same as arrays."""
        directions = (self.scale * F.normalize(self.weight, axis=-1)).detach().numpy().T
        bias, center = self.bias.numpy(), self.center.numpy()
        return HeadArrays(np.zeros_like(directions), bias, center, np.ascontiguousarray(directions))

    def embed(self, states: paddle.Tensor) -> paddle.Tensor:
        """[B, M, E] transformed mask states -> [B, D], centred and of length 1."""
        return F.normalize(states.reshape([-1, self.weight.shape[1]]) - self.center, axis=-1)

    def forward(self, states: paddle.Tensor) -> paddle.Tensor:
        """[B, M, E] transformed mask states -> [B, C]."""
        cosines = paddle.matmul(self.embed(states), F.normalize(self.weight, axis=-1), transpose_y=True)
        return self.scale * cosines + self.bias


def word_directions(states: np.ndarray, words_of_label: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(directions [C, D] of the labels' words, from the mean [D] of the labels' states, and that mean).

    Args:
        states: [W, D] mask states of all label words, label by label.
        words_of_label: [C] how many of them each label has; the words of a label count alike.
    """
    labels = np.repeat(np.arange(len(words_of_label)), words_of_label)
    center = _class_means(states, labels).mean(axis=0)
    return unit(_class_means(unit(states - center), labels)), center


def combine(words: np.ndarray, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Directions [C, D] of labels: the mean of their examples' directions and of `WORD_EXAMPLES` times their words'.

    Args:
        words: [C, D] of length 1.
        examples: [N, D] centred states of length 1.
        labels: [N] label ids, or [N, C] weights of the labels.
    """
    weights = np.eye(len(words))[labels] if np.ndim(labels) == 1 else np.asarray(labels)
    return unit(weights.T @ examples + WORD_EXAMPLES * words)


def leave_one_out(words: np.ndarray, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[N, C] cosines of each example to the directions that `combine` makes without it.

    Args:
        words: [C, D] of length 1.
        examples: [N, D] centred states of length 1.
        labels: [N] label ids.
    """
    sums = np.eye(len(words))[labels].T @ examples + WORD_EXAMPLES * words
    scores = examples @ unit(sums).T
    scores[np.arange(len(labels)), labels] = (examples * unit(sums[labels] - examples)).sum(axis=1)
    return scores


def best_scale(cosines: np.ndarray, labels: np.ndarray) -> float:
    """The logits a cosine that make the labels [N] most probable, given cosines [N, C] of examples that were left out.

    Source: temperature scaling, Guo et al., ICML 2017 (arXiv:1706.04599), over a short list.
    """

    def loss(scale: float) -> float:
        logits = scale * cosines
        shifted = logits - logits.max(axis=1, keepdims=True)
        return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean())

    return min(_SCALES, key=loss)


def center_of(examples: np.ndarray, unlabelled: np.ndarray, neutral: np.ndarray) -> np.ndarray:
    """The mean state [D] of a task's texts: of N examples [N, D] and unlabelled texts [U, D], both of which may be none.

    Few examples say little of the mean: the texts count as `_CENTER_TEXTS` examples, or without them texts that name no
    task, [K, D], as `_CENTER_NEUTRAL`. Where there is nothing else, the examples alone say it.
    """
    if not len(unlabelled) and not len(neutral):
        return examples.mean(axis=0)
    others, weight = (unlabelled, _CENTER_TEXTS) if len(unlabelled) else (neutral, _CENTER_NEUTRAL)
    return (examples.sum(axis=0) + weight * others.mean(axis=0)) / (len(examples) + weight)


def cluster(start: np.ndarray, texts: np.ndarray, examples_a_label: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """(directions [C, D] of labels, each text's shares [U, C] of them): soft k-means that stays near where it starts.

    A label that takes many texts is held back by the square root of how many (a half of one step of Sinkhorn's
    normalisation, which Caron et al., SwAV, NeurIPS 2020, arXiv:2006.09882 use whole): without that, the label whose words
    suit any text takes the others' texts; with all of it, labels that are rare take texts that are not theirs.

    Args:
        start: [C, D] of length 1, of words and examples.
        texts: [U, D] centred states of length 1.
        examples_a_label: how many there are; 16 are worth the texts.
    """
    directions, trust = start, 1.0 + examples_a_label / 16
    for _ in range(_ROUNDS):
        scores = _SHARPNESS * texts @ directions.T
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        shares /= np.sqrt(np.maximum(shares.sum(axis=0), 1e-12))
        shares /= shares.sum(axis=1, keepdims=True)
        directions = unit(unit(shares.T @ texts) + trust * start)
    return directions, shares


def refit(
    directions: np.ndarray, texts: np.ndarray, shares: np.ndarray, examples: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Directions [C, D] that tell the labels apart: ridge regression on texts and examples, from where they are.

    It minimises g |r - 1 / C - B x|^2, summed over texts x with their shares r (g = 1) and examples with their labels
    (g = _EXAMPLE_TEXTS), plus _RIDGE |B - _PRIOR directions|^2. B's rows are returned at length 1: their lengths say
    how frequent a label is among the texts, which need not be so later.

    Args:
        directions: [C, D] of length 1.
        texts, shares: [U, D] centred states of length 1, and [U, C].
        examples, labels: [N, D] centred states of length 1, and [N] label ids or [N, C] weights of the labels.
    """
    count = len(directions)
    known = np.eye(count)[labels] if np.ndim(labels) == 1 else np.asarray(labels)
    inputs = np.concatenate([examples, texts]).astype("float64")
    weighted = inputs.T * np.concatenate([np.full(len(examples), _EXAMPLE_TEXTS), np.ones(len(texts))])
    start = _PRIOR * directions
    missing = np.concatenate([known, shares]) - 1 / count - inputs @ start.T
    change = np.linalg.solve(weighted @ inputs + _RIDGE * np.eye(inputs.shape[1]), weighted @ missing)
    return unit(start + change.T)


def _class_means(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[N, D] and label ids [N] -> [C, D]; every label has a vector."""
    return np.stack([vectors[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
