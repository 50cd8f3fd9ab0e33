"""The prototypical verbalizer: label words, and beside them a prototype of each label's own examples.

Sources: Cui et al., Prototypical Verbalizer for Prompt-based Few-shot Tuning, ACL 2022 (arXiv:2203.09770): prototypes
learned by a contrastive loss on mask states, together with label words; Snell et al., Prototypical Networks for Few-shot
Learning, NeurIPS 2017 (arXiv:1703.05175): a prototype is the mean of its examples, and training is by episodes, which
take the place of ProtoVerb's loss between examples (objectives/prototype.py). Starting the prototypes at the means, in
the space that the pretrained head projects to, and mixing them in from zero is ours.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from prompt_kit.training.models.heads import HeadArrays, ManualHead

SCALE = 20.0  # logits a cosine: a softmax over cosines themselves could never be certain
_MIX_RATE = 5.0  # `mix` is learned at the head's rate, but has to get somewhere within a few epochs
# A cosine knows no length, but Adam's steps are equally long for any: at 1, prototypes leave their means too fast.
_LENGTH = 4.0


class PrototypeHead(nn.Layer):
    """Label logits: the pretrained head's for the label words, plus `mix` times a scaled cosine to each prototype.

    A mask state is centred and scaled to length 1 before it is compared: [B, M, E] -> [B, D], D = M E. `mix` starts at
    0, so the first prediction is the manual head's whatever the prototypes are: the label words' decoder rows until
    `start_from_examples` puts them at the training examples. All of them are parameters: a saved or exported model needs
    no example.

    Args:
        manual: the head of the label words, which goes on sharing the language model's decoder.
        num_masks: M.
        num_labels: C.
        width: E.
    """

    cosine_scale = SCALE

    def __init__(self, manual: ManualHead, num_masks: int, num_labels: int, width: int):
        super().__init__()
        self.manual = manual
        size = num_masks * width
        self.center = self.create_parameter([size], is_bias=True)
        self.center.stop_gradient = True  # put where the examples are, and not learned
        self.prototypes = self.create_parameter([num_labels, size])
        rows = manual.rows()[0].detach()  # [M, C, E]
        self.prototypes.set_value(rows.transpose([1, 0, 2]).reshape([num_labels, size]))
        self.mix = self.create_parameter([1], default_initializer=nn.initializer.Constant(0.0))

    def shift(self, bias: np.ndarray) -> None:
        """Add `bias` [C] to the label logits, for good."""
        self.manual.shift(bias)

    @property
    def started(self) -> bool:
        """Whether training has mixed the prototypes in; until then nothing depends on them."""
        return bool(self.mix.numpy().any())

    def start_from_examples(self, states: paddle.Tensor, labels: np.ndarray) -> None:
        """Centre the space on the examples, and point each prototype to the mean of its label's.

        Args:
            states: [N, M, E] transformed mask states.
            labels: [N] label ids; a label without examples keeps its words' rows.
        """
        with paddle.no_grad():
            self.center.set_value(self._flat(states).mean(axis=0))
            unit = self.embed(states).numpy()
        prototypes = self.prototypes.numpy()
        for label in np.unique(labels):
            prototypes[label] = _LENGTH * unit[labels == label].mean(axis=0)
        self.prototypes.set_value(prototypes)

    def _flat(self, states: paddle.Tensor) -> paddle.Tensor:
        """[B, M, E] -> [B, D], the masks side by side."""
        return states.reshape([-1, self.prototypes.shape[1]])

    def embed(self, states: paddle.Tensor) -> paddle.Tensor:
        """[B, M, E] transformed mask states -> [B, D], each of length 1."""
        return F.normalize(self._flat(states) - self.center, axis=-1)

    def scores(self, embedded: paddle.Tensor) -> paddle.Tensor:
        """[B, D] -> [B, C]: scaled cosines to the prototypes."""
        return self.cosine_scale * paddle.matmul(embedded, F.normalize(self.prototypes, axis=-1), transpose_y=True)

    def arrays(self) -> HeadArrays:
        """The same as arrays."""
        scale = _MIX_RATE * self.mix * self.cosine_scale
        directions = (scale * F.normalize(self.prototypes, axis=-1)).detach().numpy().T
        return replace(self.manual.arrays(), center=self.center.numpy(), directions=np.ascontiguousarray(directions))

    def forward(self, states: paddle.Tensor) -> paddle.Tensor:
        """[B, M, E] transformed mask states -> [B, C]."""
        return self.manual(states) + _MIX_RATE * self.mix * self.scores(self.embed(states))
