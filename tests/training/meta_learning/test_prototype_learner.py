"""The prototype learner: its loss against a second implementation in numpy, and what its steps move."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from learning import encoded, same, values
from tiny import tiny_model

from prompt_kit.training.meta_learning.prototype_learner import PrototypeLearner, prototype_loss


def test_prototype_loss_by_hand():
    rng = np.random.default_rng(0)
    embedded = rng.normal(size=(3, 5, 4)).astype("float32")
    embedded /= np.linalg.norm(embedded, axis=-1, keepdims=True)
    expected = []
    for label in range(3):
        for query in embedded[label, 2:]:
            centers = [embedded[other, :2].mean(axis=0) for other in range(3)]
            scores = np.array([7.0 * query @ (center / np.linalg.norm(center)) for center in centers])
            expected.append(np.log(np.exp(scores).sum()) - scores[label])
    found = prototype_loss(paddle.to_tensor(embedded), 2, paddle.to_tensor([7.0]))
    assert float(found) == pytest.approx(np.mean(expected), abs=1e-5)


def test_prototype_training_lowers_the_loss_and_moves_prompt_model_and_scale(episode):
    model = tiny_model(head="cosine", dropout=0.0)
    prompt, language_model = values(model.soft_prompt.parameters()), values(model.language_model_parameters())
    learner = PrototypeLearner(model, 40, 1e-3, 1e-2)
    losses = [learner.step([(encoded(model), episode)]) for _ in range(40)]
    learner.finish()
    assert losses[-1] < losses[0] / 2
    assert not same(prompt, values(model.soft_prompt.parameters()))
    assert not same(language_model, values(model.language_model_parameters()))
    assert model.head.scale.numpy()[0] != 12.0 and not model.training


def test_prototype_training_of_the_prompt_alone(episode):
    model = tiny_model(head="cosine")
    model.freeze_language_model()
    before = values(model.backbone.parameters())
    learner = PrototypeLearner(model, 3, 1e-3, 1e-2)
    for _ in range(3):
        learner.step([(encoded(model), episode)])
    assert same(before, values(model.backbone.parameters()))


def test_two_episodes_are_the_mean_of_both(episode):
    """A step on an episode twice is a step on it once."""
    found = []
    for times in (1, 2):
        model = tiny_model(head="cosine", dropout=0.0)
        learner = PrototypeLearner(model, 5, 1e-3, 1e-2)
        learner.step([(encoded(model), episode)] * times)
        found.append(values(model.soft_prompt.parameters()))
    assert all(first == pytest.approx(second, abs=2e-5) for first, second in zip(*found))
