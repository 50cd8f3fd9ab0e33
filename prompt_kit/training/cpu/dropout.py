"""Dropout for training on a CPU: Paddle draws its masks number by number, ten times slower than the numbers can be had.

A stream of 16-bit random numbers is drawn as 64-bit ones by numpy's SFC64, and compared with p * 65536. The stream is
started from Paddle's own generator, so `paddle.seed` decides it, and a run that is resumed sees the same masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

_RANGE = 1 << 16


class DropoutMasks:
    """Masks of one model's passes, each of which begins with `restart()`.

    Args:
        fast: False takes Paddle's own masks instead.
    """

    def __init__(self, fast: bool = True):
        self._fast = fast
        self._generator: Optional[np.random.Generator] = None

    def restart(self) -> None:
        """Let the next mask begin a new stream, at a point that Paddle's generator gives."""
        self._generator = None

    def draw(self, shape: Sequence[int], p: float) -> paddle.Tensor:
        """float32: 0 with probability p, to 1/65536, else the inverse of the probability to keep."""
        if not self._fast:
            return F.dropout(paddle.ones(shape), p)
        if self._generator is None:
            seed = paddle.randint(0, np.iinfo("int32").max, [2], dtype="int32").numpy()
            self._generator = np.random.Generator(np.random.SFC64(seed.tolist()))
        size, threshold = int(np.prod(shape)), round(p * _RANGE)
        if threshold >= _RANGE:
            return paddle.zeros(shape)
        numbers = self._generator.integers(0, 2**64, -(-size // 4), dtype=np.uint64).view(np.uint16)[:size]
        mask = (numbers >= threshold).astype("float32")
        mask *= np.float32(_RANGE / (_RANGE - threshold))
        return paddle.to_tensor(mask.reshape(shape))


class FastDropout(nn.Dropout):
    """nn.Dropout that takes its masks from `masks`, on a CPU; elsewhere, and in a static graph, it is Paddle's."""

    masks: DropoutMasks

    def forward(self, input):  # noqa: A002  Paddle's name
        if not (self.training and self.p and paddle.in_dynamic_mode() and input.place.is_cpu_place()):
            return super().forward(input)
        return input * self.masks.draw(input.shape, self.p).astype(input.dtype)


def speed_up_dropout(model: nn.Layer, masks: DropoutMasks) -> None:
    """Have every nn.Dropout in `model` take its masks from `masks`."""
    for layer in model.sublayers():
        if type(layer) is nn.Dropout and layer.mode == "upscale_in_train" and layer.axis is None:
            layer.__class__ = FastDropout  # the object stays where it is
            layer.masks = masks


def slow_down_dropout(model: nn.Layer) -> None:
    """Give every FastDropout in `model` Paddle's masks back."""
    for layer in model.sublayers():
        if type(layer) is FastDropout:
            layer.__class__ = nn.Dropout
            del layer.masks
