"""The binary cross-entropy of each label, for tasks in which a text may have several: is the label there or not?"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F

from prompt_kit.training.objectives.objective import Forward, Objective


class BinaryCrossEntropy(Objective):
    """Of label sets [P B, C]: summed over the labels, so that it is minus the log-probability of a text's whole answer, as
    the cross-entropy is; the mean over all passes, in nats."""

    def loss(self, model, forward: Forward) -> paddle.Tensor:
        each = F.binary_cross_entropy_with_logits(
            forward.logits.astype("float32"), forward.targets.astype("float32"), reduction="none"
        )
        return each.sum(axis=-1).mean()
