"""PromptModel: token ids, with soft prompts if any -> language model -> mask states -> label logits."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np
import paddle
from paddle import nn

from prompt_kit.data.dataset import AText, Dataset
from prompt_kit.data.lines import PathLike
from prompt_kit.errors import ConfigError
from prompt_kit.inference.prototypes import unit
from prompt_kit.prompt.neutral_texts import NEUTRAL_TEXTS
from prompt_kit.prompt.prompt_tokenizer import Features, PromptTokenizer
from prompt_kit.prompt.task import ONE_LABEL, Task
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.prompt_config import ModelConfig
from prompt_kit.training.models.architectures import architecture_classes, architecture_name
from prompt_kit.training.models.backbone import Backbone, load_backbone
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.models.calibration import with_bias
from prompt_kit.training.models.cosine_head import (
    SCALE,
    CosineHead,
    best_scale,
    center_of,
    cluster,
    combine,
    leave_one_out,
    refit,
    word_directions,
)
from prompt_kit.training.models.heads import HEADS, ManualHead, SoftHead, masked_lm_head
from prompt_kit.training.models.label_odds import (
    BIAS,
    bias_for,
    fit_odds,
    leave_one_out_of_sets,
    share_examples,
    start_of_sets,
)
from prompt_kit.training.models.mask_states import mask_states
from prompt_kit.training.models.pair_head import PairHead, apart, check_masks, leave_one_out_of_pairs
from prompt_kit.training.models.prompt_choice import (
    DEFAULT_PROMPT,
    PAIR_PROMPT,
    PLAIN_PROMPT,
    choose_prompt,
    default_prompt,
    pair_prompt,
)
from prompt_kit.training.models.prototype_head import PrototypeHead
from prompt_kit.training.models.soft_prompt import add_soft_prompt

__all__ = [
    "DEFAULT_PROMPT",
    "PAIR_PROMPT",
    "PLAIN_PROMPT",
    "PromptModel",
    "PromptModelConfig",
    "default_prompt",
    "pair_prompt",
]

logger = logging.getLogger(__name__)

_MOST_TEXTS = 4000  # unlabelled ones that the cosine head is started from: more gained nothing, and take longer


@dataclass(frozen=True)
class PromptModelConfig:
    """What a PromptModel is, beside its language model and template.

    head: one of HEADS, or "pair", which "cosine" becomes for two texts; base_model: the name to record.
    mode: `prompt`, or `zero-shot` for an untrained one.
    task: the kind of task, and with several labels a text the threshold of an answer.
    calibration: a bias [C] of the pretrained head's label logits, None without calibration (see calibration.py).
    """

    head: str = "cosine"
    base_model: str = ""
    mode: str = "prompt"
    calibration: Optional[tuple[float, ...]] = None
    task: Task = ONE_LABEL

    def __post_init__(self):
        if self.head not in (*HEADS, "pair"):
            raise ConfigError(f"unknown verbalizer head '{self.head}'; expected one of {', '.join(HEADS)}")


class PromptModel(TextClassifier):
    """A masked language model that classifies by filling in the template's masks.

    Before any training it predicts what the hard prompt predicts: soft tokens start from their words and the soft encoder
    is the identity. The cosine head starts from the label words, read as texts, and from training examples where
    `start_from_examples` is given some, and the pair head from training pairs; the other heads start as the pretrained
    one: the soft head from the label words' decoder rows, prototypes mixed in from zero.

    Args:
        backbone: a PaddleNLP ERNIE, BERT, RoBERTa or ELECTRA-generator …ForMaskedLM.
        prompt_tokenizer: template and tokenizer.
        verbalizer: labels and label words.
        config: head and soft encoder.
    """

    method = "prompt"

    def __init__(
        self,
        backbone: nn.Layer,
        prompt_tokenizer: PromptTokenizer,
        verbalizer: Verbalizer,
        config: Optional[PromptModelConfig] = None,
    ):
        if not prompt_tokenizer.num_masks:
            raise ConfigError(f"the template has no mask, expected {{'mask'}} in it: {prompt_tokenizer.template}")
        super().__init__(backbone, prompt_tokenizer, verbalizer, config or PromptModelConfig())
        self.vocab_size, width = backbone.get_input_embeddings().weight.shape
        self._lm_head = masked_lm_head(backbone)
        self.soft_prompt = add_soft_prompt(backbone, prompt_tokenizer)
        sizes = (prompt_tokenizer.num_masks, len(verbalizer), width)
        self._texts = np.empty(
            [0, sizes[0] * width], "float32"
        )  # states of unlabelled texts, while the head is being started
        if self.config.head == "cosine":
            self.head = CosineHead(*sizes)
            self._start_from_words()
        elif self.config.head == "pair":
            check_masks(self.encode_texts(["一"])[0], self.template)
            self.head = PairHead(*sizes)
        else:
            self.head = self._decoder_head(*sizes)
        self._stop_unused()

    def _decoder_head(self, *sizes: int) -> nn.Layer:
        """A head that starts as the pretrained one."""
        num_masks = self.prompt_tokenizer.num_masks
        tokens = self.verbalizer.token_table(self.tokenizer, num_masks)
        manual = ManualHead(self._lm_head, tokens, num_masks, centred=self.task.several)
        if self.config.calibration is not None:
            manual.shift(np.asarray(self.config.calibration, "float32"))
        if self.config.head == "soft":
            head = SoftHead(*sizes)
            head.start_from(manual)
            return head
        return PrototypeHead(manual, *sizes) if self.config.head == "prototype" else manual

    def _start_from_words(self) -> None:
        directions, neutral = self._word_directions()
        center = neutral.mean(axis=0) if len(neutral) else np.zeros_like(directions[0])
        self.head.start_from(center, directions, bias=BIAS if self.task.several else 0.0)

    def _word_directions(self) -> tuple[np.ndarray, np.ndarray]:
        """Directions [C, D] of the label words, read as texts, and the states [K, D] of NEUTRAL_TEXTS.

        Of two texts no word can be read in the place: 不同 beside 不同 looks like a pair of equal ones. There the words'
        rows of the pretrained decoder stand for them, less their mean: what it multiplies the states with; and K is 0.
        """
        if self.reads_pairs:
            num_masks = self.prompt_tokenizer.num_masks
            table = self.verbalizer.token_table(self.tokenizer, num_masks)
            rows = ManualHead(self._lm_head, table, num_masks).rows()[0].detach().transpose([1, 0, 2]).numpy()
            flat = rows.reshape([len(self.verbalizer), -1])
            return unit(flat - flat.mean(axis=0)), np.empty([0, flat.shape[1]], "float32")
        words = [word for of_label in self.verbalizer.words for word in of_label]
        states = self.mask_states(self.encode_texts([*words, *NEUTRAL_TEXTS]))
        directions, _ = word_directions(states[: len(words)], [len(of_label) for of_label in self.verbalizer.words])
        return directions, states[len(words) :]

    @classmethod
    def build(
        cls,
        labels: Union[Verbalizer, PathLike],
        prompt: Optional[str] = None,
        model_name_or_path: Optional[str] = None,
        soft_encoder: str = "lstm",
        encoder_hidden_size: Optional[int] = 200,
        head: str = "cosine",
        max_seq_length: int = 128,
        first_max_length: Optional[int] = None,
        other_max_length: Optional[int] = None,
        truncate_mode: str = "tail",
        mode: str = "prompt",
        trust_pickle: bool = False,
        dataset: Optional[Dataset] = None,
        task: Task = ONE_LABEL,
        pairs: bool = False,
    ) -> PromptModel:
        """An untrained PromptModel from what a user gives, with train.py's defaults.

        Args:
            labels: a Verbalizer, or the path of a label.txt.
            prompt: a template, or plain words (see Template.from_prompt); None: for the cosine head the one of
                NEUTRAL_TEMPLATES that suits `dataset` best (see template_choice.py), for another see default_prompt.
            model_name_or_path, trust_pickle: see load_backbone.
            soft_encoder, encoder_hidden_size: of soft tokens that name no encoder; encoder_hidden_size None is the
                width of the word embeddings.
            dataset: the task, which the template is chosen by.
            mode: `zero-shot` for a model that is not going to be trained; it is recorded, and changes nothing else.
            task: what kind of answer a text has.
            pairs: whether a `prompt` that is None is of two texts; then "cosine" is the pair head where `dataset` has
                training pairs, see pair_head.py, and for another see pair_prompt.
        """
        verbalizer = labels if isinstance(labels, Verbalizer) else Verbalizer.from_file(labels)
        if prompt is not None:
            Template.from_prompt(prompt)  # a mistake in it is told before a model is loaded
        backbone = load_backbone(model_name_or_path, trust_pickle=trust_pickle)
        logger.info("language model: %s (%s)", backbone.name, backbone.reason)
        if prompt is None and pairs and head == "cosine" and _can_compare(dataset, mode, task):
            head = "pair"
        if prompt is None:
            prompt = choose_prompt(backbone, verbalizer, head, pairs, dataset, max_seq_length, task)
        template = Template.from_prompt(prompt)
        if template.uses_soft:
            hidden_size = None if soft_encoder == "none" else encoder_hidden_size
            template = Template.from_prompt(prompt, soft_encoder, hidden_size)
        prompt_tokenizer = PromptTokenizer(
            template.with_options(verbalizer.first_words),
            backbone.tokenizer,
            max_seq_length,
            first_max_length,
            other_max_length,
            truncate_mode,
        )
        return cls(
            backbone.model, prompt_tokenizer, verbalizer, PromptModelConfig(head, backbone.name, mode, task=task)
        )

    def forward(self, input_ids, token_type_ids, mask_columns, soft_ids=None, return_mask_states=False):
        """Label logits.

        Args:
            input_ids, token_type_ids: [B, L] int64, padded with the pad id and 0.
            mask_columns: [B, M] int64, the columns of the masks.
            soft_ids: [B, L] int64, 0 for a word, n for soft token n; required if the template has soft tokens.
            return_mask_states: also return the encoder's states at the masks, [B, M, H].

        Returns:
            [B, C] float32, or a tuple of that and the mask states.
        """
        states = self.encode_masks(input_ids, token_type_ids, mask_columns, soft_ids)
        logits = self.head(self.transform(states))
        return (logits, states) if return_mask_states else logits

    def encode_masks(self, input_ids, token_type_ids, mask_columns, soft_ids=None) -> paddle.Tensor:
        """The encoder's states at the masks, [B, M, H]; the arguments are those of a pass."""
        if self.soft_prompt is not None:
            input_ids = paddle.where(soft_ids > 0, soft_ids + (self.vocab_size - 1), input_ids)
        if self.config.head == "pair":
            half = mask_columns.shape[1] // 2
            ids = apart(input_ids, token_type_ids, self.tokenizer.pad_id)
            columns = paddle.concat([mask_columns[:, :half], mask_columns[:, half:]])
            states = self.encode_rows(ids, paddle.zeros_like(ids), columns)  # [2 B, M / 2, H]
            states = states.reshape([2, -1, half, states.shape[-1]]).transpose([1, 0, 2, 3])
            return states.reshape([-1, 2 * half, states.shape[-1]])
        # only the mask rows reach the head: [B, M, H] instead of [B, L, H], and [B, C] instead of [B, L, V]
        return self.encode_rows(input_ids, token_type_ids, mask_columns)

    def mask_states(self, features: Sequence[Features], batch_size: int = 32) -> np.ndarray:
        """What the head reads of texts, [N, M E], the masks side by side; without dropout."""

        def read(**batch):
            return self.transform(self(**batch, return_mask_states=True)[1])

        return mask_states(self, read, features, self.tokenizer.pad_id, batch_size)

    def start_from_texts(self, texts: Sequence[AText], batch_size: int = 32) -> None:
        """Start the cosine head from label words and unlabelled texts of the task; another head is left alone.

        Of more than `_MOST_TEXTS` texts every n-th is read. They are remembered until examples follow, which the head then
        is started from too.
        """
        if self.config.head == "cosine":
            texts = texts[:: -(-len(texts) // _MOST_TEXTS)] if len(texts) else texts
            self._texts = self.mask_states(self.encode_texts(texts), batch_size)
            self._start(self._texts[:0], np.arange(0))

    def start_from_examples(self, features: Sequence[Features], labels: np.ndarray, batch_size: int = 32) -> None:
        """Start the head from labelled examples; only cosine and prototype do, and with several labels a text soft.

        Args:
            features: N encoded texts.
            labels: [N] label ids, or [N, C] probabilities, or label sets.
        """
        if self.config.head == "cosine":
            self._start(self.mask_states(features, batch_size), labels)
        elif self.config.head == "pair":
            ids = labels if labels.ndim == 1 else labels.argmax(axis=1)
            self.head.start_from_examples(self.mask_states(features, batch_size), ids)
        elif self.task.several:
            self._fit_odds(self.mask_states(features, batch_size), labels)
        elif self.config.head == "prototype" and not self.head.started:
            states = self.mask_states(features, batch_size)
            ids = labels if labels.ndim == 1 else labels.argmax(axis=1)
            self.head.start_from_examples(paddle.to_tensor(states), ids)

    def take_texts(self, other: TextClassifier) -> None:
        if isinstance(other, PromptModel):
            self._texts = other._texts

    def soft_prompt_changed(self) -> None:
        if self.config.head == "cosine":
            self._start_from_words()

    def leave_one_out(self, features: Sequence[Features], labels: np.ndarray, batch_size: int = 32) -> np.ndarray:
        """[N, C] label logits of N labelled texts, each by a cosine head that is started from the others.

        Texts without labels take no part; `labels` are ids [N], or label sets [N, C].
        """
        if self.config.head == "pair":
            return leave_one_out_of_pairs(self.mask_states(features, batch_size), labels, len(self.verbalizer))
        cosines = self.leave_one_out_cosines(features, labels, batch_size)
        if not self.task.several:
            return SCALE * cosines
        scale, bias = fit_odds(cosines, labels)
        return scale * cosines + bias

    def leave_one_out_cosines(
        self, features: Sequence[Features], labels: np.ndarray, batch_size: int = 32
    ) -> np.ndarray:
        """[N, C] cosines of N labelled texts to the directions of a cosine head that is started from the others."""
        states = self.mask_states(features, batch_size)
        words, neutral = self._word_directions()
        examples = unit(states - center_of(states, self._texts, neutral))
        if self.task.several:
            return leave_one_out_of_sets(words, examples, share_examples(labels))
        return leave_one_out(words, examples, labels)

    def _start(self, examples: np.ndarray, labels: np.ndarray) -> None:
        """Start the cosine head from words, examples [N, D] and the texts that are remembered."""
        (words, neutral), texts = self._word_directions(), self._texts
        center = center_of(examples, texts, neutral)
        examples = unit(examples - center)
        if self.task.several:
            self.head.start_from(center, *start_of_sets(words, examples, labels, unit(texts - center)))
            return
        directions, scale = combine(words, examples, labels), SCALE
        if len(examples):
            ids = labels if labels.ndim == 1 else labels.argmax(axis=1)
            scale = best_scale(leave_one_out(words, examples, ids), ids)
        if len(texts):
            texts = unit(texts - center)
            directions, shares = cluster(directions, texts, len(examples) / len(words))
            directions = refit(directions, texts, shares, examples, labels)
        self.head.start_from(center, directions, scale)

    def _fit_odds(self, states: np.ndarray, labels: np.ndarray) -> None:
        """Make the untrained logits of label sets [N, C] log-odds; the pretrained head alone has no scale to choose."""
        with paddle.no_grad():
            logits = self.head(paddle.to_tensor(states.reshape([len(states), self.template.num_masks, -1]))).numpy()
        if isinstance(self.head, SoftHead):
            self.head.rescale(*fit_odds(logits, labels))
        elif 0 < labels.mean() < 1:
            self.add_bias(np.full(len(self.verbalizer), bias_for(logits, float(labels.mean()))))

    def transform(self, states: paddle.Tensor) -> paddle.Tensor:
        """The encoder's states at the masks [B, M, H] -> what the head reads, [B, M, E]."""
        return self._lm_head.transform(states)

    def unit_states(self, states: paddle.Tensor) -> paddle.Tensor:
        """The encoder's states at the masks [B, M, H] -> [B, M E] of length 1, as the head compares them where it does."""
        transformed = self.transform(states)
        return self.head.embed(transformed) if hasattr(self.head, "embed") else super().unit_states(transformed)

    @property
    def cosine_scale(self) -> Optional[float]:
        return float(self.head.scale.numpy()[0]) if self.config.head == "cosine" else None

    @property
    def starts_from_examples(self) -> bool:
        return self.config.head in ("cosine", "pair")

    @property
    def has_prototypes(self) -> bool:
        return self.config.head == "prototype"

    @property
    def reads_word_embeddings(self) -> bool:
        return self.config.head in ("manual", "prototype")

    def add_bias(self, bias: np.ndarray) -> None:
        """Add `bias` [C] to the label logits, and record it as a calibration."""
        self.head.shift(bias.astype("float32"))
        self.config = with_bias(self.config, bias)

    def added_layers(self) -> list:
        return [layer for layer in (self.soft_prompt, self.head) if layer is not None]

    def _stop_unused(self) -> None:
        """Parameters that take no part in the label logits: no gradient, no optimizer state, no waiting in data parallel."""
        unused = []
        if not self.reads_word_embeddings:
            unused.append(self._lm_head.bias())
            if self._lm_head.weight() is not self.backbone.get_input_embeddings().weight:
                unused.append(self._lm_head.weight())
        for parameter in unused:
            parameter.stop_gradient = True

    @staticmethod
    def backbone_classes(backbone_config: dict, where: str) -> tuple:
        return architecture_classes(architecture_name(backbone_config), where)

    @staticmethod
    def load_base(name: str, trust_pickle: bool = False) -> Backbone:
        return load_backbone(name, trust_pickle=trust_pickle)

    @staticmethod
    def read_model_config(config: ModelConfig) -> PromptModelConfig:
        return PromptModelConfig(config.head, config.base_model, config.mode, config.calibration, config.task)


def _can_compare(dataset: Optional[Dataset], mode: str, task: Task) -> bool:
    """Whether there are training pairs to say which label texts that are alike have: no label word says that."""
    return mode == "prompt" and dataset is not None and bool(dataset.train) and not task.several
