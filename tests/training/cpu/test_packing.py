"""Where the rows of real tokens are: every index of a batch of two lines by hand."""

from __future__ import annotations

import numpy as np
import paddle

from prompt_kit.training.cpu.dropout import DropoutMasks
from prompt_kit.training.cpu.packing import Packing

# a b .
# c . .
PACKING = Packing(np.array([[True, True, False], [True, False, False]]), DropoutMasks())


def test_tokens_and_where_they_are_packed():
    assert PACKING.tokens.tolist() == [0, 1, 3]
    assert PACKING.positions.tolist() == [0, 1, 0, 2, 0, 0]  # padding reads the first token
    assert PACKING.rows(paddle.to_tensor([[1], [0]])).tolist() == [1, 2]
    assert PACKING.attention_mask.tolist() == [[[0, 0, -1e4]], [[0, -1e4, -1e4]]]


def test_heads():
    """Two heads: a packed row [3 H] is 6 rows of H / 2 numbers, query 0 and 1, key 0 and 1, value 0 and 1."""
    heads = PACKING.heads(2)
    assert heads is PACKING.heads(2)
    query = [0, 6, 0, 1, 7, 1, 12, 0, 0, 13, 1, 1]  # line, head, position: a b . | a b . | c . . | c . .
    assert [pick.tolist() for pick in heads.pick] == [query, [i + 2 for i in query], [i + 4 for i in query]]
    assert heads.spread.tolist() == [0, 2, 6, 1, 3, 6, 4, 6, 6, 5, 6, 6]  # the row 6 is zeros
    assert heads.collect.tolist() == [0, 3, 1, 4, 6, 9]  # a's two heads, b's, c's
    assert heads.mask.shape == [2, 2, 3, 3] and heads.mask[1, 1, 2].tolist() == [0, -1e4, -1e4]


def test_without_padding_attention_needs_no_mask():
    assert Packing(np.ones((2, 2), dtype=bool), DropoutMasks()).heads(1).mask is None
