"""What an objective is: one term of the training loss, and what it needs of a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import paddle

from prompt_kit.training.loop.batching import SeededBatchSampler


@dataclass(frozen=True)
class Forward:
    """What the model made of one batch, in P passes that differ by dropout, one after the other in the first dimension.

    logits: [P B, C] label logits.
    states: [P B, M, H] encoder states that the head reads.
    labels: [P B] int64 label ids; of examples with probabilities, the most probable label.
    targets: what the cross-entropy compares with: the label ids [P B], or probabilities [P B, C].
    passes: P.
    """

    logits: paddle.Tensor
    states: paddle.Tensor
    labels: paddle.Tensor
    targets: paddle.Tensor
    passes: int = 1

    @property
    def batch(self) -> int:
        """B, the examples of the batch."""
        return self.logits.shape[0] // self.passes


class Objective:
    """A term of the training loss. A new one is a file of its own, and a line in choice.py.

    Args:
        weight: factor of the term; a term of weight 0 is not computed.
    """

    passes = 1  # forward passes over the batch that the term needs

    def __init__(self, weight: float = 1.0):
        self.weight = weight

    def loss(self, model, forward: Forward) -> paddle.Tensor:
        """The term, a scalar, without its weight."""
        raise NotImplementedError

    def sampler(self, labels: list, batch_size: int, seed: int, **options) -> Optional[SeededBatchSampler]:
        """Batches that the term needs, or None if any will do. `options` are those of SeededBatchSampler."""
        return None
