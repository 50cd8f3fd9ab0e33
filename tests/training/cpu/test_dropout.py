"""Dropout on a CPU: as often, as much and as repeatable as Paddle's."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn
from tiny import tiny_model

from prompt_kit.training.cpu.dropout import DropoutMasks, FastDropout, speed_up_dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 1 / 3, 0.9])
def test_as_many_as_asked_for_are_dropped_and_the_mean_stays(p):
    paddle.seed(1)
    mask = DropoutMasks().draw([1000, 1001], p).numpy()
    dropped = (mask == 0).mean()
    assert abs(dropped - p) < 4 * np.sqrt(p * (1 - p) / mask.size) + 2**-16
    kept = np.unique(mask[mask > 0])
    assert len(kept) == 1 and kept[0] == pytest.approx(1 / (1 - p), rel=1e-3)
    assert mask.mean() == pytest.approx(1, abs=5 * np.sqrt(p / (1 - p) / mask.size))
    rows = (mask == 0).mean(axis=1)  # no row and no column of its own mind
    assert abs(rows - p).max() < 6 * np.sqrt(p * (1 - p) / 1001)


def test_neighbours_and_the_next_mask_are_independent():
    paddle.seed(2)
    masks = DropoutMasks()
    first, second = (masks.draw([1 << 18], 0.5).numpy() > 0 for _ in range(2))
    for a, b in ((first[1:], first[:-1]), (first[4:], first[:-4]), (first, second)):
        assert abs((a == b).mean() - 0.5) < 5 * 0.5 / np.sqrt(len(a))


def test_paddles_seed_decides_and_every_pass_has_its_own():
    masks = DropoutMasks()

    def two():
        paddle.seed(7)
        drawn = []
        for _ in range(2):
            masks.restart()
            drawn.append(masks.draw([50, 3], 0.5).numpy())
        return drawn

    (one, other), (again, once_more) = two(), two()
    assert np.array_equal(one, again) and np.array_equal(other, once_more)
    assert not np.array_equal(one, other)


def test_everything_may_be_dropped():
    assert not DropoutMasks().draw([3, 5], 1.0).numpy().any()


def test_a_layer_drops_only_while_training_and_its_gradient_is_its_mask():
    layer = nn.Sequential(nn.Dropout(0.5))
    speed_up_dropout(layer, DropoutMasks())
    assert type(layer[0]) is FastDropout
    x = paddle.to_tensor(np.linspace(1, 2, 60, dtype="float32"), stop_gradient=False)
    layer.train()
    y = layer(x)
    y.sum().backward()
    assert set(np.unique(x.grad.numpy())) == {0.0, 2.0}
    np.testing.assert_array_equal(y.numpy(), x.numpy() * x.grad.numpy())
    layer.eval()
    np.testing.assert_array_equal(layer(x).numpy(), x.numpy())


def test_other_kinds_of_dropout_stay_paddles():
    layers = nn.Sequential(nn.Dropout(0.5, axis=0), nn.Dropout(0.5, mode="downscale_in_infer"), nn.AlphaDropout(0.5))
    speed_up_dropout(layers, DropoutMasks())
    assert not any(isinstance(layer, FastDropout) for layer in layers)


def test_a_models_dropout_is_this_one():
    model = tiny_model()
    assert {type(layer) for layer in model.backbone.sublayers() if isinstance(layer, nn.Dropout)} == {FastDropout}
