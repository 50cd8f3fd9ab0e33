"""An encoder layer for training on a CPU: on the rows of real tokens alone, with a backward pass written by hand.

A batch of headlines is a quarter padding; only attention needs it. Paddle's own layer copies for every reshape and
transpose, and spends more on the gradients of GELU and layer norm than on a matrix product. The formulas are the same.
"""

from __future__ import annotations

import math
from typing import Callable, Optional

import paddle
import paddle.nn.functional as F
from paddle import _C_ops, nn
from paddle.autograd import PyLayer

from prompt_kit.training.cpu.packing import Packing


class PackedLayer(nn.TransformerEncoderLayer):
    """A post-norm encoder layer on packed rows [T, H], with the parameters of the layer it stands for.

    Given [B, L, H], it packs. Where `packing()` is None it is that layer.
    """

    packing: Callable[[], Optional[Packing]]

    def forward(self, src, src_mask=None, cache=None, output_attentions=False):
        packing = self.packing()
        if packing is None:
            return super().forward(src, src_mask, cache, output_attentions)
        if src.ndim == 3:
            src = paddle.gather(src.reshape([-1, src.shape[-1]]), packing.tokens)
        return _Layer.apply(src, *parameters(self), self, packing)


def parameters(layer: nn.TransformerEncoderLayer) -> list:
    """The 16 parameters, in the order in which _Layer wants them."""
    attention = layer.self_attn
    parts = (attention.q_proj, attention.k_proj, attention.v_proj, attention.out_proj, layer.norm1, layer.linear1,
             layer.linear2, layer.norm2)  # fmt: skip
    return [parameter for part in parts for parameter in (part.weight, part.bias)]


def can_be_packed(layer: nn.Layer) -> bool:
    """Whether it is what _Layer computes: Paddle's post-norm layer with GELU or ReLU, a bias everywhere and no prefix."""
    return (
        type(layer) is nn.TransformerEncoderLayer
        and type(layer.self_attn) is nn.MultiHeadAttention
        and not layer.normalize_before
        and layer.activation in (F.gelu, F.relu)
        and all(parameter is not None for parameter in parameters(layer))
    )


class _Layer(PyLayer):
    """[T, H] -> [T, H]."""

    @staticmethod
    def forward(ctx, x, wq, bq, wk, bk, wv, bv, wo, bo, g1, b1, w1, c1, w2, c2, g2, b2, layer, packing):
        attention, training = layer.self_attn, layer.training
        heads = packing.heads(attention.num_heads)
        shape = [packing.batch, attention.num_heads, packing.length, attention.head_dim]
        scale = attention.head_dim**-0.5

        def mask_for(rows, p):
            return packing.row_mask(rows.shape[1], p) if training and p else None

        w = paddle.concat([wq * scale, wk, wv], axis=1)
        qkv = paddle.matmul(x, w).add_(paddle.concat([bq * scale, bk, bv])).reshape([-1, attention.head_dim])
        q, k, v = (paddle.gather(qkv, index).reshape(shape) for index in heads.pick)
        logits = paddle.matmul(q, k, transpose_y=True)
        weights = F.softmax(logits if heads.mask is None else logits.add_(heads.mask))
        m0 = packing.masks.draw(shape[:3] + shape[2:3], attention.dropout) if training and attention.dropout else None
        dropped = weights if m0 is None else weights * m0
        o = paddle.gather(paddle.matmul(dropped, v).reshape([-1, attention.head_dim]), heads.collect).reshape(x.shape)
        a, m1 = _add(x, paddle.matmul(o, wo).add_(bo), mask_for(x, layer.dropout1.p))
        h = layer.norm1(a)
        f = paddle.matmul(h, w1).add_(c1)
        u, slope = _activate(f, layer.activation)
        m3 = mask_for(u, layer.dropout.p)
        u = u if m3 is None else u.multiply_(m3)
        z, m2 = _add(h, paddle.matmul(u, w2).add_(c2), mask_for(x, layer.dropout2.p))
        ctx.saved = (x, w, q, k, v, weights, dropped, o, a, h, f, slope, u, z)
        ctx.masks, ctx.layer, ctx.heads, ctx.scale = (m0, m1, m2, m3), layer, heads, scale
        ctx.wanted = [not p.stop_gradient for p in (x, wq, bq, wk, bk, wv, bv, wo, bo, g1, b1, w1, c1, w2, c2, g2, b2)]
        return layer.norm2(z)

    @staticmethod
    def backward(ctx, dy):
        x, w, q, k, v, weights, dropped, o, a, h, f, slope, u, z = ctx.saved
        m0, m1, m2, m3 = ctx.masks
        layer, heads, scale = ctx.layer, ctx.heads, ctx.scale
        _, _, _, _, _, _, wo, _, g1, _, w1, _, w2, _, g2, _ = parameters(layer)
        size = q.shape[-1]
        ctx.saved = None

        dz, dg2, db2 = _layer_norm_gradient(dy, z, g2, layer.norm2._epsilon)
        dout = dz if m2 is None else dz * m2
        dw2, dc2 = paddle.matmul(u, dout, transpose_x=True), _sum_rows(dout)
        du = paddle.matmul(dout, w2, transpose_y=True)
        du = du if m3 is None else du.multiply_(m3)
        df = _activation_gradient(du, f, slope, layer.activation)
        dw1, dc1 = paddle.matmul(h, df, transpose_x=True), _sum_rows(df)
        dh = paddle.matmul(df, w1, transpose_y=True).add_(dz)

        da, dg1, db1 = _layer_norm_gradient(dh, a, g1, layer.norm1._epsilon)
        dout = da if m1 is None else da * m1
        dwo, dbo = paddle.matmul(o, dout, transpose_x=True), _sum_rows(dout)
        do = paddle.matmul(dout, wo, transpose_y=True).reshape([-1, size])
        do = paddle.gather(paddle.concat([do, paddle.zeros([1, size])]), heads.spread).reshape(q.shape)
        dv = paddle.matmul(dropped, do, transpose_x=True)
        dweights = paddle.matmul(do, v, transpose_y=True)
        dweights = dweights if m0 is None else dweights.multiply_(m0)
        dlogits = _C_ops.softmax_grad(weights, dweights, -1)
        dq, dk = paddle.matmul(dlogits, k), paddle.matmul(dlogits, q, transpose_x=True)
        dqkv = paddle.concat(
            [paddle.gather(part.reshape([-1, size]), heads.collect).reshape(x.shape) for part in (dq, dk, dv)], axis=1
        )
        dw, db = paddle.matmul(x, dqkv, transpose_x=True), _sum_rows(dqkv)
        dx = paddle.matmul(dqkv, w, transpose_y=True).add_(da)
        dwq, dwk, dwv = paddle.split(dw, 3, axis=1)
        dbq, dbk, dbv = paddle.split(db, 3)
        gradients = (dx, dwq.scale_(scale), dbq.scale_(scale), dwk, dbk, dwv, dbv, dwo, dbo, dg1, db1, dw1, dc1, dw2,
                     dc2, dg2, db2)  # fmt: skip
        return tuple(each if wanted else None for each, wanted in zip(gradients, ctx.wanted))


def _add(residual, out, mask):
    """(residual + dropped out, mask); `out` is used up."""
    return (out if mask is None else out.multiply_(mask)).add_(residual), mask


def _sum_rows(rows: paddle.Tensor) -> paddle.Tensor:
    """[T, N] -> [N]; a product is several times faster than Paddle's sum."""
    return paddle.matmul(paddle.ones([1, rows.shape[0]]), rows).reshape([-1])


def _activate(f, activation) -> tuple:
    """(activation of f, what its gradient needs): for GELU that is the normal distribution function of f."""
    if activation is F.relu:
        return F.relu(f), None
    cumulative = paddle.erf(f * math.sqrt(0.5)).scale_(0.5, bias=0.5)
    return f * cumulative, cumulative


def _activation_gradient(du, f, cumulative, activation):
    if activation is F.relu:
        return du.multiply_((f > 0).astype(du.dtype))
    # (x Phi(x))' = Phi(x) + x phi(x)
    density = (f * f).scale_(-0.5).exp_().scale_(1 / math.sqrt(2 * math.pi))
    return density.multiply_(f).add_(cumulative).multiply_(du)


def _layer_norm_gradient(dy, x, gain, epsilon) -> tuple:
    """Gradients [T, H], [H], [H] of the input, the gain and the bias. Products with a column stand for means of rows."""
    width = gain.shape[0]
    column = paddle.full([width, 1], 1 / width)
    centred = x - paddle.matmul(x, column)
    inverse = paddle.rsqrt(paddle.matmul(centred * centred, column) + epsilon)
    normal = centred.multiply_(inverse)
    product = dy * normal
    average = (gain / width).reshape([-1, 1])
    dx = (dy * gain).subtract_(paddle.matmul(dy, average)).subtract_(normal.multiply_(paddle.matmul(product, average)))
    return dx.multiply_(inverse), _sum_rows(product), _sum_rows(dy)
