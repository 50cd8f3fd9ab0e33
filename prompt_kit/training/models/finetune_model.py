"""FineTuneModel: the usual way to classify with a pretrained encoder, to compare prompts with, and for larger data."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Optional, Union

from paddle import nn

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import ConfigError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.task import ONE_LABEL, Task
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.prompt_config import ModelConfig
from prompt_kit.training.models.architectures import architecture_name, encoder_classes
from prompt_kit.training.models.backbone import Backbone, load_backbone
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.models.heads import LinearHead

logger = logging.getLogger(__name__)

TEMPLATE = "{'text': 'text_a'}"
PAIR_TEMPLATE = "{'text': 'text_a'}{'sep'}{'text': 'text_b', 'token_type': 1}"


@dataclass(frozen=True)
class FineTuneConfig:
    """base_model: the name to record. The others are what folders and exports say of every model."""

    base_model: str = ""
    head: str = "linear"
    mode: str = "finetune"
    task: Task = ONE_LABEL


class FineTuneModel(TextClassifier):
    """An encoder with dropout and a linear classifier on the state of [CLS]; the label words play no part.

    The classifier starts at random, so unlike a prompt it predicts nothing before it is trained.

    Args:
        backbone: a PaddleNLP ErnieModel, BertModel, RobertaModel or ElectraModel.
        prompt_tokenizer: of a template of texts alone, without mask and words.
        verbalizer: the labels.
        config: the name to record.
    """

    method = "finetune"

    def __init__(
        self,
        backbone: nn.Layer,
        prompt_tokenizer: PromptTokenizer,
        verbalizer: Verbalizer,
        config: Optional[FineTuneConfig] = None,
    ):
        if prompt_tokenizer.num_masks:
            raise ConfigError(f"fine-tuning reads [CLS], but the template has masks: {prompt_tokenizer.template}")
        super().__init__(backbone, prompt_tokenizer, verbalizer, config or FineTuneConfig())
        settings = backbone.config
        dropout = getattr(settings, "classifier_dropout", None)
        self.head = LinearHead(
            settings.hidden_size,
            len(verbalizer),
            settings.hidden_dropout_prob if dropout is None else dropout,
            settings.initializer_range,
        )
        self._kernels.speed_up_dropout(self.head)

    @classmethod
    def build(
        cls,
        labels: Union[Verbalizer, PathLike],
        model_name_or_path: Optional[str] = None,
        max_seq_length: int = 128,
        first_max_length: Optional[int] = None,
        other_max_length: Optional[int] = None,
        truncate_mode: str = "tail",
        template: str = TEMPLATE,
        trust_pickle: bool = False,
        task: Task = ONE_LABEL,
    ) -> FineTuneModel:
        """An untrained FineTuneModel from what a user gives, with train.py's defaults.

        Args:
            labels: a Verbalizer, or the path of a label.txt.
            model_name_or_path, trust_pickle: see load_backbone.
            template: of texts and {'sep'} alone.
        """
        verbalizer = labels if isinstance(labels, Verbalizer) else Verbalizer.from_file(labels)
        parsed = Template.parse(template)
        backbone = load_backbone(model_name_or_path, encoder=True, trust_pickle=trust_pickle)
        logger.info("language model: %s (%s)", backbone.name, backbone.reason)
        prompt_tokenizer = PromptTokenizer(
            parsed, backbone.tokenizer, max_seq_length, first_max_length, other_max_length, truncate_mode
        )
        return cls(backbone.model, prompt_tokenizer, verbalizer, FineTuneConfig(backbone.name, task=task))

    def forward(self, input_ids, token_type_ids, mask_columns, soft_ids=None, return_mask_states=False):
        """Label logits, with the signature of PromptModel.

        Args:
            input_ids, token_type_ids: [B, L] int64, padded with the pad id and 0.
            mask_columns: [B, 1] int64, the column of [CLS].
            soft_ids: None.
            return_mask_states: also return the encoder's states at [CLS], [B, 1, H].

        Returns:
            [B, C] float32, or a tuple of that and the states.
        """
        states = self.encode_rows(input_ids, token_type_ids, mask_columns)
        logits = self.head(states)
        return (logits, states) if return_mask_states else logits

    def added_layers(self) -> list:
        return [self.head]

    def _unique_state(self) -> dict:
        # not the pooler, which is not used, and which not every RobertaModel has
        return {name: p for name, p in self.named_parameters() if not name.startswith("backbone.pooler.")}

    @staticmethod
    def backbone_classes(backbone_config: dict, where: str) -> tuple:
        return encoder_classes(architecture_name(backbone_config), where)

    @staticmethod
    def load_base(name: str, trust_pickle: bool = False) -> Backbone:
        return load_backbone(name, encoder=True, trust_pickle=trust_pickle)

    @staticmethod
    def read_model_config(config: ModelConfig) -> FineTuneConfig:
        return FineTuneConfig(config.base_model, config.head, config.mode, config.task)
