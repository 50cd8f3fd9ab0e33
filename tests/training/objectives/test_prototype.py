"""The prototypes' losses, against a double loop and by hand."""

from __future__ import annotations

import math

import numpy as np
import paddle
import pytest

from prompt_kit.training.objectives.prototype import episode_loss


def unit(rng, rows, width=6) -> np.ndarray:
    vectors = rng.normal(size=(rows, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("float32")


def looped(embedded, labels, scale, passes) -> float:
    """Query by query and label by label; row j is a pass over example j modulo the batch."""
    batch, losses = len(labels) // passes, []
    for query in range(len(labels)):
        scores = {}
        for label in set(labels.tolist()):
            support = [j for j in range(len(labels)) if labels[j] == label and j % batch != query % batch]
            if support:
                mean = embedded[support].astype("float64").mean(axis=0)
                scores[label] = scale * embedded[query] @ mean / np.linalg.norm(mean)
        if labels[query] in scores:
            losses.append(math.log(sum(map(math.exp, scores.values()))) - scores[labels[query]])
    return float(np.mean(losses)) if losses else 0.0


@pytest.mark.parametrize("passes", [1, 2, 3])
@pytest.mark.parametrize("labels", [[4, 4, 1, 1], [0, 2, 0, 7, 2, 0, 9, 0], [3, 3, 3], [5, 1, 5]])
def test_the_loss_is_that_of_a_double_loop(labels, passes):
    embedded = unit(np.random.default_rng(len(labels)), len(labels) * passes)
    labels = np.tile(labels, passes)
    loss = episode_loss(paddle.to_tensor(embedded), paddle.to_tensor(labels), 20.0, passes)
    assert loss.shape == [] and float(loss) == pytest.approx(looped(embedded, labels, 20.0, passes), rel=1e-4, abs=1e-5)


def test_the_loss_by_hand():
    """Two of label 0 at cosine 0.6; one of label 1, at 0 and 0.8 to them, which is support and no query."""
    embedded = paddle.to_tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    loss = episode_loss(embedded, paddle.to_tensor([0, 0, 1]), 10.0)
    expected = (math.log(1 + math.exp(0 - 6)) + math.log(1 + math.exp(8 - 6))) / 2
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_a_prototype_is_the_mean_at_length_one():
    """Three of label 0: the query (1, 0) meets the mean of (0.6, 0.8) and (0.6, -0.8), (0.6, 0), as (1, 0)."""
    embedded = paddle.to_tensor([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8], [0.0, 1.0]])
    own = (0.6 * 0.8 - 0.8 * 0.4) / math.sqrt(0.8)  # (0.6, 0.8) meets (0.8, -0.4); so does its mirror image
    rows = [math.log(1 + math.exp(other - mine)) for other, mine in ((0.0, 1.0), (0.8, own), (-0.8, own))]
    loss = episode_loss(embedded, paddle.to_tensor([0, 0, 0, 1]), 1.0)
    assert float(loss) == pytest.approx(sum(rows) / 3, rel=1e-5)


@pytest.mark.parametrize(("labels", "passes"), [([3], 1), ([0, 1, 2], 1), ([0, 1, 0, 1], 2)])
def test_without_support_there_is_no_loss(labels, passes):
    """Nor is the other pass of an example its support."""
    embedded = paddle.to_tensor(unit(np.random.default_rng(0), len(labels)))
    embedded.stop_gradient = False
    loss = episode_loss(embedded, paddle.to_tensor(labels), 10.0, passes)
    loss.backward()
    assert float(loss) == 0.0 and np.array_equal(embedded.grad.numpy(), np.zeros(embedded.shape))


def test_examples_that_cancel_out_have_a_gradient():
    """A mean of length 0 has no direction."""
    embedded = paddle.to_tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    embedded.stop_gradient = False
    loss = episode_loss(embedded, paddle.to_tensor([0, 0, 1, 1]), 20.0)
    loss.backward()
    assert math.isfinite(float(loss)) and np.isfinite(embedded.grad.numpy()).all()
