"""The cross-entropy of label ids and of probabilities, by hand."""

from __future__ import annotations

import math

import paddle
import pytest

from prompt_kit.training.objectives.cross_entropy import CrossEntropy
from prompt_kit.training.objectives.objective import Forward

LOGITS = paddle.to_tensor([[math.log(3), 0.0], [0.0, math.log(7)]])  # probabilities 3/4, 1/4 and 1/8, 7/8


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([0, 0], (math.log(4 / 3) + math.log(8)) / 2),
        ([[0.5, 0.5], [0.0, 1.0]], (math.log(4 / 3) / 2 + math.log(4) / 2 + math.log(8 / 7)) / 2),
    ],
)
def test_by_hand(targets, expected):
    forward = Forward(LOGITS, None, None, paddle.to_tensor(targets))
    assert float(CrossEntropy().loss(None, forward)) == pytest.approx(expected, abs=1e-6)


def test_the_examples_of_two_passes():
    assert Forward(LOGITS, None, None, None, passes=2).batch == 1
