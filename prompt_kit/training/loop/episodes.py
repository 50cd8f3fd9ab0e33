"""Episodes: batches of several examples of each of several labels.

Source: Snell et al., Prototypical Networks for Few-shot Learning, NeurIPS 2017 (arXiv:1703.05175), algorithm 1. There an
episode's support and queries are two draws; here every example is the query once and the rest is its support, so that
a batch of 16 has 16 queries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
