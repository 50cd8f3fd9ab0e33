"""Which template is chosen, and by what."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import EXAMPLES, LABELS, tiny_backbone, tiny_model, tiny_tokenizer

from prompt_kit.prompt.neutral_texts import NEUTRAL_TEXTS
from prompt_kit.prompt.template import Template
from prompt_kit.training.models.cosine_head import combine, leave_one_out, unit, word_directions
from prompt_kit.training.models.template_choice import TemplateJudge, TemplateScore, choose_template

TEMPLATES = [Template.parse(text) for text in ("{'mask'}{'text': 'text_a'}", "{'text': 'text_a'}{'mask'}")]


def score(template, *correct):
    return TemplateScore(template, np.array(correct, "float64"))


def test_the_better_one_is_chosen():
    first, second = score(TEMPLATES[0], *[0] * 40), score(TEMPLATES[1], *[1] * 30, *[0] * 10)
    assert choose_template([first, second]) is second
    assert choose_template([second, first]) is second


def test_of_near_equals_the_first_is_chosen():
    """One text more of forty is less than one standard error."""
    first = score(TEMPLATES[0], *[1, 0] * 20)
    second = score(TEMPLATES[1], *[0, 1] * 19, 1, 1)
    assert second.mean > first.mean and choose_template([first, second]) is first


@pytest.mark.parametrize(
    "prompt", ["{'mask'}{'mask'}{'soft': '新闻'}{'text': 'text_a'}", "{'text': 'text_a'}{'soft': '这条'}{'mask'}"]
)
def test_a_score_is_that_of_the_untrained_model(prompt):
    """Train by leave-one-out, dev by the head of train."""
    judge = TemplateJudge(
        tiny_backbone(), tiny_tokenizer(), LABELS, train=EXAMPLES[:6], dev=EXAMPLES[6:], max_seq_length=32
    )
    found = judge.score(Template.parse(prompt)).correct
    model = tiny_model(prompt, head="cosine", encoder="lstm")
    model.eval()
    labels = np.array([LABELS.label_to_id[example.label] for example in EXAMPLES])
    states = model.mask_states(model.prompt_tokenizer.encode_many(EXAMPLES))
    words = model.mask_states(model.encode_texts([word for words in LABELS.words for word in words]))
    directions = word_directions(words, [len(words) for words in LABELS.words])[0]
    neutral = model.mask_states(model.encode_texts(NEUTRAL_TEXTS)).mean(axis=0)
    states = unit(states - (states[:6].sum(axis=0) + 16 * neutral) / 22)
    right = leave_one_out(directions, states[:6], labels[:6]).argmax(axis=1) == labels[:6]
    dev = (states[6:] @ combine(directions, states[:6], labels[:6]).T).argmax(axis=1) == labels[6:]
    np.testing.assert_array_equal(found, [*right, *dev])


def test_without_labels_it_is_judged_by_certainty():
    judge = TemplateJudge(tiny_backbone(), tiny_tokenizer(), LABELS, unlabelled=["球队", "新车"], max_seq_length=32)
    found = judge.score(TEMPLATES[0]).correct
    assert found.shape == (2,) and (found > 1 / 3).all() and (found <= 1).all()
