"""Replaced-token detection: which tokens a generator has put in another one's place.

Source: Clark et al., ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators, ICLR 2020
(arXiv:2003.10555), section 2.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F


def sample_tokens(logits: paddle.Tensor) -> paddle.Tensor:
    """[N, V] vocabulary logits -> [N] int64, drawn from their softmax by Paddle's random state; no gradient."""
    with paddle.no_grad():
        noise = paddle.rand(logits.shape, dtype="float32").clip(min=1e-9, max=1 - 1e-7)
        return (logits.astype("float32") - paddle.log(-paddle.log(noise))).argmax(axis=-1)  # Gumbel's maximum


def replace_tokens(ids: paddle.Tensor, places: paddle.Tensor, tokens: paddle.Tensor) -> paddle.Tensor:
    """ids [B, L] with `tokens` [N] at `places` [N], each of them a place in B L, all different."""
    return paddle.scatter(ids.reshape([-1]), places, tokens).reshape(ids.shape)


def detection_loss(logits: paddle.Tensor, replaced: paddle.Tensor, real: paddle.Tensor) -> paddle.Tensor:
    """Binary cross-entropy, the mean over tokens.

    Args:
        logits: [B, L], of "replaced".
        replaced: [B, L] bool, what is right; a token that was drawn in its own place is an original one.
        real: [B, L] bool, False for padding.
    """
    each = F.binary_cross_entropy_with_logits(logits.astype("float32"), replaced.astype("float32"), reduction="none")
    weight = real.astype("float32")
    return (each * weight).sum() / weight.sum()
