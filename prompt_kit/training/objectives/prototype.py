"""The prototypes' losses: each example nearest to its label's prototype, and to the mean of its label's others.

The first is the instance-prototype loss of ProtoVerb (Cui et al., ACL 2022, arXiv:2203.09770), the second is Snell's
(Snell et al., NeurIPS 2017, arXiv:1703.05175), which takes the place of ProtoVerb's loss between examples.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F

from prompt_kit.training.loop.episodes import EpisodeBatchSampler
from prompt_kit.training.objectives.objective import Forward, Objective


class Prototype(Objective):
    """Both losses, of a model whose head has `embed` and `scores` (see PrototypeHead); batches are episodes.

    Args:
        weight: see Objective; at 0 the batches still are episodes.
        shots: examples of a label in a batch, as far as it has so many.
    """

    def __init__(self, weight: float, shots: int):
        super().__init__(weight)
        self.shots = shots

    def sampler(self, labels, batch_size, seed, **options):
        return EpisodeBatchSampler(labels, batch_size, seed, self.shots, **options)

    def loss(self, model, forward: Forward) -> paddle.Tensor:
        head = model.head
        embedded = head.embed(model.transform(forward.states))
        to_prototypes = F.cross_entropy(head.scores(embedded).astype("float32"), forward.labels)
        among = episode_loss(embedded.astype("float32"), forward.labels, head.cosine_scale, forward.passes)
        return to_prototypes + among


def episode_loss(embedded: paddle.Tensor, labels: paddle.Tensor, scale: float, passes: int = 1) -> paddle.Tensor:
    """Cross-entropy of an episode: each example, by the mean examples of the labels, itself not among them.

    Snell et al. compare by squared Euclidean distance, here it is a scaled cosine to the mean made length 1. Of vectors of
    length 1, the distance is 2 - 2 cos: both order the labels the same way.

    Args:
        embedded: [P B, D], of length 1: P passes over the B examples of a batch, one after the other. All passes of an
            example are left out of the mean that it is compared to, for its own is no other example.
        labels: [P B] int64 label ids.
        scale: of the cosines.
        passes: P.

    Returns:
        Scalar: the mean of -log softmax over the labels of the batch. An example that is the only one of its label is
        support and no query; zero if all are.
    """
    found, row = paddle.unique(labels, return_inverse=True)
    member = F.one_hot(row, found.shape[0]).astype(embedded.dtype)  # [P B, L]
    sums = paddle.matmul(member, embedded, transpose_x=True)  # [L, D]: as good as means, once they are made length 1
    itself = embedded.reshape([passes, -1, embedded.shape[-1]]).sum(axis=0).tile([passes, 1])
    others = paddle.matmul(member, member.sum(axis=0).unsqueeze(1)) - passes  # [P B, 1]
    query = (others > 0).astype(embedded.dtype)
    # without others the difference is rounding noise, whose direction has no gradient to speak of
    rest = paddle.where(others > 0, paddle.gather(sums, row) - itself, embedded)
    own = (embedded * F.normalize(rest, axis=-1)).sum(axis=-1, keepdim=True)  # [P B, 1]
    cosines = paddle.matmul(embedded, F.normalize(sums, axis=-1), transpose_y=True)  # [P B, L]
    scores = scale * (cosines * (1.0 - member) + own * member)
    each = F.cross_entropy(scores, row, reduction="none").reshape([-1, 1])
    return (each * query).sum() / query.sum().clip(min=1.0)
