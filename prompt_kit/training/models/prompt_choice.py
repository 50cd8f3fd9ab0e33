"""The prompt of a PromptModel where a user gives none: of two texts, of the cosine head, and of the other heads."""

from __future__ import annotations

import logging
from typing import Optional

from prompt_kit.data.dataset import Dataset
from prompt_kit.prompt.neutral_templates import neutral_templates
from prompt_kit.prompt.task import Task
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.models.backbone import Backbone
from prompt_kit.training.models.pair_head import APART_PROMPT
from prompt_kit.training.models.template_choice import TemplateJudge, choose_template

logger = logging.getLogger(__name__)

DEFAULT_PROMPT = "{'mask'}{'mask'}{'soft': '新闻：'}{'text': 'text_a'}"  # reads 体育新闻：今晚国足迎战日本队
PAIR_PROMPT = "{{'text': 'text_a'}}{{'sep'}}{{'text': 'text_b'}}{{'soft': '。两句话的关系是'}}{}"
PLAIN_PROMPT = "这条新闻标题的主题是"  # for label words of other lengths than two tokens; PaddleNLP's example has it


def choose_prompt(
    backbone: Backbone,
    verbalizer: Verbalizer,
    head: str,
    pairs: bool,
    dataset: Optional[Dataset],
    max_seq_length: int,
    task: Task,
) -> str:
    """For the cosine head the one of NEUTRAL_TEMPLATES that suits `dataset` best (see template_choice.py)."""
    if head == "pair":
        return APART_PROMPT
    if pairs:
        return pair_prompt(verbalizer, backbone.tokenizer)
    if head == "cosine":
        return str(_choose_template(backbone, verbalizer, dataset, max_seq_length, task))
    return default_prompt(verbalizer, backbone.tokenizer)


def pair_prompt(verbalizer: Verbalizer, tokenizer: Tokenizer) -> str:
    """The prompt of two texts where none is given, with two masks if every label word fits them, else with one."""
    fits = all(len(tokenizer.encode(word)) == 2 for words in verbalizer.words for word in words)
    return PAIR_PROMPT.format("{'mask'}{'mask'}" if fits else "{'mask'}")


def default_prompt(verbalizer: Verbalizer, tokenizer: Tokenizer) -> str:
    """The prompt where none is given: two masks in front of the text if every label word fits them, else one behind it."""
    fits = all(len(tokenizer.encode(word)) == 2 for words in verbalizer.words for word in words)
    return DEFAULT_PROMPT if fits else PLAIN_PROMPT


def _choose_template(
    backbone: Backbone, verbalizer: Verbalizer, dataset: Optional[Dataset], max_seq_length: int, task: Task
) -> Template:
    """The neutral template that suits the dataset best; the first one without a dataset. Says which, and why."""
    templates = neutral_templates()
    if dataset is None or not (dataset.train or dataset.unlabelled):
        return templates[0]
    judge = TemplateJudge(
        backbone.model, backbone.tokenizer, verbalizer, dataset.train or (), dataset.dev or (),
        [text for text in dataset.unlabelled or () if isinstance(text, str)],
        task, max_seq_length=max_seq_length,
    )  # fmt: skip
    scores = [judge.score(template) for template in templates]
    best = choose_template(scores)
    known = "share of the labels found before training" if task.several else "accuracy before training"
    what = known if dataset.train else "mean probability of the best label word"
    listed = ", ".join(f"{score.mean:.3f}" for score in scores)
    logger.info("template: %s (%s of the %d tried: %s)", best.template, what, len(scores), listed)
    return best.template
