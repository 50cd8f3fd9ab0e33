"""Replaced-token detection: what is drawn, what is replaced, and the loss by hand."""

from __future__ import annotations

import math

import numpy as np
import paddle
import pytest

from prompt_kit.training.objectives.replaced_tokens import detection_loss, replace_tokens, sample_tokens


def test_tokens_are_drawn_by_their_probabilities_and_paddles_seed():
    logits = paddle.to_tensor(np.tile(np.log([0.7, 0.2, 0.1]), (4000, 1)).astype("float32"))
    paddle.seed(3)
    first = sample_tokens(logits).numpy()
    np.testing.assert_allclose(np.bincount(first) / 4000, [0.7, 0.2, 0.1], atol=0.03)
    again = sample_tokens(logits).numpy()
    paddle.seed(3)
    np.testing.assert_array_equal(sample_tokens(logits).numpy(), first)
    assert (again != first).any()


def test_tokens_are_put_in_their_places():
    ids = paddle.to_tensor([[1, 2, 3], [4, 5, 6]])
    found = replace_tokens(ids, paddle.to_tensor([1, 5]), paddle.to_tensor([20, 60]))
    assert found.tolist() == [[1, 20, 3], [4, 5, 60]] and ids.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_the_loss_by_hand():
    logits = paddle.to_tensor([[2.0, -1.0, 50.0], [0.5, 7.0, 7.0]])
    replaced = paddle.to_tensor([[True, False, False], [True, False, False]])
    real = paddle.to_tensor([[True, True, False], [True, False, False]])  # what padding says counts for nothing
    losses = [math.log1p(math.exp(-2.0)), math.log1p(math.exp(-1.0)), math.log1p(math.exp(-0.5))]
    assert float(detection_loss(logits, replaced, real)) == pytest.approx(sum(losses) / 3, abs=1e-6)
