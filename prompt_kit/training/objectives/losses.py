"""The two regularisers, as pure tensor functions."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F

_RGL_SCALE = 100.0  # the pair's two logits are 50 (1 - cos) and 50 (1 + cos): 100 cos apart


def r_drop_loss(logits_p: paddle.Tensor, logits_q: paddle.Tensor) -> paddle.Tensor:
    """R-Drop: the symmetric KL divergence between two passes with different dropout.

    Args:
        logits_p, logits_q: [B, C] label logits of the same batch.

    Returns:
        Scalar, in nats: the batch mean of (KL(p||q) + KL(q||p)) / 2. The mean makes its weight independent of the
        batch size; PaddleNLP sums over the batch, so its alpha corresponds to alpha * B here.

    Source: Liang et al., R-Drop: Regularized Dropout for Neural Networks, NeurIPS 2021 (arXiv:2106.14448), eq. 2.
    """
    log_p, log_q = F.log_softmax(logits_p, axis=-1), F.log_softmax(logits_q, axis=-1)
    # KL(p||q) + KL(q||p) = sum (p - q)(log p - log q)
    return 0.5 * ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(axis=-1).mean()


def rgl_loss(states: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
    """RGL: predict, for every pair in the batch, whether its two examples share a label.

    Args:
        states: [B, H] one vector an example (the mean of its mask states).
        labels: [B] int64 label ids.

    Returns:
        Scalar: the mean over ordered pairs i != j of the cross-entropy of the two-way logits
        (50 (1 - cos), 50 (1 + cos)) against "same label", divided by 100. Zero for a batch of one.

    Source: Wang et al., RGL: A Simple yet Effective Relation Graph Augmented Prompt-based Tuning Approach for
    Few-Shot Learning, Findings of NAACL 2022 (aclanthology.org/2022.findings-naacl.81), link prediction loss.
    """
    batch = states.shape[0]
    if batch < 2:
        return states.sum() * 0.0
    unit = F.normalize(states, p=2, axis=-1, epsilon=1e-8)
    similarity = paddle.matmul(unit, unit, transpose_y=True)  # [B, B]
    same = (labels.reshape([-1, 1]) == labels.reshape([1, -1])).astype(similarity.dtype)
    # cross-entropy of two logits d apart is softplus(-d) for the right answer "same" and softplus(d) for "different"
    pairs = F.softplus((1.0 - 2.0 * same) * _RGL_SCALE * similarity) / _RGL_SCALE
    off_diagonal = 1.0 - paddle.eye(batch, dtype=similarity.dtype)
    return (pairs * off_diagonal).sum() / (batch * (batch - 1))
