"""A batch without its padding: where the rows of real tokens are in [B, L], for layers that work on them alone."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import paddle

from prompt_kit.training.cpu.dropout import DropoutMasks

_MASKED = -1e4  # what PaddleNLP adds to the attention logits of padding; exp of it is 0


class Packing:
    """Which positions of a batch hold a token.

    Args:
        is_token: [B, L] bool.
        masks: where the pass takes its dropout from.

    T is the number of tokens. Packed tensors are [T, H] or, cut into heads, [T * A, H / A]; those of attention are
    [B, A, L, H / A], where padding holds a copy of the first token, whose results nobody reads.
    """

    def __init__(self, is_token: np.ndarray, masks: DropoutMasks):
        self.is_token, self.masks = is_token, masks
        self.batch, self.length = is_token.shape
        self._heads: dict = {}

    @cached_property
    def _order(self) -> np.ndarray:
        """[B, L]: the packed row of each position, T for padding."""
        flat = self.is_token.reshape(-1)
        return np.where(flat, np.cumsum(flat) - 1, flat.sum()).reshape(self.is_token.shape)

    @cached_property
    def tokens(self) -> paddle.Tensor:
        """[T] int64: the positions in B * L that hold a token."""
        return paddle.to_tensor(np.flatnonzero(self.is_token))

    @cached_property
    def positions(self) -> paddle.Tensor:
        """[B * L] int64: the packed row of each position, 0 for padding."""
        return paddle.to_tensor(np.where(self.is_token, self._order, 0).reshape(-1))

    @cached_property
    def attention_mask(self) -> paddle.Tensor:
        """[B, 1, L] float32: what is added to attention logits."""
        return paddle.to_tensor(np.where(self.is_token, 0.0, _MASKED).astype("float32")[:, None])

    def rows(self, columns: paddle.Tensor) -> paddle.Tensor:
        """[B * M] int64: the packed rows at columns [B, M]."""
        return paddle.to_tensor(np.take_along_axis(self._order, columns.numpy(), axis=1).reshape(-1))

    def row_mask(self, width: int, p: float) -> paddle.Tensor:
        """[T, width]: a dropout mask."""
        return self.masks.draw([self.tokens.shape[0], width], p)

    def heads(self, count: int) -> HeadRows:
        """The indices for layers with `count` heads, made once a batch."""
        if count not in self._heads:
            self._heads[count] = HeadRows(self.is_token, self._order, count)
        return self._heads[count]


class HeadRows:
    """Indices between packed rows [T, H] and heads [B, A, L, H / A], as gathers of rows of H / A numbers.

    pick: three of [B * A * L], for query, key and value, into [T * 3 * A] rows; spread: [B * A * L] into T * A rows and
    one of zeros; collect: [T * A] into [B * A * L]. mask: [B, A, L, L] float32 for the attention logits, None if there
    is no padding; not broadcast, which Paddle does slowly.
    """

    def __init__(self, is_token: np.ndarray, order: np.ndarray, count: int):
        batch, length = is_token.shape
        total = int(is_token.sum())
        head = np.arange(count)[None, :, None]
        row = order[:, None, :]  # [B, 1, L]
        real = is_token[:, None, :]
        picked = np.where(real, row, 0) * 3 * count + head  # padding: the first token
        self.pick = [paddle.to_tensor((picked + part * count).reshape(-1)) for part in range(3)]
        self.spread = paddle.to_tensor(np.where(real, row * count + head, total * count).reshape(-1))
        first, column = np.nonzero(is_token)
        self.collect = paddle.to_tensor(
            ((first[:, None] * count + np.arange(count)) * length + column[:, None]).reshape(-1)
        )
        self.mask = None
        if total < is_token.size:
            mask = np.where(is_token, 0.0, _MASKED).astype("float32")[:, None, None, :]
            self.mask = paddle.to_tensor(np.ascontiguousarray(np.broadcast_to(mask, (batch, count, length, length))))
