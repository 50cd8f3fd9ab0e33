"""The two regularisers against hand-computed values, plain numpy, and finite differences."""

from __future__ import annotations

import math

import numpy as np
import paddle
import pytest

from prompt_kit.training.objectives.losses import r_drop_loss, rgl_loss

RANDOM = np.random.default_rng(0)


def tensor(values, dtype="float64"):
    return paddle.to_tensor(np.asarray(values, dtype))


def numpy_r_drop(p_logits, q_logits):
    """The batch mean of (KL(p||q) + KL(q||p)) / 2, spelled out."""
    total = 0.0
    for p_row, q_row in zip(p_logits, q_logits):
        p, q = np.exp(p_row) / np.exp(p_row).sum(), np.exp(q_row) / np.exp(q_row).sum()
        total += (sum(p * np.log(p / q)) + sum(q * np.log(q / p))) / 2
    return total / len(p_logits)


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


def assert_gradient(loss, values, step=1e-6):
    """Compare the gradient of loss(tensor) with central differences in float64."""
    point = tensor(values)
    point.stop_gradient = False
    loss(point).backward()
    gradient = point.grad.numpy()
    for index in np.ndindex(*values.shape):
        up, down = values.copy(), values.copy()
        up[index] += step
        down[index] -= step
        expected = (float(loss(tensor(up))) - float(loss(tensor(down)))) / (2 * step)
        assert gradient[index] == pytest.approx(expected, rel=1e-4, abs=1e-7)


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
