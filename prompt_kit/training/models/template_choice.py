"""Which template a language model reads best: the cosine head's accuracy on the labelled texts, before any training.

A template is judged by the labels of train.txt, each text by the head that all the others make (leave-one-out), and of
dev.txt, by the head that train.txt makes; without labels, by how sure the label words make the head of unlabelled
texts. One pass over the texts a template, nothing is trained. A template takes the place of one that stands before it
only if it is better by more than one standard error of the difference: a few dozen texts cannot tell near equals apart.

Perez et al., True Few-Shot Learning with Language Models, NeurIPS 2021 (arXiv:2105.11447) is the warning that choosing
prompts on few examples is noisy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from paddle import nn

from prompt_kit.data.dataset import Example
from prompt_kit.inference.prototypes import unit
from prompt_kit.metrics import softmax
from prompt_kit.prompt.neutral_texts import NEUTRAL_TEXTS
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.task import ONE_LABEL, Task
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.cpu.kernels import CPUKernels
from prompt_kit.training.models.cosine_head import SCALE, center_of, combine, leave_one_out, word_directions
from prompt_kit.training.models.heads import masked_lm_head
from prompt_kit.training.models.label_odds import leave_one_out_of_sets, share_examples
from prompt_kit.training.models.mask_states import mask_states

_MOST = 500  # texts of a kind: more would tell little more, and take longer


@dataclass(frozen=True)
class TemplateScore:
    """A template and how it did: `correct` [N] of the labelled texts, or [N] probabilities of the best label."""

    template: Template
    correct: np.ndarray

    @property
    def mean(self) -> float:
        return float(self.correct.mean())


def choose_template(scores: Sequence[TemplateScore]) -> TemplateScore:
    """The best one; of those that the texts cannot tell apart, the first."""
    best = scores[0]
    for one in scores[1:]:
        gain = one.correct - best.correct
        if gain.mean() > gain.std() / np.sqrt(len(gain)):
            best = one
    return best


def nearest_share(cosines: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """[N]: of each text's n labels (label sets [N, C]) the share that is among its n nearest; 1 for a text without labels."""
    counts = targets.sum(axis=1)
    ranks = (-cosines).argsort(axis=1).argsort(axis=1)
    found = (targets * (ranks < counts[:, None])).sum(axis=1)
    return np.where(counts > 0, found / np.maximum(counts, 1), 1.0)


class TemplateJudge:
    """Scores templates on one language model and one task.

    Args:
        backbone: a PaddleNLP ...ForMaskedLM, which is not changed.
        tokenizer: of it.
        verbalizer: labels and label words.
        train, dev: labelled examples, if there are any; `dev` needs `train`.
        unlabelled: texts, judged by where there is no labelled example.
        task: with several labels a text, of each text the share of its n labels that are among its n nearest counts.
        options: of PromptTokenizer, beside the template.
    """

    def __init__(
        self,
        backbone: nn.Layer,
        tokenizer: Tokenizer,
        verbalizer: Verbalizer,
        train: Sequence[Example] = (),
        dev: Sequence[Example] = (),
        unlabelled: Sequence[str] = (),
        task: Task = ONE_LABEL,
        **options,
    ):
        self._backbone, self._tokenizer, self._verbalizer, self._options = backbone, tokenizer, verbalizer, options
        self._train, self._dev = list(train)[:_MOST], list(dev)[:_MOST]
        self._unlabelled = [Example(text) for text in unlabelled[:_MOST]]
        self._task = task
        self._words = [Example(word) for words in verbalizer.words for word in words]
        self._neutral = [Example(text) for text in NEUTRAL_TEXTS]
        self._transform = masked_lm_head(backbone).transform

    def score(self, template: Template) -> TemplateScore:
        """By the labels of train and dev, or without them by the certainty of the label words."""
        parts = (self._words, self._train, self._dev, self._unlabelled, self._neutral)
        states = self._states(template, [example for part in parts for example in part])
        words, train, dev, unlabelled, neutral = np.split(states, np.cumsum([len(part) for part in parts[:-1]]))
        directions, center = word_directions(words, [len(of_label) for of_label in self._verbalizer.words])
        if not len(train):
            texts = unlabelled if len(unlabelled) else words
            logits = SCALE * unit(texts - (texts.mean(axis=0) if len(unlabelled) else center)) @ directions.T
            return TemplateScore(template, softmax(logits).max(axis=1))
        center = center_of(train, unlabelled, neutral)
        train, dev = unit(train - center), unit(dev - center)
        labels = self._targets(self._train)
        if self._task.several:
            weights = share_examples(labels)
            right = nearest_share(leave_one_out_of_sets(directions, train, weights), labels)
            if len(dev):
                cosines = dev @ combine(directions, train, weights).T
                right = np.concatenate([right, nearest_share(cosines, self._targets(self._dev))])
            return TemplateScore(template, right)
        right = leave_one_out(directions, train, labels).argmax(axis=1) == labels
        if len(dev):
            found = (dev @ combine(directions, train, labels).T).argmax(axis=1)
            right = np.concatenate([right, found == self._targets(self._dev)])
        return TemplateScore(template, right.astype("float64"))

    def _targets(self, examples: Sequence[Example]) -> np.ndarray:
        return self._task.targets([example.label for example in examples], self._verbalizer.label_to_id)

    def _states(self, template: Template, examples: Sequence[Example]) -> np.ndarray:
        """[N, M E] transformed mask states: a soft token starts as its word, so its word is read in its place."""
        prompt_tokenizer = PromptTokenizer(template.with_fixed_words(), self._tokenizer, **self._options)
        encoder = getattr(self._backbone, self._backbone.base_model_prefix, self._backbone)
        kernels = CPUKernels(encoder, self._tokenizer.pad_id)

        def read(input_ids, token_type_ids, mask_columns):
            return self._transform(kernels.rows(input_ids, mask_columns, token_type_ids=token_type_ids))

        features = prompt_tokenizer.encode_many(examples)
        try:
            return mask_states(self._backbone, read, features, self._tokenizer.pad_id)
        finally:
            kernels.remove()
