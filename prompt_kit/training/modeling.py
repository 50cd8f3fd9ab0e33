"""PromptModel: token ids, with soft prompts if any -> language model -> mask states -> label logits."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional, Union

import numpy as np
import paddle
from paddle import nn

from prompt_kit.atomic import replace_files
from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.lines import PathLike
from prompt_kit.prompt_tokenizer import PromptTokenizer
from prompt_kit.template import Template
from prompt_kit.tokenization import Tokenizer
from prompt_kit.training.backbone import architecture_classes, architecture_name, load_backbone, read_config
from prompt_kit.training.heads import HEADS, ManualHead, SoftHead, masked_lm_head
from prompt_kit.training.last_layer import restrict_last_layer, take_rows
from prompt_kit.training.runtime import quiet
from prompt_kit.training.soft_prompt import PromptEmbedding, SoftPrompt
from prompt_kit.training.weights import load_safetensors, save_safetensors
from prompt_kit.verbalizer import Verbalizer
from prompt_kit.versions import installed_versions

logger = logging.getLogger(__name__)

DEFAULT_PROMPT = "这条新闻标题的主题是"
CONFIG_FILE = "prompt_config.json"
WEIGHTS_FILE = "model.safetensors"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class PromptModelConfig:
    """What a PromptModel is, beside its language model and template.

    head: `soft` or `manual`; base_model: the name to record; mode: `prompt`, or `zero-shot` for an untrained one.
    calibration: a bias [C] of the pretrained head's label logits, None without calibration (see calibration.py).
    """

    head: str = "soft"
    base_model: str = ""
    mode: str = "prompt"
    calibration: Optional[tuple[float, ...]] = None

    def __post_init__(self):
        if self.head not in HEADS:
            raise ConfigError(f"unknown verbalizer head '{self.head}'; expected one of {', '.join(HEADS)}")


class PromptModel(nn.Layer):
    """A masked language model that classifies by filling in the template's masks.

    Before any training it predicts what the hard prompt with the pretrained head predicts: soft tokens start from
    their words, the soft encoder is the identity, and the soft head starts from the label words' decoder rows.

    Args:
        backbone: a PaddleNLP ERNIE, BERT, RoBERTa or ELECTRA-generator …ForMaskedLM.
        prompt_tokenizer: template and tokenizer.
        verbalizer: labels and label words.
        config: head and soft encoder.
    """

    freeze_dropout = False  # keep the language model in evaluation mode while training

    def __init__(
        self,
        backbone: nn.Layer,
        prompt_tokenizer: PromptTokenizer,
        verbalizer: Verbalizer,
        config: Optional[PromptModelConfig] = None,
    ):
        super().__init__()
        self.config = config or PromptModelConfig()
        self.prompt_tokenizer = prompt_tokenizer
        self.verbalizer = verbalizer
        self.backbone = backbone
        self._check_sizes()
        embedding = backbone.get_input_embeddings()
        self.vocab_size, width = embedding.weight.shape
        self._lm_head = masked_lm_head(backbone)
        tokens = verbalizer.token_table(self.tokenizer, prompt_tokenizer.num_masks)
        manual = ManualHead(self._lm_head, tokens, prompt_tokenizer.num_masks)
        if self.config.calibration is not None:
            manual.shift(np.asarray(self.config.calibration, "float32"))
        self.soft_prompt = None
        if prompt_tokenizer.uses_soft:
            self.soft_prompt = SoftPrompt(prompt_tokenizer.soft_tokens, width)
            self.soft_prompt.start_from(embedding.weight)
            backbone.set_input_embeddings(PromptEmbedding(embedding, self.soft_prompt))
        self.head = manual
        if self.config.head == "soft":
            self.head = SoftHead(prompt_tokenizer.num_masks, len(verbalizer), width)
            self.head.start_from(manual)
        # A dictionary, since a tensor that is an attribute of a Layer would become a constant of the static graph.
        self._batch: dict = {}
        self._masks_only = restrict_last_layer(self._encoder, lambda: self._batch.get("mask_columns"))
        self._stop_unused()

    @classmethod
    def build(
        cls,
        labels: Union[Verbalizer, PathLike],
        prompt: str = DEFAULT_PROMPT,
        model_name_or_path: Optional[str] = None,
        soft_encoder: str = "lstm",
        encoder_hidden_size: Optional[int] = 200,
        head: str = "soft",
        max_seq_length: int = 128,
        first_max_length: Optional[int] = None,
        other_max_length: Optional[int] = None,
        truncate_mode: str = "tail",
        mode: str = "prompt",
    ) -> PromptModel:
        """An untrained PromptModel from what a user gives, with train.py's defaults.

        Args:
            labels: a Verbalizer, or the path of a label.txt.
            prompt: a template, or plain words (see Template.from_prompt).
            model_name_or_path: see load_backbone.
            soft_encoder, encoder_hidden_size: of soft tokens that name no encoder; encoder_hidden_size None is the
                width of the word embeddings.
            mode: `zero-shot` for a model that is not going to be trained; it is recorded, and changes nothing else.
        """
        verbalizer = labels if isinstance(labels, Verbalizer) else Verbalizer.from_file(labels)
        template = Template.from_prompt(prompt)
        if template.uses_soft:
            hidden_size = None if soft_encoder == "none" else encoder_hidden_size
            template = Template.from_prompt(prompt, soft_encoder, hidden_size)
        backbone = load_backbone(model_name_or_path)
        logger.info("language model: %s (%s)", backbone.name, backbone.reason)
        prompt_tokenizer = PromptTokenizer(
            template, backbone.tokenizer, max_seq_length, first_max_length, other_max_length, truncate_mode
        )
        return cls(backbone.model, prompt_tokenizer, verbalizer, PromptModelConfig(head, backbone.name, mode))

    @property
    def _encoder(self) -> nn.Layer:
        """The language model without its head."""
        return getattr(self.backbone, self.backbone.base_model_prefix)

    @property
    def tokenizer(self) -> Tokenizer:
        return self.prompt_tokenizer.tokenizer

    @property
    def template(self) -> Template:
        return self.prompt_tokenizer.template

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
        if self.soft_prompt is not None:
            input_ids = paddle.where(soft_ids > 0, soft_ids + (self.vocab_size - 1), input_ids)
        self._batch["mask_columns"] = mask_columns
        states = self._encoder(input_ids, token_type_ids=token_type_ids)
        states = states[0] if isinstance(states, (tuple, list)) else states  # ELECTRA returns the states alone
        # only the mask rows reach the head: [B, M, H] instead of [B, L, H], and [B, C] instead of [B, L, V]
        states = states if self._masks_only else take_rows(states, mask_columns)
        self._batch.clear()
        logits = self.head(self._lm_head.transform(states))
        return (logits, states) if return_mask_states else logits

    def train(self) -> None:
        """Training mode; with `freeze_dropout` the language model stays in evaluation mode, however often this is called."""
        super().train()
        if self.freeze_dropout:
            self.backbone.eval()

    def add_bias(self, bias: np.ndarray) -> None:
        """Add `bias` [C] to the label logits, and record it as a calibration."""
        bias = bias.astype("float32")
        self.head.shift(bias)
        total = bias if self.config.calibration is None else np.float32(self.config.calibration) + bias
        self.config = replace(self.config, calibration=tuple(total.tolist()))

    def language_model_parameters(self) -> list:
        """Trainable parameters of the pretrained model."""
        return [p for p in self.backbone.parameters() if not p.stop_gradient]

    def prompt_parameters(self) -> list:
        """Trainable parameters of the soft prompt, its encoder and the head."""
        layers = [layer for layer in (self.soft_prompt, self.head) if layer is not None]
        return [p for layer in layers for p in layer.parameters() if not p.stop_gradient]

    def freeze_language_model(self) -> None:
        """Train the prompt and the head alone."""
        for parameter in self.backbone.parameters():
            parameter.stop_gradient = True
        if not self.prompt_parameters():
            raise ConfigError(
                "--freeze_plm leaves nothing to train: the template has no soft token and the verbalizer is manual; "
                "use --verbalizer soft or a {'soft'} template, or drop --freeze_plm"
            )

    def _check_sizes(self) -> None:
        limit = self.backbone.config.max_position_embeddings
        length = self.prompt_tokenizer.max_seq_length
        # RoBERTa's positions start behind the padding index
        limit -= self.backbone.config.pad_token_id + 1 if self.backbone.base_model_prefix == "roberta" else 0
        if length > limit:
            raise ConfigError(
                f"max_seq_length {length} exceeds the language model's {limit} positions; lower --max_seq_length"
            )
        rows = self.backbone.get_input_embeddings().weight.shape[0]
        if self.tokenizer.vocab_size > rows:
            raise ConfigError(
                f"the vocabulary has {self.tokenizer.vocab_size} entries but the language model's embedding {rows}; "
                "vocabulary and weights belong to different models"
            )

    def _stop_unused(self) -> None:
        """Parameters that take no part in the label logits: no gradient, no optimizer state, no waiting in data parallel."""
        unused = []
        if getattr(self._encoder, "pooler", None) is not None:
            unused += self._encoder.pooler.parameters()
        if self.config.head == "soft":
            unused.append(self._lm_head.bias())
            if self._lm_head.weight() is not self.backbone.get_input_embeddings().weight:
                unused.append(self._lm_head.weight())
        for parameter in unused:
            parameter.stop_gradient = True

    def save_pretrained(self, folder) -> None:
        """Write the whole model into `folder`: weights (safetensors), configurations and tokenizer.

        Files are written aside and then renamed, so a kill leaves the old files or the new ones.
        """
        with replace_files(Path(folder)) as staging:
            save_safetensors(self._unique_state(), staging / WEIGHTS_FILE)
            self.tokenizer.save(staging / "tokenizer.json")
            write_json(
                staging / "config.json",
                {**_plain_config(self.backbone), "architectures": [type(self.backbone).__name__]},
            )
            write_json(staging / CONFIG_FILE, self.to_config())

    def to_config(self) -> dict:
        """What prompt_config.json of a training folder holds."""
        return {
            "format_version": FORMAT_VERSION,
            "mode": self.config.mode,
            "base_model": self.config.base_model,
            "prompt": self.prompt_tokenizer.to_config(),
            "verbalizer": self.verbalizer.to_dict(),
            "head": self.config.head,
            **({} if self.config.calibration is None else {"calibration": list(self.config.calibration)}),
            "versions": installed_versions(),
        }

    @classmethod
    def from_pretrained(cls, folder) -> PromptModel:
        """Load a folder that `save_pretrained` (or train.py) wrote; needs nothing outside the folder, unpickles nothing.

        Raises:
            CheckpointError: the folder is missing, incomplete or of another format.
        """
        folder = Path(folder)
        config = read_prompt_config(folder)
        missing = [name for name in (WEIGHTS_FILE, "config.json", "tokenizer.json") if not (folder / name).is_file()]
        if missing:
            raise CheckpointError(
                f"{folder.absolute()} is incomplete, {', '.join(missing)} missing; copy the folder again, all its files"
            )
        tokenizer = Tokenizer.from_pretrained(folder)
        backbone_config = read_config(folder)
        model_class, config_class = architecture_classes(architecture_name(backbone_config), str(folder))
        with quiet():
            backbone = model_class(config_class.from_dict(backbone_config))
        model = cls(
            backbone,
            PromptTokenizer.from_config(config["prompt"], tokenizer),
            Verbalizer.from_dict(config["verbalizer"]),
            PromptModelConfig(
                config["head"], config["base_model"], config["mode"], _calibration(config, folder / CONFIG_FILE)
            ),
        )
        model.load_weights(folder)
        model.eval()
        return model

    def load_weights(self, folder) -> None:
        """Replace all weights by those in `folder`; every one must be there, in its shape."""
        load_safetensors(self._unique_state(), Path(folder) / WEIGHTS_FILE)

    def _unique_state(self) -> dict:
        """Name -> parameter; tied weights once, buffers that can be derived not at all."""
        return dict(self.named_parameters())


def read_prompt_config(folder: Path) -> dict:
    """prompt_config.json of a training folder, checked."""
    path = Path(folder) / CONFIG_FILE
    if not path.is_file():
        raise CheckpointError(
            f"{path.absolute()} is missing: not a folder that train.py finished; expected the --output_dir of a "
            "finished run, or a checkpoint-N in it"
        )
    try:
        with open(path, encoding="utf-8-sig") as file:
            config = json.load(file)
        version = config["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path.absolute()} is damaged: {error}") from error
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path.absolute()} has format {version}, but this prompt-kit reads {FORMAT_VERSION}; use the prompt-kit "
            f"that wrote it ({config.get('versions', {}).get('prompt-kit', 'unknown version')}), or train again"
        )
    missing = [key for key in ("mode", "base_model", "prompt", "verbalizer", "head") if key not in config]
    if missing:
        raise CheckpointError(f"{path.absolute()} is damaged: {', '.join(missing)} missing; copy the folder again")
    return config


def _calibration(config: dict, path: Path) -> Optional[tuple[float, ...]]:
    bias = config.get("calibration")
    if bias is None:
        return None
    labels = config["verbalizer"].get("labels", ())
    numbers = isinstance(bias, list) and all(isinstance(one, (int, float)) for one in bias)
    if not numbers or len(bias) != len(labels):
        raise CheckpointError(f"{path.absolute()} is damaged: calibration {bias!r}, expected {len(labels)} numbers")
    return tuple(bias)


def _plain_config(backbone: nn.Layer) -> dict:
    config = backbone.config.to_dict()
    config.pop("paddlenlp_version", None)
    return config


def write_json(path: Path, content) -> None:
    """Indented UTF-8 JSON."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=2, sort_keys=False)
        file.write("\n")
