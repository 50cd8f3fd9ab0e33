"""Episodes: N-way K-shot tasks drawn from labelled texts, and the accuracy over many of them with its interval.

Vinyals et al., Matching Networks for One Shot Learning, NeurIPS 2016 (arXiv:1606.04080): train as you will be tested, on
tasks of N labels with K examples each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from prompt_kit.errors import DataError
from prompt_kit.inference.prototypes import prototypes


@dataclass(frozen=True)
class Size:
    """N labels, K examples of each to learn from, Q others of each to be asked about."""

    ways: int
    shots: int
    queries: int


@dataclass(frozen=True)
class Episode:
    """A task: its labels [N], and the places of its examples, support [N, K] and query [N, Q], a row a label."""

    labels: np.ndarray
    support: np.ndarray
    query: np.ndarray


class EpisodeSource:
    """Draws episodes from labelled examples.

    Args:
        labels: [n] label ids of the examples.
        where: what the examples are, for the message of an error.
    """

    def __init__(self, labels: Sequence[int], where: str):
        ids = np.asarray(labels)
        self._places = {int(label): np.flatnonzero(ids == label) for label in np.unique(ids)}
        self._where = where

    def usable(self, size: Size) -> list[int]:
        """The labels with enough examples. DataError for fewer than two."""
        need = size.shots + size.queries
        found = [label for label, places in self._places.items() if len(places) >= need]
        if len(found) < 2:
            raise DataError(
                f"{self._where}: {len(found)} label(s) with {need} examples, which an episode of {size.shots} shots and "
                f"{size.queries} queries takes, expected 2 or more; add examples, or use fewer shots or queries"
            )
        return found

    def draw(self, size: Size, rng: np.random.Generator) -> Episode:
        """One episode, of as many labels as there are where that is fewer than N."""
        usable = self.usable(size)
        labels = rng.permutation(usable)[: size.ways]
        rows = np.stack([rng.permutation(self._places[int(label)])[: size.shots + size.queries] for label in labels])
        return Episode(labels, rows[:, : size.shots], rows[:, size.shots :])


def draw_many(source: EpisodeSource, size: Size, count: int, seed: int) -> Iterator[Episode]:
    """The same `count` episodes for the same seed, whatever model is asked."""
    rng = np.random.default_rng(seed)
    return (source.draw(size, rng) for _ in range(count))


def centroid_accuracy(states: np.ndarray, episode: Episode) -> float:
    """The share of queries whose nearest prototype is their label's.

    Args:
        states: [n, D] of length 1, of all examples that the episode's places are of.
    """
    ways, shots = episode.support.shape
    centers = prototypes(states[episode.support.ravel()], np.repeat(np.arange(ways), shots), ways)
    nearest = (states[episode.query] @ centers.T).argmax(axis=-1)
    return float((nearest == np.arange(ways)[:, None]).mean())


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """(mean, half of the 95 % interval of the mean); the half is NaN of a single value.

    By the normal distribution, as the papers on episodes report it: there are hundreds of them.
    """
    array = np.asarray(values, dtype=np.float64)
    half = 1.96 * array.std(ddof=1) / math.sqrt(len(array)) if len(array) > 1 else math.nan
    return float(array.mean()), float(half)
