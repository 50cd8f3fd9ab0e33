"""FOMAML and Reptile on a tiny model, against second implementations in numpy."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from learning import encoded, same, values
from tiny import tiny_model

from prompt_kit.errors import ConfigError
from prompt_kit.training.meta_learning.episodes import Episode
from prompt_kit.training.meta_learning.gradient_learners import Adapter, FirstOrderMAML, Reptile


@pytest.mark.parametrize("head", ["soft", "cosine"])
def test_adapting_lowers_the_loss_of_the_support_set_and_leaves_the_language_model(head, episode):
    model = tiny_model(head=head)
    before = values(model.backbone.parameters())
    adapter = Adapter(model, 10, 1e-3)
    features = encoded(model)
    Adapter(model, 1, 1e-9).adapt(adapter.start, features, episode)
    first = float(adapter.loss(features, episode, episode.support))
    adapter.adapt(adapter.start, features, episode)
    assert float(adapter.loss(features, episode, episode.support)) < first
    assert same(before, values(model.backbone.parameters()))


@pytest.mark.parametrize("head", ["soft", "cosine"])
def test_an_episode_leaves_nothing_behind(head, episode):
    model = tiny_model(head=head)
    adapter = Adapter(model, 3, 1e-2)
    start, features = adapter.start, encoded(model)
    other = Episode(episode.labels[::-1], episode.query, episode.support)
    adapter.adapt(start, features, episode)
    expected = [*values(adapter.learned), model.head.weight.numpy().copy()]
    adapter.adapt(start, features, other)
    adapter.adapt(start, features, episode)
    assert same(expected, [*values(adapter.learned), model.head.weight.numpy()])


def test_fomaml_steps_along_the_gradient_where_the_adapted_prompt_is(episode):
    """FOMAML and Reptile on a tiny model, against second implementations in numpy."""
    model = tiny_model(head="soft", encoder="none")
    features, adapter = encoded(model), Adapter(model, 3, 1e-2)
    start = adapter.start
    adapter.adapt(start, features, episode)
    gradient = paddle.grad(adapter.loss(features, episode, episode.query), adapter.learned)[0].numpy()
    adapter.restore(start)
    learner = FirstOrderMAML(adapter, 100, 1e-3)
    learner.step([(features, episode)])
    moved = learner.start[0] - start[0]
    strong = np.abs(gradient) > 1e-2 * np.abs(gradient).max()
    assert moved[strong] == pytest.approx(-1e-3 * np.sign(gradient[strong]), rel=1e-2)
    assert same(learner.start, adapter.start)


def test_reptile_moves_part_of_the_way(episode):
    model = tiny_model(head="soft")
    features, adapter = encoded(model), Adapter(model, 3, 1e-2)
    start = adapter.start
    ends = []
    for one in (episode, Episode(episode.labels, episode.query, episode.support)):
        adapter.adapt(start, features, one)
        ends.append(adapter.start)
    adapter.restore(start)
    learner = Reptile(adapter, 10, 0.4)
    learner.step([(features, episode), (features, Episode(episode.labels, episode.query, episode.support))])
    for before, after, first, second in zip(start, learner.start, *ends):
        assert after == pytest.approx(before + 0.4 * ((first + second) / 2 - before), abs=1e-6)
    half = learner.start
    learner._done = 5
    learner.step([(features, episode)])
    adapter.adapt(half, features, episode)
    assert learner.start[0] == pytest.approx(half[0] + 0.2 * (adapter.start[0] - half[0]), abs=1e-6)


@pytest.mark.parametrize("head", ["soft", "cosine"])
def test_what_was_learned_is_left_in_the_model(head, episode):
    model = tiny_model(head=head)
    features, adapter = encoded(model), Adapter(model, 3, 1e-2)
    learner = FirstOrderMAML(adapter, 4, 1e-2)
    rows, scale = values(adapter._head), model.cosine_scale
    learner.step([(features, episode)])
    learner.start[-1][:] = np.log(2.0)
    learner.finish()
    assert same(learner.start[:-1], values(model.soft_prompt.parameters()))
    if head == "soft":
        assert all(after == pytest.approx(2 * before) for before, after in zip(rows, values(adapter._head)))
    else:
        assert model.cosine_scale == pytest.approx(2 * scale)


def test_a_prompt_without_soft_tokens_has_nothing_to_learn():
    with pytest.raises(ConfigError, match="the template has none"):
        Adapter(tiny_model("{'text': 'text_a'}{'mask'}"), 1, 0.1)
