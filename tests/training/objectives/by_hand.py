"""Hand-made tensors and a check of gradients for the losses' tests."""

from __future__ import annotations

import numpy as np
import paddle
import pytest


def tensor(values, dtype="float64"):
    return paddle.to_tensor(np.asarray(values, dtype))


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
