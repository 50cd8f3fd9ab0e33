"""RGL: which examples of a batch share a label, told from the similarity of their states."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F

from prompt_kit.training.objectives.objective import Forward, Objective

_SCALE = 100.0  # the pair's two logits are 50 (1 - cos) and 50 (1 + cos): 100 cos apart


class RGL(Objective):
    """See `rgl_loss`, of the first pass alone."""

    def loss(self, model, forward: Forward) -> paddle.Tensor:
        first = slice(forward.batch)
        return rgl_loss(forward.states[first].mean(axis=1).astype("float32"), forward.labels[first])


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
    pairs = F.softplus((1.0 - 2.0 * same) * _SCALE * similarity) / _SCALE
    off_diagonal = 1.0 - paddle.eye(batch, dtype=similarity.dtype)
    return (pairs * off_diagonal).sum() / (batch * (batch - 1))
