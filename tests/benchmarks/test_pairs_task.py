"""benchmarks/pairs.py: tasks of pairs without a text twice, and the threshold of the rival."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scripts import load_script

pairs = load_script("benchmarks/pairs")


@pytest.mark.parametrize("pool", [None, (40, 40)])
def test_no_text_is_in_two_pairs_and_the_answers_are_right(tmp_path, pool):
    label_of = {}
    for name, count in (("train", 60), ("dev", 60), ("test", 200)):
        rows = [(f"{name}{number}", "甲乙丙"[number % 3]) for number in range(count)]
        label_of.update(rows)
        (tmp_path / f"{name}.txt").write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    (tmp_path / "label.txt").write_text("甲\n乙\n丙\n", encoding="utf-8")
    made = pairs.make(tmp_path, pool, [8, 8, 30], seed=1)
    assert [len(made[name]) for name in pairs.SPLITS] == [16, 16, 60]
    texts = [text for part in made.values() for pair in part for text in pair[:2]]
    assert len(set(texts)) == len(texts)
    for first, second, answer in (pair for part in made.values() for pair in part):
        assert (label_of[first] == label_of[second]) == (answer == "same")
    assert pairs.make(tmp_path, pool, [8, 8, 30], seed=1) == made != pairs.make(tmp_path, pool, [8, 8, 30], seed=2)
    if pool is None:
        assert all(text.startswith("train") for pair in made["train"] for text in pair[:2])


def test_half_of_the_pairs_have_one_label():
    rows = [(str(number), "甲乙"[number % 2]) for number in range(100)]
    found = pairs.paired(rows, 10, random.Random(0))
    assert sorted(answer for _, _, answer in found) == ["other"] * 10 + ["same"] * 10


def test_the_middle_one_of_the_best_thresholds():
    cosines = np.array([0.1, 0.2, 0.4, 0.8, 0.9])
    assert pairs.threshold(cosines, np.array([False, False, True, True, True])) == pytest.approx(0.3)
    assert pairs.threshold(cosines, np.array([False, False, True, False, True])) == pytest.approx(
        0.85
    )  # 0.3 is as good
