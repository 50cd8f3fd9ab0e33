"""Stratified, seeded, whole."""

from __future__ import annotations

import random

import pytest

from prompt_kit.data.importers.split import parse_split, stratified
from prompt_kit.errors import ConfigError


def test_every_label_is_divided_alike():
    labels = ["a"] * 40 + ["b"] * 20
    train, dev, test = stratified(labels, (0.8, 0.1, 0.1), seed=0)
    assert [len(train), len(dev), len(test)] == [48, 6, 6]
    assert [sum(place < 40 for place in part) for part in (train, dev, test)] == [32, 4, 4]
    assert sorted(train + dev + test) == list(range(60))
    assert train == sorted(train)


@pytest.mark.parametrize("seed", range(20))
def test_sizes_are_right_to_within_one_of_the_whole_and_two_of_a_label(seed):
    draw = random.Random(seed)
    labels = [f"l{draw.randrange(12)}" for _ in range(draw.randrange(24, 400))]
    shares = (0.7, 0.2, 0.1)
    parts = stratified(labels, shares, seed)
    assert sorted(place for part in parts for place in part) == list(range(len(labels)))
    for part, share in zip(parts, shares):
        for label in set(labels):
            count = labels.count(label)
            assert abs(sum(labels[place] == label for place in part) - count * share) < 2
    rare = sum(labels.count(label) < 3 for label in set(labels))
    assert all(abs(len(part) - len(labels) * share) < 1 + rare for part, share in zip(parts, shares))


def test_a_rare_label_is_trained_on():
    train, dev, test = stratified(["a"] * 30 + ["b"], (0.3, 0.3, 0.4), seed=0)
    assert 30 in train


def test_few_texts_reach_dev_and_test_by_turns():
    parts = stratified([label for label in "abcdefghij" for _ in range(5)], (0.8, 0.1, 0.1), seed=1)
    assert [len(part) for part in parts] == [40, 5, 5]


def test_the_seed_decides_and_other_labels_do_not():
    labels = ["a"] * 30
    one, again = (stratified(labels, (0.5, 0.5), seed=3) for _ in range(2))
    assert one == again != stratified(labels, (0.5, 0.5), seed=4)
    assert [place for place in stratified(labels + ["b"] * 10, (0.5, 0.5), seed=3)[0] if place < 30] == one[0]


def test_shares():
    assert parse_split("80/10/10") == pytest.approx((0.8, 0.1, 0.1))
    assert parse_split("0.8/0.2") == pytest.approx((0.8, 0.2))
    assert parse_split("1") == (1.0,)
    for wrong in ("", "a/b", "0/1", "1/2/3/4", "1/-1", "nan", "inf/1"):
        with pytest.raises(ConfigError, match="expected shares of train, dev and test"):
            parse_split(wrong)
