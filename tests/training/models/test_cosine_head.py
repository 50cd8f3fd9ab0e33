"""The cosine head: it starts exactly where words, examples and texts put it, trains, exports, and is kept."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from eager import inputs, predict
from runs import names, same, saved_weights, trainer, weights
from tiny import EXAMPLES, LABELS, tiny_model

from prompt_kit.data.dataset import Example
from prompt_kit.inference.predictor import Predictor
from prompt_kit.inference.prototypes import unit
from prompt_kit.prompt.neutral_texts import NEUTRAL_TEXTS
from prompt_kit.training.export.exporter import export_bundle
from prompt_kit.training.models import prompt_model
from prompt_kit.training.models.cosine_head import (
    WORD_EXAMPLES,
    best_scale,
    center_of,
    cluster,
    combine,
    leave_one_out,
    refit,
    word_directions,
)
from prompt_kit.training.models.prompt_model import PromptModel

SOFT = "{'mask'}{'mask'}{'soft': '新闻'}{'text': 'text_a'}"
TEXTS = [example.text_a for example in EXAMPLES]
GOLD = np.array([LABELS.label_to_id[example.label] for example in EXAMPLES])


def cosine(**options) -> PromptModel:
    model = tiny_model(SOFT, head="cosine", **options)
    model.eval()
    return model


def states(model, texts) -> np.ndarray:
    """By hand: one text at a time."""
    found = []
    for text in texts:
        with paddle.no_grad():
            rows = model(**inputs(model, [text]), return_mask_states=True)[1]
            found.append(model.transform(rows).numpy().ravel())
    return np.stack(found)


def by_texts(start, texts, *examples_a_label):
    directions, shares = cluster(start, texts, *examples_a_label)
    return directions, texts, shares


def word_states(model):
    return [states(model, words).mean(axis=0) for words in LABELS.words]


def test_words_are_read_as_texts():
    model = cosine()
    middle = np.mean(word_states(model), axis=0)
    center = states(model, NEUTRAL_TEXTS).mean(axis=0)
    directions = [unit(states(model, words) - middle).mean(axis=0) for words in LABELS.words]
    expected = 12 * unit(states(model, TEXTS) - center) @ unit(np.stack(directions)).T
    np.testing.assert_allclose(predict(model), expected, atol=1e-4)


def test_words_and_examples_by_hand():
    words = np.array([[1.0, 0.0], [0.0, 1.0]])
    examples, labels = np.array([[0.6, 0.8], [0.6, -0.8], [-1.0, 0.0]]), np.array([0, 0, 1])
    assert WORD_EXAMPLES == 3
    # label 0: 3 (1, 0) + (1.2, 0) = (4.2, 0); label 1: 3 (0, 1) + (-1, 0) = (-1, 3)
    expected = np.array([[1, 0], [-1 / 10**0.5, 3 / 10**0.5]])
    np.testing.assert_allclose(combine(words, examples, labels), expected)
    np.testing.assert_allclose(combine(words, examples, np.eye(2)[labels]), expected)
    np.testing.assert_allclose(combine(words, examples[:0], labels[:0]), words)


def test_an_example_is_left_out_of_its_own_labels_direction():
    random = np.random.default_rng(0)
    words, examples = unit(random.normal(size=(3, 5))), unit(random.normal(size=(7, 5)))
    labels = np.array([0, 1, 2, 0, 1, 0, 1])
    for row in range(7):
        kept = np.arange(7) != row
        expected = combine(words, examples[kept], labels[kept]) @ examples[row]
        np.testing.assert_allclose(leave_one_out(words, examples, labels)[row], expected)


def test_the_center_is_that_of_many_texts_where_there_are_few_examples():
    examples, texts = np.array([[1.0, 0.0]] * 20), np.array([[0.0, 1.0]] * 500)
    neutral = np.array([[0.0, -1.0]] * 7)
    np.testing.assert_allclose(center_of(examples, texts, neutral), [0.25, 0.75])  # 20 examples, and texts worth 60
    np.testing.assert_allclose(center_of(examples, texts[:0], neutral), [20 / 36, -16 / 36])  # and 16
    np.testing.assert_allclose(center_of(examples[:0], texts[:0], neutral), [0.0, -1.0])


def test_clusters_are_found_beside_the_words():
    """Words 40 degrees off: the texts lie around (1, 0) and (0, 1), nearer to the right word than to the wrong one."""
    random = np.random.default_rng(0)
    angles = np.concatenate([random.normal(0.0, 0.1, 60), random.normal(np.pi / 2, 0.1, 60)])
    texts = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    off = np.deg2rad(40)
    words = np.array([[np.cos(-off), np.sin(-off)], [np.cos(np.pi / 2 + off), np.sin(np.pi / 2 + off)]])
    found, shares = cluster(words, texts)
    np.testing.assert_array_equal(shares.argmax(axis=1), [0] * 60 + [1] * 60)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert np.rad2deg(np.arccos((found * np.eye(2)).sum(axis=1))).max() < 21  # halfway, at equal trust
    nearer, _ = cluster(words, texts, examples_a_label=1000)
    np.testing.assert_allclose(nearer, words, atol=0.02)


def test_a_label_that_takes_many_texts_is_held_back():
    """By hand, one text at a time: three in four texts are nearer to the first word."""
    random = np.random.default_rng(0)
    angles = np.concatenate([random.normal(0.0, 0.1, 90), random.normal(0.6, 0.1, 30)])
    texts = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    words = np.stack([np.cos([0.1, 0.9]), np.sin([0.1, 0.9])], axis=1)
    directions = words
    for _ in range(10):
        rows = [np.exp(25 * directions @ text) / np.exp(25 * directions @ text).sum() for text in texts]
        taken = sum(rows)
        rows = [row / np.sqrt(taken) / (row / np.sqrt(taken)).sum() for row in rows]
        means = sum(np.outer(row, text) for row, text in zip(rows, texts))
        directions = unit(unit(means) + words * (1 + 4 / 16))
    found, shares = cluster(words, texts, examples_a_label=4)
    np.testing.assert_allclose(shares, rows, atol=1e-9)
    np.testing.assert_allclose(found, directions, atol=1e-9)
    plain = np.exp(25 * texts @ words.T)
    assert shares.sum(axis=0)[0] < (plain / plain.sum(axis=1, keepdims=True)).sum(axis=0)[0] + 1e-9


def test_the_regression_by_least_squares():
    """An example counts as three texts; the penalty is ten more rows of each unit vector, whose targets are the start."""
    random = np.random.default_rng(2)
    start, texts = unit(random.normal(size=(3, 4))), unit(random.normal(size=(9, 4)))
    examples, labels = unit(random.normal(size=(5, 4))), np.array([2, 0, 1, 1, 0])
    shares = random.dirichlet(np.ones(3), size=9)
    rows = np.concatenate([texts, *[examples] * 3, *[np.eye(4)] * 10])
    targets = np.concatenate([shares, *[np.eye(3)[labels]] * 3])
    targets = np.concatenate([targets - 1 / 3, *[start.T / 2] * 10])
    expected = np.linalg.lstsq(rows, targets, rcond=None)[0].T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(refit(start, texts, shares, examples, labels), expected, atol=1e-9)
    np.testing.assert_allclose(refit(start, texts, shares, examples, np.eye(3)[labels]), expected, atol=1e-9)
    nothing = refit(start, texts, shares, examples[:0], labels[:0])
    assert nothing.shape == (3, 4) and np.isfinite(nothing).all()


def test_the_regression_turns_away_from_what_labels_share():
    """Two labels whose means differ little beside a spread that says nothing."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 400)
    texts = unit(np.stack([0.3 * (2 * labels - 1), random.normal(size=400)], axis=1))
    start = unit(np.array([[-1.0, 0.8], [1.0, -0.8]]))
    assert ((texts @ start.T).argmax(axis=1) == labels).mean() < 0.7
    found = refit(start, texts, np.eye(2)[labels], texts[:0], labels[:0])
    assert ((texts @ found.T).argmax(axis=1) == labels).mean() > 0.99


@pytest.mark.parametrize(("noise", "scale"), [(0.0, 24.0), (2.0, 2.0)])
def test_the_scale_is_as_sharp_as_the_examples_are_sure(noise, scale):
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, 300)
    cosines = 0.4 * np.eye(3)[labels] + noise * random.normal(size=(300, 3))
    assert best_scale(cosines, labels) == scale


def test_training_starts_at_the_examples_and_the_start_can_stay_the_best(tmp_path):
    model = cosine(dropout=0.0)
    run = trainer(tmp_path, model, max_steps=2, learning_rate=1e-9, ppt_learning_rate=0.3)
    expected = cosine(dropout=0.0)
    expected.start_from_examples(expected.encode_texts(TEXTS), GOLD)
    before = weights(expected)
    run.train()
    scores = [entry["eval_loss"] for entry in run.state.log_history if "eval_loss" in entry]
    assert len(scores) == 2 and scores[1] != scores[0]  # before the first step, and after the epoch
    best = saved_weights(run.state.best_model_checkpoint)
    assert same(weights(run.model), best)
    if run.state.best_model_checkpoint.endswith("-0"):
        assert same(best, before)
    assert saved_weights(tmp_path / "checkpoint-0").keys() == before.keys()
    np.testing.assert_allclose(
        saved_weights(tmp_path / "checkpoint-0")["head.weight"], before["head.weight"], atol=1e-6
    )


def test_a_run_resumed_at_the_start_equals_the_uninterrupted_one(tmp_path):
    options = dict(
        max_steps=4, save_strategy="steps", save_steps=1, eval_steps=1, evaluation_strategy="steps", ema_decay=0.9
    )
    whole = trainer(tmp_path / "whole", cosine(seed=3), **options)
    whole.train()
    assert "checkpoint-0" in names(tmp_path / "whole")
    for start in (0, 2):
        resumed = trainer(tmp_path / f"resumed-{start}", cosine(seed=9), **options)
        resumed.train(str(tmp_path / "whole" / f"checkpoint-{start}"))
        assert same(weights(resumed.model), weights(whole.model)), start
        losses = [
            [entry["eval_loss"] for entry in run.state.log_history if "eval_loss" in entry] for run in (whole, resumed)
        ]
        assert losses[0] == losses[1]


def test_texts_without_labels_take_part_in_the_start():
    texts = ["球队今天比赛", "新车发布", "股票上市", "手机公司"]
    model = cosine()
    model.start_from_texts(texts)
    found = states(model, texts)
    words = word_directions(states(model, [w for ws in LABELS.words for w in ws]), [len(ws) for ws in LABELS.words])[0]
    center = found.mean(axis=0)
    np.testing.assert_allclose(model.head.center.numpy(), center, atol=1e-5)
    expected = refit(*by_texts(words, unit(found - center)), np.empty((0, found.shape[1])), np.arange(0))
    np.testing.assert_allclose(model.head.weight.numpy(), expected, atol=1e-4)
    before = model.head.weight.numpy().copy()
    model.start_from_examples(model.encode_texts(TEXTS), GOLD)
    examples = states(model, TEXTS)
    center = center_of(examples, found, found[:0])
    directions = combine(words, unit(examples - center), GOLD)
    start = by_texts(directions, unit(found - center), len(GOLD) / 3)
    expected = refit(*start, unit(examples - center), GOLD)
    np.testing.assert_allclose(model.head.weight.numpy(), expected, atol=1e-4)
    assert np.abs(before - expected).max() > 0.01


def test_examples_alone_are_centred_beside_neutral_texts():
    model = cosine()
    model.start_from_examples(model.encode_texts(TEXTS), GOLD)
    examples = states(model, TEXTS)
    center = (examples.sum(axis=0) + 16 * states(model, NEUTRAL_TEXTS).mean(axis=0)) / (len(TEXTS) + 16)
    np.testing.assert_allclose(model.head.center.numpy(), center, atol=1e-5)
    words = word_directions(states(model, [w for ws in LABELS.words for w in ws]), [len(ws) for ws in LABELS.words])[0]
    examples = unit(examples - center)
    np.testing.assert_allclose(model.head.weight.numpy(), combine(words, examples, GOLD), atol=5e-5)
    right = [
        (combine(words, np.delete(examples, row, 0), np.delete(GOLD, row)) @ examples[row]).argmax() == GOLD[row]
        for row in range(len(TEXTS))
    ]
    scores = model.leave_one_out(model.encode_texts(TEXTS), GOLD)
    np.testing.assert_array_equal(scores.argmax(axis=1) == GOLD, right)


def test_saved_loaded_and_exported_it_gives_the_same_answers(tmp_path):
    model = cosine()
    model.start_from_examples(model.encode_texts(TEXTS), GOLD)
    model.save_pretrained(tmp_path / "saved")
    loaded = PromptModel.from_pretrained(tmp_path / "saved")
    np.testing.assert_allclose(predict(loaded), predict(model), atol=1e-5)
    export_bundle(model, tmp_path / "export", fp16=False)  # random states are too much alike for half precision
    predictor = Predictor(tmp_path / "export", device="cpu", precision="fp32")
    expected = np.exp(predict(model).astype("float64"))
    probabilities = predictor.probabilities([Example(text) for text in TEXTS])
    np.testing.assert_allclose(probabilities, expected / expected.sum(axis=1, keepdims=True), atol=1e-4)


def test_of_very_many_texts_every_nth_is_read(monkeypatch):
    monkeypatch.setattr(prompt_model, "_MOST_TEXTS", 3)
    texts = ["球队", "新车", "股票", "手机", "比赛", "公司", "汽车"]
    model = cosine()
    model.start_from_texts(texts)
    np.testing.assert_allclose(model._texts, states(model, texts[::3]), atol=1e-5)
