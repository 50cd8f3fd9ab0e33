"""The pair head: each text alone in a pass, their cosine, and what starts it."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from prompt_kit.data.dataset import Dataset, Example
from prompt_kit.errors import ConfigError
from prompt_kit.prompt.task import Task
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.models.pair_head import APART_PROMPT, PairHead, apart, fit_labels, leave_one_out_of_pairs
from prompt_kit.training.models.prompt_model import PromptModel

VERBALIZER = Verbalizer.from_lines(["same==体育", "other==财经"])
PAIRS = [Example("今晚球队", "same", "比赛冠军"), Example("汽车发布", "other", "股票"), Example("球", "same", "球队")]


def build(folder, **given):
    return PromptModel.build(VERBALIZER, model_name_or_path=str(folder), max_seq_length=40, **given)


def test_each_text_is_alone_in_its_pass():
    ids = paddle.to_tensor([[2, 5, 6, 3, 7, 8, 3], [2, 5, 3, 7, 3, 0, 0]])
    types = paddle.to_tensor([[0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 0, 0]])
    assert apart(ids, types, 0).tolist() == [
        [2, 5, 6, 3, 0, 0, 0],
        [2, 5, 3, 0, 0, 0, 0],
        [2, 0, 0, 0, 7, 8, 3],
        [2, 0, 0, 7, 3, 0, 0],
    ]


def test_the_first_text_has_the_states_that_it_has_beside_any_other(tiny_folder):
    model = build(tiny_folder, prompt=APART_PROMPT, head="pair")
    model.eval()
    others = [Example("今晚球队", text_b=other) for other in ("股票", "汽车发布")]
    states = model.mask_states(model.encode_texts(others)).reshape([2, 2, -1])
    np.testing.assert_allclose(states[0, 0], states[1, 0], atol=1e-5)
    assert np.abs(states[0, 1] - states[1, 1]).max() > 1e-3


def test_before_training_the_logits_are_linear_in_the_cosine(tiny_folder):
    model = build(tiny_folder, prompt=APART_PROMPT, head="pair")
    model.eval()
    features, labels = model.encode_texts(PAIRS), np.array([0, 1, 0])
    model.start_from_examples(features, labels)
    states = model.mask_states(features).reshape([3, 2, -1])
    texts = states - states.reshape([6, -1]).mean(axis=0)
    texts /= np.linalg.norm(texts, axis=-1, keepdims=True)
    cosines = (texts[:, 0] * texts[:, 1]).sum(axis=-1)
    slopes, bias = fit_labels(cosines, labels, 2)
    logits = model.head(paddle.to_tensor(states.reshape([3, 4, -1]))).numpy()
    np.testing.assert_allclose(logits, np.outer(cosines, slopes) + bias, rtol=1e-4, atol=1e-4)


def test_the_labels_of_cosines():
    """Of two labels by hand: the two logits are opposite, and 0 where the standardised cosine is, by symmetry."""
    slopes, bias = fit_labels(np.array([0.1, 0.3, 0.7, 0.9]), np.array([1, 1, 0, 0]), 2)
    assert slopes[0] == -slopes[1] > 0
    np.testing.assert_allclose(slopes * 0.5 + bias, 0.0, atol=1e-6)


def test_a_label_without_an_example_is_the_least_probable():
    cosines = np.array([0.1, 0.2, 0.8])
    slopes, bias = fit_labels(cosines, np.array([0, 0, 2]), 3)
    assert (np.outer(cosines, slopes) + bias).argmin(axis=1).tolist() == [1, 1, 1]


def test_leave_one_out_is_the_head_of_the_others():
    draw = np.random.default_rng(0)
    states, labels = draw.normal(size=[6, 8]), np.array([0, 1, 0, 1, 0, 1])
    found = leave_one_out_of_pairs(states, labels, 2)
    head = PairHead(2, 2, 4)
    head.start_from_examples(states[1:], labels[1:])
    logits = head(paddle.to_tensor(states[:1].reshape([1, 2, 4]).astype("float32"))).numpy()
    np.testing.assert_allclose(found[:1], logits, rtol=1e-4, atol=1e-4)


def test_it_is_the_default_of_training_pairs_alone(tiny_folder):
    data = Dataset(tiny_folder, train=PAIRS)
    assert build(tiny_folder, pairs=True, dataset=data).config.head == "pair"
    assert build(tiny_folder, pairs=True, dataset=data, head="soft").config.head == "soft"
    assert build(tiny_folder, pairs=True).config.head == "cosine"
    assert build(tiny_folder, pairs=True, dataset=data, mode="zero-shot").config.head == "cosine"
    assert build(tiny_folder, pairs=True, dataset=data, task=Task("multi-label")).config.head == "cosine"


@pytest.mark.parametrize(
    "prompt",
    [
        "{'text': 'text_a'}{'text': 'text_b'}{'mask'}{'mask'}",
        "{'mask'}{'text': 'text_a'}{'mask', 'token_type': 1}{'mask'}{'text': 'text_b'}",
    ],
)
def test_a_template_without_masks_for_each_text_is_refused(tiny_folder, prompt):
    with pytest.raises(ConfigError, match="the pair head needs a template with as many masks beside each of two texts"):
        build(tiny_folder, prompt=prompt, head="pair")
