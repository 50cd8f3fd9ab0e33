"""ReplacedTokenModel: an ELECTRA discriminator that classifies by how original each label's words look in the text.

Sources: Xia et al., Prompting ELECTRA: Few-Shot Learning with Discriminative Pre-Trained Models, EMNLP 2022
(arXiv:2205.15223); Yao et al., Prompt Tuning for Discriminative Pre-trained Language Models, Findings of ACL 2022
(arXiv:2205.11166), DPT. Theirs is a binary loss on every option; here the options' scores are the logits of a softmax, so
that they are learned, calibrated, averaged and exported as any other model's.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np
import paddle
from paddle import nn

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import ConfigError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.task import ONE_LABEL, Task
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.prompt_config import ModelConfig
from prompt_kit.training.models.architectures import architecture_name, discriminator_classes
from prompt_kit.training.models.backbone import Backbone, load_discriminator
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.models.calibration import with_bias
from prompt_kit.training.models.filling import MaskFilling, WordList
from prompt_kit.training.models.soft_prompt import add_soft_prompt

logger = logging.getLogger(__name__)

PROMPT = "{'mask'}：{'text': 'text_a'}"  # reads 体育：今晚国足迎战日本队
PAIR_PROMPT = "{'text': 'text_a'}{'sep'}{'text': 'text_b'}。两句话的关系是{'mask'}"


@dataclass(frozen=True)
class ReplacedTokenConfig:
    """base_model: the name to record; mode: `rtd`, or `zero-shot` for an untrained one; calibration: a bias [C] or None."""

    base_model: str = ""
    mode: str = "rtd"
    calibration: Optional[tuple[float, ...]] = None
    head: str = "discriminator"
    task: Task = ONE_LABEL


class OriginalityHead(nn.Layer):
    """Logits of "replaced" at the words' tokens [B, K, T] -> label logits [B, C]: minus their mean over a label's words,
    which is the mean of their tokens'. Without parameters."""

    _offset: paddle.Tensor  # [C]

    def __init__(self, words: WordList, num_labels: int):
        super().__init__()
        of_label = (words.labels[:, None] == np.arange(num_labels)).astype("float32")
        self.register_buffer("_weights", paddle.to_tensor(-words.weights), persistable=False)  # [K, T]
        self.register_buffer("_of_label", paddle.to_tensor(of_label), persistable=False)  # [K, C]
        self.register_buffer("_offset", paddle.zeros([num_labels]), persistable=False)

    def shift(self, bias: np.ndarray) -> None:
        """Add `bias` [C] to the label logits, for good."""
        self._offset = paddle.to_tensor((self._offset.numpy() + bias).astype("float32"))

    def forward(self, replaced: paddle.Tensor) -> paddle.Tensor:
        """[B, K, T] -> [B, C]."""
        return paddle.matmul((replaced * self._weights).sum(axis=-1), self._of_label) + self._offset


class ReplacedTokenModel(TextClassifier):
    """An ELECTRA discriminator that says how original a text looks with each label's words in the template's mask.

    A label's logit is minus the discriminator's logit of "replaced", averaged over the tokens of a word and over the words
    of the label. All words of a batch make one batch of B K inputs. Nothing is added to the discriminator, so a model
    predicts before any training; with soft tokens in the template, what a hard prompt predicts.

    Args:
        backbone: a PaddleNLP ElectraDiscriminator.
        prompt_tokenizer: of a template with T masks side by side, T the tokens of the longest label word (`fit_template`).
        verbalizer: labels and label words, of any length.
        config: what to record.
    """

    method = "rtd"
    has_states = False
    reads_word_embeddings = True  # of label words, which no example need hold

    def __init__(
        self,
        backbone: nn.Layer,
        prompt_tokenizer: PromptTokenizer,
        verbalizer: Verbalizer,
        config: Optional[ReplacedTokenConfig] = None,
    ):
        super().__init__(backbone, prompt_tokenizer, verbalizer, config or ReplacedTokenConfig())
        words = WordList.of(verbalizer.token_table(self.tokenizer))
        if prompt_tokenizer.template.with_masks(words.longest) != prompt_tokenizer.template:
            raise ConfigError(
                f"the longest label word has {words.longest} tokens, so the template needs as many masks: "
                f"{prompt_tokenizer.template}"
            )
        self._shape = words.ids.shape
        self.vocab_size = backbone.get_input_embeddings().weight.shape[0]
        self.soft_prompt = add_soft_prompt(backbone, prompt_tokenizer)
        self.filling = MaskFilling(words, self.tokenizer.pad_id)
        self.head = OriginalityHead(words, len(verbalizer))
        if self.config.calibration is not None:
            self.head.shift(np.asarray(self.config.calibration, "float32"))

    @classmethod
    def build(
        cls,
        labels: Union[Verbalizer, PathLike],
        model_name_or_path: Optional[str],
        prompt: Optional[str] = None,
        soft_encoder: str = "lstm",
        encoder_hidden_size: Optional[int] = 200,
        max_seq_length: int = 128,
        first_max_length: Optional[int] = None,
        other_max_length: Optional[int] = None,
        truncate_mode: str = "tail",
        mode: str = "rtd",
        trust_pickle: bool = False,
        task: Task = ONE_LABEL,
        pairs: bool = False,
    ) -> ReplacedTokenModel:
        """An untrained ReplacedTokenModel from what a user gives, with train.py's defaults.

        Args:
            labels: a Verbalizer, or the path of a label.txt.
            model_name_or_path, trust_pickle: see load_discriminator.
            prompt: a template with one {'mask'}, or plain words (see Template.from_prompt); None: PROMPT.
            soft_encoder, encoder_hidden_size: of soft tokens that name no encoder; encoder_hidden_size None is the
                width of the word embeddings.
            mode: `zero-shot` for a model that is not going to be trained; it is recorded, and changes nothing else.
            task: what kind of answer a text has.
            pairs: whether a `prompt` that is None is of two texts.
        """
        verbalizer = labels if isinstance(labels, Verbalizer) else Verbalizer.from_file(labels)
        prompt = prompt or (PAIR_PROMPT if pairs else PROMPT)
        template = Template.from_prompt(prompt)
        if template.uses_soft:
            hidden_size = None if soft_encoder == "none" else encoder_hidden_size
            template = Template.from_prompt(prompt, soft_encoder, hidden_size)
        template.with_masks(1)  # a mistake in it is told before a model is loaded
        backbone = load_discriminator(model_name_or_path, trust_pickle)
        logger.info("discriminator: %s (%s)", backbone.name, backbone.reason)
        longest = WordList.of(verbalizer.token_table(backbone.tokenizer)).longest
        prompt_tokenizer = PromptTokenizer(
            template.with_masks(longest).with_options(verbalizer.first_words), backbone.tokenizer, max_seq_length,
            first_max_length, other_max_length, truncate_mode,
        )  # fmt: skip
        return cls(backbone.model, prompt_tokenizer, verbalizer, ReplacedTokenConfig(backbone.name, mode, task=task))

    def fit_template(self, template: Template) -> Template:
        """With as many masks as the longest label word has tokens."""
        return super().fit_template(template).with_masks(self._shape[1])

    def forward(self, input_ids, token_type_ids, mask_columns, soft_ids=None, return_mask_states=False):
        """Label logits.

        Args:
            input_ids, token_type_ids: [B, L] int64, padded with the pad id and 0.
            mask_columns: [B, T] int64, the columns of the masks.
            soft_ids: [B, L] int64, 0 for a word, n for soft token n; required if the template has soft tokens.
            return_mask_states: also return the encoder's states at the words' tokens, [B, K T, H].

        Returns:
            [B, C] float32, or a tuple of that and the states.
        """
        if self.soft_prompt is not None:
            input_ids = paddle.where(soft_ids > 0, soft_ids + (self.vocab_size - 1), input_ids)
        count, longest = self._shape
        states = self.encode_rows(*self.filling(input_ids, token_type_ids, mask_columns))  # [B K, T, H]
        predictions = self.backbone.discriminator_predictions
        # not its forward, which squeezes: a batch of one word of one token would lose its dimensions
        replaced = predictions.dense_prediction(predictions.act(predictions.dense(states)))
        logits = self.head(replaced.reshape([-1, count, longest]))
        if not return_mask_states:
            return logits
        return logits, states.reshape([-1, count * longest, states.shape[-1]])

    def add_bias(self, bias: np.ndarray) -> None:
        """Add `bias` [C] to the label logits, and record it as a calibration."""
        self.head.shift(bias.astype("float32"))
        self.config = with_bias(self.config, bias)

    def freeze_language_model(self) -> None:
        if self.soft_prompt is None and self.prefix is None:
            raise ConfigError(
                "--freeze_plm leaves nothing to train: --method rtd adds nothing to the discriminator but soft tokens and a "
                "prefix, and the template has neither; use {'soft'} in --prompt, or drop --freeze_plm"
            )
        super().freeze_language_model()

    def added_layers(self) -> list:
        return [] if self.soft_prompt is None else [self.soft_prompt]

    @staticmethod
    def backbone_classes(backbone_config: dict, where: str) -> tuple:
        return discriminator_classes(architecture_name(backbone_config), where)

    @staticmethod
    def load_base(name: str, trust_pickle: bool = False) -> Backbone:
        return load_discriminator(name, trust_pickle)

    @staticmethod
    def read_model_config(config: ModelConfig) -> ReplacedTokenConfig:
        return ReplacedTokenConfig(config.base_model, config.mode, config.calibration, config.head, config.task)
