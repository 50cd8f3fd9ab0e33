"""Episodes: batches of several examples of each of several labels, every one of them classified by the others.

Source: Snell et al., Prototypical Networks for Few-shot Learning, NeurIPS 2017 (arXiv:1703.05175), algorithm 1. There an
episode's support and queries are two draws; here every example is the query once and the rest is its support, so that
a batch of 16 has 16 queries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F

from prompt_kit.training.loop.batching import SeededBatchSampler


class EpisodeBatchSampler(SeededBatchSampler):
    """A SeededBatchSampler whose batches are episodes: groups of `shots` examples of one label, of as many labels as fit.

    An epoch's groups are drawn anew from each label's examples and spread evenly over the epoch: of labels with equally
    many groups, the same comes again only after all the others; of others, a batch has about their share. As many
    batches as a SeededBatchSampler has, of at most the same size; a group is cut in two where that leaves no choice.

    Args:
        labels: [N] label ids of the examples.
        batch_size, seed, num_replicas, rank, accumulation: see SeededBatchSampler.
        shots: examples in a group; smaller ones, as equal as can be, for a label whose number is no multiple.
    """

    def __init__(
        self,
        labels: Sequence[int],
        batch_size: int,
        seed: int,
        shots: int,
        num_replicas: int = 1,
        rank: int = 0,
        accumulation: int = 1,
    ):
        super().__init__(len(labels), batch_size, seed, num_replicas, rank, accumulation)
        self.labels, self.shots = np.asarray(labels), shots

    def _chunks(self, rng: np.random.Generator) -> list[np.ndarray]:
        groups = self._groups(rng)
        ends = np.cumsum([len(group) for group in groups])
        sizes = [len(chunk) for chunk in np.array_split(np.arange(self.size), self.batches)]
        return np.split(np.concatenate(groups), _whole(np.cumsum(sizes), ends, max(self.batch_size, *sizes)))

    def _groups(self, rng: np.random.Generator) -> list[np.ndarray]:
        groups, positions = [], []
        for label in np.unique(self.labels):
            members = rng.permutation(np.flatnonzero(self.labels == label))
            cut = np.array_split(members, -(-len(members) // self.shots))
            groups += cut
            positions.append((np.arange(len(cut)) + rng.random()) / len(cut))
        return [groups[index] for index in np.argsort(np.concatenate(positions), kind="stable")]


def _whole(cuts: np.ndarray, ends: np.ndarray, largest: int) -> list[int]:
    """Move the ends of batches to ends of groups, as long as no batch is empty or has more than `largest` examples.

    Args:
        cuts, ends: where batches and groups end, ascending; the last of both is the number of examples.

    Returns:
        Where all batches but the last end.
    """
    moved, start = [], 0
    for cut, following in zip(cuts[:-1], cuts[1:]):
        at = int(np.searchsorted(ends, cut))
        after, before = int(ends[at]), int(ends[at - 1]) if at else 0
        if after - start <= largest and after < following:
            start = after
        elif start < before and following - before <= largest:
            start = before
        else:
            start = int(cut)
        moved.append(start)
    return moved


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
