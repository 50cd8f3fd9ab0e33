"""The cross-entropy of the labels, which every training minimises and which is the loss of an evaluation."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F

from prompt_kit.training.objectives.objective import Forward, Objective


class CrossEntropy(Objective):
    """Of label ids, or of probabilities, as self-training has them; the mean over all passes, in nats."""

    def loss(self, model, forward: Forward) -> paddle.Tensor:
        targets = forward.targets
        return F.cross_entropy(forward.logits.astype("float32"), targets, soft_label=targets.ndim == 2)
