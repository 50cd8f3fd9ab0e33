"""Compute the encoder's last layer for the mask rows alone: nothing else of its output is ever read.

Its keys and values still need every row, but query, attention output, feed-forward and norms run over [B, M] rows
instead of [B, L]: 10 of the layer's 12 H^2 multiplications a row, a fifth of a 4-layer model's work. Where the batch is
packed (training and evaluation on a CPU), the other 2 go too: a query of M rows is taken through the key's weights to
the rows it is compared with, and the average of rows through the value's, instead of all rows through both.
"""

from __future__ import annotations

from typing import Callable, Optional

import paddle
import paddle.nn.functional as F
from paddle import nn

from prompt_kit.training.cpu.packed_layer import PackedLayer, can_be_packed
from prompt_kit.training.cpu.packing import Packing


def take_rows(sequence: paddle.Tensor, columns: paddle.Tensor) -> paddle.Tensor:
    """[B, L, H] at columns [B, M] -> [B, M, H]."""
    return paddle.take_along_axis(sequence, columns.unsqueeze(-1), axis=1)


class MaskRowsLayer(nn.TransformerEncoderLayer):
    """A post-norm encoder layer [B, L, H] -> [B, M, H] at `columns()`, with the parameters of the layer it stands for.

    Where `columns()` is None it is that layer. Where there is a `packing()`, the input may be packed rows [T, H].
    """

    columns: Callable[[], Optional[paddle.Tensor]]
    packing: Callable[[], Optional[Packing]]

    def forward(self, src, src_mask=None, cache=None, output_attentions=False):
        columns, packing = self.columns(), self.packing()
        if columns is None:  # the language model is used by itself
            return super().forward(src, src_mask, cache, output_attentions)
        if packing is None:
            rows = take_rows(src, columns)
            out = self.self_attn(rows, src, src, src_mask)
        else:
            if src.ndim == 3:  # there is no layer before this one
                src = paddle.gather(src.reshape([-1, src.shape[-1]]), packing.tokens)
            rows = paddle.gather(src, packing.rows(columns)).reshape([*columns.shape, -1])
            out = self._attend(rows, src, packing)
        rows = self.norm1(rows + self.dropout1(out))
        inner = self.linear2(self.dropout(self.activation(self.linear1(rows))))
        return self.norm2(rows + self.dropout2(inner))

    def _attend(self, rows: paddle.Tensor, src: paddle.Tensor, packing: Packing) -> paddle.Tensor:
        """Attention of rows [B, M, H] to packed rows [T, H] of their own example, [B, M, H]."""
        attention = self.self_attn
        batch, queries, width = rows.shape
        heads, size = attention.num_heads, attention.head_dim
        by_head = [heads, batch * queries, -1]

        def of_example(tensor):  # [A, B * M, X] -> [B, A * M, X]
            return (
                tensor.reshape([heads, batch, queries, -1])
                .transpose([1, 0, 2, 3])
                .reshape([batch, -1, tensor.shape[-1]])
            )

        keys = paddle.gather(src, packing.positions).reshape([batch, -1, width])
        query = (
            (attention.q_proj(rows) * size**-0.5).reshape([-1, heads, size]).transpose([1, 0, 2])
        )  # [A, B * M, H / A]
        wanted = paddle.matmul(query, attention.k_proj.weight.reshape([width, heads, size]).transpose([1, 2, 0]))
        bias = paddle.matmul(query, attention.k_proj.bias.reshape([heads, size, 1]))  # of no consequence in a softmax
        logits = paddle.matmul(of_example(wanted), keys, transpose_y=True) + (of_example(bias) + packing.attention_mask)
        weights = F.softmax(logits)
        if self.training and attention.dropout:
            weights = weights * packing.masks.draw(weights.shape, attention.dropout)

        def of_head(tensor):  # [B, A * M, X] -> [A, B * M, X]
            return tensor.reshape([batch, heads, queries, -1]).transpose([1, 0, 2, 3]).reshape(by_head)

        average = of_head(paddle.matmul(weights, keys))  # [A, B * M, H]
        total = of_head(weights.sum(axis=-1, keepdim=True))  # 1 without dropout
        value = paddle.matmul(average, attention.v_proj.weight.reshape([width, heads, size]).transpose([1, 0, 2]))
        value = value + total * attention.v_proj.bias.reshape([heads, 1, size])
        return attention.out_proj(value.transpose([1, 0, 2]).reshape([batch, queries, width]))


def restrict_last_layer(
    encoder: nn.Layer,
    columns: Callable[[], Optional[paddle.Tensor]],
    packing: Callable[[], Optional[Packing]] = lambda: None,
) -> bool:
    """Make `encoder` (an ErnieModel, BertModel, …) give back the rows `columns()` [B, M] only: [B, M, H].

    Where `packing()` is not None, all its layers work on rows without padding.

    Returns False, and changes nothing, where the last layer is not Paddle's post-norm TransformerEncoderLayer (BERT's
    fused one, say); then the caller takes the rows of the output.
    """
    layers = getattr(getattr(encoder, "encoder", None), "layers", None)
    if layers is None or not len(layers):
        return False
    layer = layers[-1]
    if type(layer) is not nn.TransformerEncoderLayer or layer.normalize_before:
        return False
    packable = all(can_be_packed(each) for each in layers) and not getattr(encoder.encoder, "enable_recompute", False)
    for each in layers[:-1] if packable else ():
        each.__class__ = PackedLayer  # the object stays, so its parameters keep their names and their places
        each.packing = packing
    layer.__class__ = MaskRowsLayer
    layer.columns = columns
    layer.packing = packing if packable else lambda: None
    return True


def restore_layers(encoder: nn.Layer) -> None:
    """Undo `restrict_last_layer`."""
    layers = getattr(getattr(encoder, "encoder", None), "layers", None)
    for layer in layers or ():
        if isinstance(layer, (PackedLayer, MaskRowsLayer)):
            layer.__class__ = nn.TransformerEncoderLayer
            for name in ("columns", "packing"):
                layer.__dict__.pop(name, None)
