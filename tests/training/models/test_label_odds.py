"""Cosines as log-odds, against a plain second implementation."""

from __future__ import annotations

import numpy as np
import pytest
from eager import predict
from sklearn.linear_model import LogisticRegression
from tiny import HARD, LABELS, tiny_backbone, tiny_model, tiny_tokenizer

from prompt_kit.data.dataset import Example
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.task import MULTI_LABEL, Task
from prompt_kit.prompt.template import Template
from prompt_kit.training.models.cosine_head import SCALE, WORD_EXAMPLES, center_of, unit
from prompt_kit.training.models.heads import ManualHead, SoftHead
from prompt_kit.training.models.label_odds import (
    bias_for,
    fit_odds,
    leave_one_out_of_sets,
    share_examples,
    start_of_sets,
)
from prompt_kit.training.models.prompt_model import PromptModel, PromptModelConfig

SETS = [Example("今天汽车发布球队", ("car", "sports")), Example("球队比赛", ("sports",)), Example("公司上市", ("finance",)),
        Example("汽车大涨", ("car", "finance")), Example("一二三四", ())]  # fmt: skip


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    words, examples = unit(rng.normal(size=(3, 8))), unit(rng.normal(size=(12, 8)))
    return words, examples, (rng.random((12, 3)) < 0.4).astype("float32")


def test_an_example_of_two_labels_counts_half_in_each():
    np.testing.assert_allclose(
        share_examples(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]])), [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 0]]
    )


def test_left_out_examples_take_no_part_in_their_directions(drawn):
    words, examples, targets = drawn
    weights = share_examples(targets)
    found = leave_one_out_of_sets(words, examples, weights)
    for row in range(len(examples)):
        others = np.arange(len(examples)) != row
        directions = unit(weights[others].T @ examples[others] + WORD_EXAMPLES * words)
        np.testing.assert_allclose(found[row], directions @ examples[row], atol=1e-9)


def test_odds_are_those_of_logistic_regression(drawn):
    _, _, targets = drawn
    rng = np.random.default_rng(1)
    cosines = np.clip(0.3 * targets + 0.2 * rng.normal(size=targets.shape), -1, 1)
    scale, bias = fit_odds(cosines, targets)
    model = LogisticRegression(C=1e6).fit(cosines.reshape(-1, 1), targets.ravel())
    assert scale == pytest.approx(model.coef_[0, 0])
    assert bias == pytest.approx(model.intercept_[0], abs=1e-2)
    mean = (1 / (1 + np.exp(-(scale * cosines + bias)))).mean()
    assert mean == pytest.approx(targets.mean(), abs=1e-6), "as many labels as there are"


def test_texts_that_lie_apart_have_a_bound():
    cosines, targets = np.array([[0.09, -0.09], [-0.09, 0.09]]), np.eye(2)
    assert fit_odds(cosines, targets)[0] == 24.0
    assert fit_odds(cosines, np.ones((2, 2))) == (SCALE, SCALE)
    assert fit_odds(cosines, np.zeros((2, 2))) == (SCALE, -SCALE)


def test_bias_for_a_share():
    logits = np.random.default_rng(2).normal(size=(50, 4)) * 3
    for share in (0.01, 0.25, 0.9):
        mean = (1 / (1 + np.exp(-(logits + bias_for(logits, share))))).mean()
        assert mean == pytest.approx(share, abs=1e-9)


def test_without_examples_a_text_has_one_label_in_the_mean(drawn):
    words, texts, _ = drawn
    directions, scale, bias = start_of_sets(words, texts[:0], np.zeros((0, 3)), texts)
    assert (directions is words) and scale == SCALE
    expected = (1 / (1 + np.exp(-(scale * texts @ words.T + bias)))).sum(axis=1).mean()
    assert expected == pytest.approx(1.0)


def several(head):
    tokenizer = PromptTokenizer(Template.parse(HARD), tiny_tokenizer(), 32)
    config = PromptModelConfig(head=head, base_model="tiny-ernie", task=Task(MULTI_LABEL))
    return PromptModel(tiny_backbone(), tokenizer, LABELS, config)


def targets_of(examples):
    return Task(MULTI_LABEL).targets([one.label for one in examples], LABELS.label_to_id)


def test_the_head_starts_at_the_fitted_odds():
    model = several("cosine")
    features, targets = model.prompt_tokenizer.encode_many(SETS), targets_of(SETS)
    model.start_from_examples(features, targets)
    states = model.mask_states(features)
    words, neutral = model._word_directions()
    examples = unit(states - center_of(states, states[:0], neutral))
    directions, scale, bias = start_of_sets(words, examples, targets, examples[:0])
    np.testing.assert_allclose(predict(model, SETS), scale * examples @ directions.T + bias, atol=1e-3)


@pytest.mark.parametrize("head", ["manual", "soft"])
def test_decoder_heads_are_centred_and_fitted(head):
    plain, model = tiny_model(HARD, head=head, encoder="none"), several(head)
    raw = predict(plain, SETS)
    centred = raw - raw.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(predict(model, SETS), centred, atol=1e-4)
    targets = targets_of(SETS)
    model.start_from_examples(model.prompt_tokenizer.encode_many(SETS), targets)
    if head == "soft":
        scale, bias = fit_odds(centred, targets)
        assert isinstance(model.head, SoftHead)
    else:
        scale, bias = 1.0, bias_for(centred, float(targets.mean()))
        assert isinstance(model.head, ManualHead)
    np.testing.assert_allclose(predict(model, SETS), scale * centred + bias, atol=1e-4)


def test_saved_and_loaded(tmp_path):
    model = several("manual")
    model.start_from_examples(model.prompt_tokenizer.encode_many(SETS), targets_of(SETS))
    model.task = Task(MULTI_LABEL, 0.37, at_least_one=False)
    model.save_pretrained(tmp_path / "saved")
    loaded = type(model).from_pretrained(tmp_path / "saved")
    assert loaded.task == model.task
    np.testing.assert_allclose(predict(loaded, SETS), predict(model, SETS), atol=1e-5)
