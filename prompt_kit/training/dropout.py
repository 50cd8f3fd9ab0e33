"""Dropout masks for layers that multiply by them."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F


class DropoutMasks:
    """Masks from Paddle's generator: those that its own layers would draw."""

    def draw(self, shape: Sequence[int], p: float) -> paddle.Tensor:
        """float32: 0 with probability p, else the inverse of the probability to keep."""
        return F.dropout(paddle.ones(shape), p)
