"""Fill the mask of each example with each label word: [B, L] -> [B K, L], as tensor operations that export to ONNX."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import paddle
from paddle import nn

from prompt_kit.prompt.verbalizer import LabelTokens


@dataclass(frozen=True)
class WordList:
    """The K label words one after the other, and what a number for each of their tokens is worth to the labels.

    ids: [K, T] int64, padded with 0; lengths: [K], tokens of each word; weights: [K, T] float32, summing to 1 over the
    words of a label: the mean over words of the mean over tokens; labels: [K], the label that each word is of.
    """

    ids: np.ndarray
    lengths: np.ndarray
    weights: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, tokens: LabelTokens) -> WordList:
        """Of the table [C, W, T] for one mask."""
        real = tokens.weights > 0
        label, word = np.nonzero(real.any(axis=2))
        return cls(tokens.ids[label, word], real[label, word].sum(axis=1), tokens.weights[label, word], label)

    @property
    def longest(self) -> int:
        """T."""
        return self.ids.shape[1]


class MaskFilling(nn.Layer):
    """Writes each label word into the T masks of each example. What follows a shorter word moves up to it.

    So position n of a filled input is the n-th token of the sentence with the word in it, as if it had been tokenized
    with the word; the row ends with padding.

    Args:
        words: K words of at most T tokens.
        pad_id: of the tokenizer.
    """

    def __init__(self, words: WordList, pad_id: int):
        super().__init__()
        self.pad_id = pad_id
        self._count, self._longest = words.ids.shape
        lengths = words.lengths[:, None]
        # A word's tokens, counted from its first one; behind its last one that again, whose weight is 0.
        offsets = np.minimum(np.arange(self._longest), lengths - 1)
        for name, array in (("_ids", words.ids), ("_lengths", lengths), ("_offsets", offsets)):
            self.register_buffer(name, paddle.to_tensor(array[None].astype("int64")), persistable=False)

    def forward(self, input_ids, token_type_ids, mask_columns) -> tuple:
        """Filled ids and token types [B K, L], and the columns [B K, T] of the words' tokens.

        Args:
            input_ids, token_type_ids: [B, L] int64.
            mask_columns: [B, T] int64, T neighbouring columns.
        """
        first = mask_columns[:, :1].unsqueeze(1)  # [B, 1, 1]
        here = (paddle.cumsum(paddle.ones_like(input_ids), axis=-1) - 1).unsqueeze(1)  # [B, 1, L]
        place = here - first  # 0 at the first mask
        end = place - self._lengths  # [B, K, L], 0 at the first token behind the word
        missing = self._longest - self._lengths  # [1, K, 1]
        source = here + paddle.where(end >= 0, missing, paddle.zeros_like(missing)).astype("int64")
        size = paddle.ones_like(input_ids).sum(axis=-1, keepdim=True).unsqueeze(1)  # [B, 1, 1]
        inside = source < size
        source = paddle.minimum(source, size - 1)
        ids = self._take(input_ids, source)
        types = self._take(token_type_ids, source)
        ids = paddle.where(inside, ids, paddle.full_like(ids, self.pad_id))
        types = paddle.where(inside, types, paddle.zeros_like(types))
        in_word = paddle.clip(place, 0, self._longest - 1) + paddle.zeros_like(source)  # [B, K, L]
        table = self._ids + paddle.zeros_like(first)  # [B, K, T]
        word = paddle.take_along_axis(table, in_word, axis=2)
        ids = paddle.where((place >= 0) & (end < 0), word, ids)
        columns = first + self._offsets
        return ids.flatten(0, 1), types.flatten(0, 1), columns.flatten(0, 1)

    def _take(self, rows: paddle.Tensor, source: paddle.Tensor) -> paddle.Tensor:
        """[B, L] at [B, K, L] -> [B, K, L]."""
        return paddle.take_along_axis(rows.unsqueeze(1).tile([1, self._count, 1]), source, axis=2)
