"""From mask states to label logits, without ever computing the logits of the whole vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from prompt_kit.errors import ConfigError
from prompt_kit.prompt.verbalizer import LabelTokens

HEADS = ("cosine", "soft", "manual", "prototype")


@dataclass(frozen=True)
class HeadArrays:
    """What any head here computes, as arrays: of x, the mask states [B, D] side by side, D = M E, the label logits

        x weight + bias + unit(x - center) directions

    weight, directions: [D, C]; bias: [C]; center: [D]; all float32.
    """

    weight: np.ndarray
    bias: np.ndarray
    center: np.ndarray
    directions: np.ndarray

    @classmethod
    def linear(cls, rows: paddle.Tensor, bias: paddle.Tensor) -> HeadArrays:
        """Of rows [M, C, E] and bias [C]."""
        masks, labels, width = rows.shape
        weight = rows.detach().transpose([0, 2, 1]).reshape([masks * width, labels]).numpy()
        return cls(weight, bias.detach().numpy(), np.zeros(len(weight), "float32"), np.zeros_like(weight))


@dataclass(frozen=True)
class MaskedLMHead:
    """What a pretrained masked-language-model head is made of.

    transform: [..., H] -> [..., E]; embedding weight [V, E] and bias [V] project to the vocabulary.
    """

    transform: Callable[[paddle.Tensor], paddle.Tensor]
    weight: Callable[[], paddle.Tensor]
    bias: Callable[[], paddle.Tensor]


def masked_lm_head(backbone: nn.Layer) -> MaskedLMHead:
    """The head of a PaddleNLP ERNIE, BERT, RoBERTa or ELECTRA-generator `…ForMaskedLM`."""
    if hasattr(backbone, "cls"):  # ERNIE, BERT
        head = backbone.cls.predictions
        return MaskedLMHead(
            lambda states: head.layer_norm(head.activation(head.transform(states))),
            lambda: head.decoder.weight,  # the word embeddings' parameter itself, unless the model unties them
            lambda: head.decoder.bias,
        )
    if hasattr(backbone, "lm_head"):  # RoBERTa
        head = backbone.lm_head
        return MaskedLMHead(
            lambda states: head.layer_norm(F.gelu(head.dense(states))),
            lambda: head.decoder.weight,
            lambda: head.decoder.bias,
        )
    if hasattr(backbone, "generator_predictions"):  # ELECTRA generator
        embedding = backbone.get_input_embeddings()  # PaddleNLP's generator always ties them
        return MaskedLMHead(
            backbone.generator_predictions, lambda: embedding.weight, lambda: backbone.generator_lm_head_bias
        )
    raise ConfigError(f"{type(backbone).__name__} has no masked-language-model head that prompt-kit knows")


class ManualHead(nn.Layer):
    """Label logits from the pretrained head: the (mean) log-probability of each label's words, up to a constant.

    One mask: the mean over words of the mean over their tokens. M masks: the mean over words of the sum of their
    tokens' log-probabilities; the normaliser is the same for all labels and is left out.

    Args:
        lm_head: the pretrained head.
        tokens: ids and weights [C, W, T].
        num_masks: M.
        centred: less their mean over the labels (the centred log-ratio of Aitchison, The Statistical Analysis of
            Compositional Data, 1986), which takes away what all labels of a text have in common, the normaliser among it. A
            softmax is the same; a sigmoid, which asks for each label by itself, has its zero at the labels' mean.
    """

    _offset: Optional[paddle.Tensor]  # [C]

    def __init__(self, lm_head: MaskedLMHead, tokens: LabelTokens, num_masks: int, centred: bool = False):
        super().__init__()
        self._centred = centred
        self._lm_head = lm_head
        self._shape = tokens.ids.shape
        self._num_masks = num_masks
        self.register_buffer("_ids", paddle.to_tensor(tokens.ids.reshape(-1)), persistable=False)
        self.register_buffer("_weights", paddle.to_tensor(tokens.weights.reshape(-1, 1)), persistable=False)
        self.register_buffer("_offset", None, persistable=False)

    def shift(self, bias: np.ndarray) -> None:
        """Add `bias` [C] to the label logits, for good."""
        offset = bias if self._offset is None else self._offset.numpy() + bias
        self._offset = paddle.to_tensor(offset.astype("float32"))

    def rows(self) -> tuple:
        """(weight [M, C, E], bias [C]) of the equivalent linear layer, as differentiable functions of the backbone."""
        labels, words, length = self._shape
        vectors = F.embedding(self._ids, self._lm_head.weight()).astype("float32") * self._weights
        vectors = vectors.reshape([labels, words, length, -1])
        if self._num_masks == 1:
            weight = vectors.sum(axis=[1, 2]).unsqueeze(0)
        else:
            # transpose, not reshape: PaddleNLP's SoftVerbalizer reshapes here, and hands labels each other's words
            weight = vectors.sum(axis=1).transpose([1, 0, 2])
        bias = paddle.gather(self._lm_head.bias(), self._ids).astype("float32") * self._weights.squeeze(-1)
        bias = bias.reshape([labels, words * length]).sum(axis=1)
        if self._centred:
            weight, bias = weight - weight.mean(axis=1, keepdim=True), bias - bias.mean(axis=0, keepdim=True)
        return weight, bias if self._offset is None else bias + self._offset

    def arrays(self) -> HeadArrays:
        """The same as arrays."""
        return HeadArrays.linear(*self.rows())

    def forward(self, states: paddle.Tensor) -> paddle.Tensor:
        """[B, M, E] transformed mask states -> [B, C]."""
        return project(states, *self.rows())


class SoftHead(nn.Layer):
    """One learnable vector a label and mask [M, C, E] and a bias [C], started from the label words' rows of the
    pretrained decoder, so that the first prediction is the manual head's.

    Source: Hambardzumyan et al., WARP, ACL 2021 (arXiv:2101.00121), the verbalizer; one vector a mask position is ours.
    """

    def __init__(self, num_masks: int, num_labels: int, width: int):
        super().__init__()
        self.weight = self.create_parameter([num_masks, num_labels, width])
        self.bias = self.create_parameter([num_labels], is_bias=True)

    def start_from(self, manual: ManualHead) -> None:
        """Copy the rows of a manual head."""
        weight, bias = manual.rows()
        self.weight.set_value(weight.detach())
        self.bias.set_value(bias.detach())

    def shift(self, bias: np.ndarray) -> None:
        """Add `bias` [C] to the label logits, for good."""
        self.bias.set_value(self.bias.numpy() + bias.astype("float32"))

    def rescale(self, scale: float, bias: float) -> None:
        """Make every label logit z `scale * z + bias`."""
        self.weight.set_value(scale * self.weight)
        self.bias.set_value(scale * self.bias + bias)

    def arrays(self) -> HeadArrays:
        """The same as arrays."""
        return HeadArrays.linear(self.weight, self.bias)

    def forward(self, states: paddle.Tensor) -> paddle.Tensor:
        """[B, M, E] transformed mask states -> [B, C]."""
        return project(states, self.weight, self.bias)


class LinearHead(nn.Layer):
    """Dropout and a linear classifier on the state of [CLS], random at the start: what fine-tuning adds."""

    def __init__(self, width: int, num_labels: int, dropout: float, spread: float = 0.02):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, num_labels, weight_attr=nn.initializer.Normal(0.0, spread))

    def forward(self, states: paddle.Tensor) -> paddle.Tensor:
        """[B, 1, H] -> [B, C]."""
        return self.linear(self.dropout(states.squeeze(1)))


def project(states: paddle.Tensor, weight: paddle.Tensor, bias: paddle.Tensor) -> paddle.Tensor:
    """[B, M, E] x [M, C, E] + [C] -> [B, C]: the sum over masks of the dot products."""
    num_masks, labels, width = weight.shape
    flat = weight.transpose([1, 0, 2]).reshape([labels, num_masks * width])
    return paddle.matmul(states.reshape([-1, num_masks * width]), flat, transpose_y=True) + bias
