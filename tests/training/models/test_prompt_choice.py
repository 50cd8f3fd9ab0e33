"""The prompt where none is given: by the label words' lengths, by two texts, by the dataset."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny import EXAMPLES, LABELS, tiny_backbone, tiny_tokenizer

from prompt_kit.data.dataset import Dataset
from prompt_kit.prompt.neutral_templates import NEUTRAL_TEMPLATES
from prompt_kit.prompt.task import ONE_LABEL
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.models.prompt_choice import DEFAULT_PROMPT, choose_prompt, pair_prompt
from prompt_kit.training.models.prompt_model import PromptModel


@pytest.mark.parametrize(
    "lines, masks",
    [(["car==汽车", "sports==体育,比赛"], 2), (["car==车", "sports==体育"], 1), (["car==汽车", "sports==体育,球"], 1)],
)
def test_the_default_prompt_has_two_masks_where_every_word_has_two_tokens(tiny_folder, lines, masks):
    verbalizer, options = Verbalizer.from_lines(lines), {"model_name_or_path": str(tiny_folder), "max_seq_length": 32}
    model = PromptModel.build(verbalizer, head="soft", **options)
    assert model.prompt_tokenizer.num_masks == masks and model.template.uses_soft
    cosine = PromptModel.build(verbalizer, **options)  # reads words of any length as texts
    assert cosine.prompt_tokenizer.num_masks == 2 and cosine.template.uses_soft


@pytest.mark.parametrize(
    ("lines", "masks"), [(["car==汽车", "sports==体育,比赛"], 2), (["car==汽车", "sports==球"], 1)]
)
def test_the_prompt_of_two_texts(lines, masks):
    template = Template.from_prompt(pair_prompt(Verbalizer.from_lines(lines), tiny_tokenizer()))
    assert (template.num_masks, template.fields) == (masks, ("text_a", "text_b"))


def test_without_a_dataset_the_first_of_the_neutral_templates():
    backbone = SimpleNamespace(model=None, tokenizer=tiny_tokenizer())  # no model is asked
    for dataset in (None, Dataset(Path())):
        found = choose_prompt(backbone, LABELS, "cosine", False, dataset, 32, ONE_LABEL)
        assert found == NEUTRAL_TEMPLATES[0]
    assert choose_prompt(backbone, LABELS, "soft", False, None, 32, ONE_LABEL) == DEFAULT_PROMPT
    assert choose_prompt(backbone, LABELS, "cosine", True, None, 32, ONE_LABEL) == pair_prompt(LABELS, tiny_tokenizer())


def test_the_dataset_chooses_and_the_log_says_what(caplog):
    caplog.set_level(logging.INFO, logger="prompt_kit")
    backbone = SimpleNamespace(model=tiny_backbone(), tokenizer=tiny_tokenizer())
    found = choose_prompt(backbone, LABELS, "cosine", False, Dataset(Path(), EXAMPLES), 32, ONE_LABEL)
    (message,) = caplog.messages
    assert found in NEUTRAL_TEMPLATES and message.startswith(
        f"template: {found} (accuracy before training of the 5 tried: "
    )
