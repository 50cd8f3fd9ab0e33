"""RGL against hand-computed values, plain numpy, and finite differences."""

from __future__ import annotations

import math

import numpy as np
import paddle
import pytest
from by_hand import assert_gradient, tensor

from prompt_kit.training.objectives.rgl import rgl_loss

RANDOM = np.random.default_rng(0)


def numpy_rgl(states, labels):
    """The mean over ordered pairs i != j of the cross-entropy of (50 (1 - cos), 50 (1 + cos)), over 100."""
    losses = []
    for i in range(len(states)):
        for j in range(len(states)):
            if i != j:
                cos = states[i] @ states[j] / np.linalg.norm(states[i]) / np.linalg.norm(states[j])
                logits = np.array([50 * (1 - cos), 50 * (1 + cos)])
                same = int(labels[i] == labels[j])
                losses.append((np.logaddexp(*logits) - logits[same]) / 100)
    return np.mean(losses)


@pytest.mark.parametrize(
    ("states", "labels", "expected"),
    [
        ([[3.0, 4.0], [1.0, 0.0]], [0, 1], 0.6),  # cos 0.6, different: softplus(60) / 100
        ([[3.0, 4.0], [1.0, 0.0]], [1, 1], 0.0),  # the same: softplus(-60) / 100
        ([[2.0, 0.0], [5.0, 0.0]], [0, 1], 1.0),
        ([[2.0, 0.0], [0.0, 9.0]], [0, 1], math.log(2) / 100),
        ([[2.0, 0.0], [0.0, 9.0]], [2, 2], math.log(2) / 100),
        ([[1.0, 0.0], [-3.0, 0.0]], [0, 0], 1.0),
    ],
)
def test_rgl_of_two_by_hand(states, labels, expected):
    loss = rgl_loss(tensor(states), paddle.to_tensor(labels))
    assert loss.shape == []
    assert float(loss) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("batch", [2, 3, 7])
def test_rgl_equals_a_double_loop(batch):
    states, labels = RANDOM.normal(size=(batch, 5)), RANDOM.integers(0, 3, batch)
    assert float(rgl_loss(tensor(states), paddle.to_tensor(labels))) == pytest.approx(numpy_rgl(states, labels))
    # only directions count
    scaled = states * RANDOM.uniform(0.1, 10, size=(batch, 1))
    assert float(rgl_loss(tensor(scaled), paddle.to_tensor(labels))) == pytest.approx(numpy_rgl(states, labels))


def test_rgl_in_float32():
    states, labels = RANDOM.normal(size=(8, 32)), RANDOM.integers(0, 3, 8)
    loss = rgl_loss(tensor(states, "float32"), paddle.to_tensor(labels))
    assert float(loss) == pytest.approx(numpy_rgl(states, labels), rel=1e-5)


def test_rgl_of_a_batch_of_one_is_zero_with_a_finite_gradient():
    states = tensor([[1.0, 2.0]])
    states.stop_gradient = False
    loss = rgl_loss(states, paddle.to_tensor([0]))
    loss.backward()
    assert float(loss) == 0.0
    assert states.grad.numpy().tolist() == [[0.0, 0.0]]


def test_rgl_with_zero_vectors_is_finite():
    """A zero vector is at cos 0 to everything."""
    states = tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    states.stop_gradient = False
    loss = rgl_loss(states, paddle.to_tensor([0, 0, 1]))
    loss.backward()
    assert float(loss) == pytest.approx(math.log(2) / 100)
    assert np.isfinite(states.grad.numpy()).all()


def test_rgl_gradient():
    labels = paddle.to_tensor([0, 1, 0])
    # nearly orthogonal, where softplus is neither flat nor a line
    states = np.eye(3) + RANDOM.normal(size=(3, 3)) * 0.01
    assert_gradient(lambda x: rgl_loss(x, labels), states)
    assert_gradient(lambda x: rgl_loss(x, labels), RANDOM.normal(size=(3, 4)))
