"""R-Drop: two passes over a batch, with different dropout, must agree."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F

from prompt_kit.training.objectives.objective import Forward, Objective


class RDrop(Objective):
    """See `r_drop_loss`. The two passes are one over a doubled batch."""

    passes = 2

    def loss(self, model, forward: Forward) -> paddle.Tensor:
        return r_drop_loss(forward.logits[: forward.batch], forward.logits[forward.batch :])


class RDropOfSets(Objective):
    """The same where a text may have several labels, see `r_drop_loss_of_sets`."""

    passes = 2

    def loss(self, model, forward: Forward) -> paddle.Tensor:
        return r_drop_loss_of_sets(forward.logits[: forward.batch], forward.logits[forward.batch :])


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


def r_drop_loss_of_sets(logits_p: paddle.Tensor, logits_q: paddle.Tensor) -> paddle.Tensor:
    """R-Drop of independent labels: `r_drop_loss` of the answers "there" and "not there", summed over the labels.

    Args:
        logits_p, logits_q: [B, C] log-odds of each label, of the same batch.

    Returns:
        Scalar, in nats. Of two Bernoulli distributions, KL(p||q) + KL(q||p) is the difference of their probabilities times
        that of their log-odds.
    """
    return 0.5 * ((F.sigmoid(logits_p) - F.sigmoid(logits_q)) * (logits_p - logits_q)).sum(axis=-1).mean()
