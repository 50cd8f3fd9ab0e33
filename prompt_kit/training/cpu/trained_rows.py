"""Train only those rows of the word embeddings that occur in the training data.

A few-shot training set has a thousand different tokens; a vocabulary has 40,000. The gradient of all other rows is zero
at every step, and so are their moments: without weight decay AdamW never moves them. Leaving them out changes nothing
but the time, most of which is otherwise spent on adding, squaring and dividing zeros.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Optional

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from prompt_kit.errors import ConfigError


class TrainedRows:
    """A parameter [R, E] in the place of the word embeddings' [V, E] while training steps are computed.

    Args:
        embedding: the layer of the word embeddings, an nn.Embedding or a PromptEmbedding.
        ids: all token ids that training steps can look up.

    `parameter` belongs to the optimizer, not to the model; RowsAdamW writes it into the table after each step, so the
    table is always what it would have been.
    """

    def __init__(self, embedding: nn.Layer, ids: Iterable[int]):
        if type(embedding) is nn.Embedding:
            embedding.__class__ = RowsEmbedding  # the object stays where it is
        self.embedding, self.table = embedding, embedding.weight
        rows = np.unique(np.fromiter(ids, "int64"))
        self.rows = paddle.to_tensor(rows)
        self._numbers = np.full(self.table.shape[0], -1, "int64")
        self._numbers[rows] = np.arange(len(rows))
        padding = embedding._padding_idx
        self._padding = -1 if padding is None or padding < 0 else int(self._numbers[padding])
        self.parameter = paddle.create_parameter(
            [len(rows), self.table.shape[1]], "float32", default_initializer=nn.initializer.Constant(0.0)
        )
        self.read()

    def __len__(self) -> int:
        return self.parameter.shape[0]

    def read(self) -> None:
        """Take the rows from the table, which may have been loaded since."""
        with paddle.no_grad():
            paddle.assign(paddle.gather(self.table, self.rows), self.parameter)

    def write(self) -> None:
        """Put the rows into the table."""
        with paddle.no_grad():
            paddle.scatter_(self.table, self.rows, self.parameter)

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Context in which the layer looks up these rows, and they get the gradient."""
        self.read()
        self.embedding.rows = self
        try:
            yield
        finally:
            self.embedding.rows = None

    def look_up(self, ids: paddle.Tensor) -> paddle.Tensor:
        """[B, L] token ids -> [B, L, E]."""
        numbers = self._numbers[ids.numpy()]
        if numbers.min(initial=0) < 0:
            raise ConfigError(
                f"token {int(ids.numpy()[numbers < 0][0])} is in none of the examples that the optimizer was made for; "
                "train on other examples with a new PromptTrainer"
            )
        padding = self._padding if self._padding >= 0 else None
        return F.embedding(paddle.to_tensor(numbers), self.parameter, padding_idx=padding)

    def expand(self, array: np.ndarray) -> np.ndarray:
        """[R, E] of the optimizer -> [V, E] as it would be for the whole table; other shapes as they are."""
        if list(array.shape) != self.parameter.shape:
            return array
        whole = np.zeros(self.table.shape, array.dtype)
        whole[self.rows.numpy()] = array
        return whole

    def select(self, array: np.ndarray) -> np.ndarray:
        """The inverse of `expand`."""
        return array[self.rows.numpy()] if list(array.shape) == self.table.shape else array


class RowsEmbedding(nn.Embedding):
    """nn.Embedding that looks its vectors up in `rows`, if there are any."""

    rows: Optional[TrainedRows] = None

    def forward(self, x):
        return super().forward(x) if self.rows is None else self.rows.look_up(x)


class RowsAdamW(paddle.optimizer.AdamW):
    """AdamW that puts `rows`, if there are any, into the table after each step."""

    rows: Optional[TrainedRows] = None

    def step(self):
        super().step()
        if self.rows is not None:
            self.rows.write()
