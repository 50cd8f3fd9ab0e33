"""A seeded, stratified division into train, dev and test, on the standard library alone."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from prompt_kit.errors import ConfigError

NAMES = ("train", "dev", "test")


def parse_split(text: str) -> tuple[float, ...]:
    """'0.8/0.1/0.1', '80/10/10', '0.8/0.2' (no test), '1' (train alone) -> shares that sum to 1."""
    try:
        parts = [float(one) for one in text.split("/")]
    except ValueError:
        parts = []
    fine = parts and len(parts) <= len(NAMES) and all(math.isfinite(one) and one >= 0 for one in parts) and parts[0] > 0
    if not fine:
        raise ConfigError(f"--split {text}: expected shares of train, dev and test such as 0.8/0.1/0.1, train above 0")
    return tuple(one / sum(parts) for one in parts)


def stratified(labels: Sequence[str], shares: Sequence[float], seed: int) -> list[list[int]]:
    """The places in `labels` of each part, in order. Every label's share of a part is right to within two examples,
    the whole part's to within one; a label that has any has at least one in the first part.

    Each label is drawn from its own random stream, so that it keeps its division when other labels change.
    """
    places: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        places.setdefault(label, []).append(place)
    parts: list[list[int]] = [[] for _ in shares]
    owed = [0.0] * len(shares)  # what rounding has kept back from each part so far
    for label, found in places.items():
        draw = random.Random(f"{seed}/{label}")  # only random() is promised to be the same in every Python version
        drawn = {place: draw.random() for place in found}
        order = sorted(found, key=drawn.__getitem__)
        sizes = _sizes(len(found), shares, owed)
        start = 0
        for part, size in zip(parts, sizes):
            part += order[start : start + size]
            start += size
    return [sorted(part) for part in parts]


def _sizes(count: int, shares: Sequence[float], owed: list[float]) -> list[int]:
    """Whole numbers that sum to `count`, nearest to its shares and what is owed, which is brought up to date."""
    wanted = [count * share + debt for share, debt in zip(shares, owed)]
    sizes = [max(0, math.floor(one + 1e-9)) for one in wanted]
    order = sorted(range(len(shares)), key=lambda part: sizes[part] - wanted[part])
    for step in range(abs(count - sum(sizes))):
        if sum(sizes) < count:
            sizes[order[step % len(order)]] += 1
        else:
            sizes[max(range(len(sizes)), key=lambda part: sizes[part] - wanted[part])] -= 1
    if count and not sizes[0]:
        sizes[max(range(len(sizes)), key=sizes.__getitem__)] -= 1
        sizes[0] = 1
    owed[:] = [one - size for one, size in zip(wanted, sizes)]
    return sizes
