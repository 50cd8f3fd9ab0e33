"""R-Drop against hand-computed values, plain numpy, and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from by_hand import assert_gradient, tensor

from prompt_kit.training.objectives.r_drop import r_drop_loss

RANDOM = np.random.default_rng(0)


def numpy_r_drop(p_logits, q_logits):
    """The batch mean of (KL(p||q) + KL(q||p)) / 2, spelled out."""
    total = 0.0
    for p_row, q_row in zip(p_logits, q_logits):
        p, q = np.exp(p_row) / np.exp(p_row).sum(), np.exp(q_row) / np.exp(q_row).sum()
        total += (sum(p * np.log(p / q)) + sum(q * np.log(q / p))) / 2
    return total / len(p_logits)


def test_r_drop_by_hand():
    """p = (1/4, 3/4), q = (1/2, 1/2): the sum of (p - q)(log p - log q) is (ln 2 + ln 3/2) / 4 = ln 3 / 4."""
    loss = r_drop_loss(tensor([[0.0, math.log(3)]]), tensor([[5.0, 5.0]]))
    assert loss.shape == []
    assert float(loss) == pytest.approx(math.log(3) / 8)


def test_r_drop_equals_numpy_and_is_symmetric():
    p, q = RANDOM.normal(size=(2, 6, 4)) * 3
    assert float(r_drop_loss(tensor(p), tensor(q))) == pytest.approx(numpy_r_drop(p, q))
    assert float(r_drop_loss(tensor(q), tensor(p))) == pytest.approx(numpy_r_drop(p, q))


def test_r_drop_is_a_batch_mean():
    p, q = RANDOM.normal(size=(2, 3, 4))
    once = float(r_drop_loss(tensor(p), tensor(q)))
    assert float(r_drop_loss(tensor(np.tile(p, (4, 1))), tensor(np.tile(q, (4, 1))))) == pytest.approx(once)


def test_r_drop_of_equal_logits_is_zero_with_zero_gradient():
    logits = tensor(RANDOM.normal(size=(3, 4)))
    logits.stop_gradient = False
    loss = r_drop_loss(logits, logits.detach() + 7.0)  # a constant changes no probability
    loss.backward()
    assert float(loss) == pytest.approx(0.0, abs=1e-12)
    assert np.abs(logits.grad.numpy()).max() < 1e-12


def test_r_drop_is_finite_where_a_probability_underflows():
    """ln p is -400; Paddle's log_softmax may stop at -64."""
    p = tensor([[0.0, 400.0]], "float32")
    p.stop_gradient = False
    loss = r_drop_loss(p, tensor([[400.0, 0.0]], "float32"))
    loss.backward()
    assert 63.9 < float(loss) < 400.1
    assert np.isfinite(p.grad.numpy()).all()


def test_r_drop_gradient():
    p, q = RANDOM.normal(size=(2, 2, 3))
    assert_gradient(lambda x: r_drop_loss(x, tensor(q)), p)
    assert_gradient(lambda x: r_drop_loss(tensor(p), x), q)
