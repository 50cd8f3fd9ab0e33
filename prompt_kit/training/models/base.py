"""What the kinds of model share: rows of a language model's output, two groups of parameters, a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Optional

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from prompt_kit.atomic import replace_files
from prompt_kit.data.dataset import AText, Example
from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.json_file import write_json
from prompt_kit.prompt.prompt_tokenizer import Features, PromptTokenizer
from prompt_kit.prompt.task import Task
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.prompt_config import ModelConfig, read_prompt_config, write_prompt_config
from prompt_kit.training.cpu.kernels import CPUKernels
from prompt_kit.training.models.backbone import Backbone, longest_input, read_tokenizer
from prompt_kit.training.models.frozen_base import check_frozen, open_base
from prompt_kit.training.models.frozen_norms import correct_frozen_norms, restore_norms
from prompt_kit.training.models.model_config import check_size, read_config
from prompt_kit.training.models.prefix import add_prefix
from prompt_kit.training.models.weights import load_safetensors, save_safetensors
from prompt_kit.training.runtime import quiet
from prompt_kit.versions import installed_versions

WEIGHTS_FILE = "model.safetensors"

_KINDS: dict[str, type[TextClassifier]] = {}  # method -> class; models/__init__.py imports all of them


class TextClassifier(nn.Layer):
    """A language model, rows of whose output a head turns into label logits.

    A subclass makes `head`, says which layers it added to the language model, and how its configuration is read.

    Args:
        backbone: a PaddleNLP model, with its pretrained head or without.
        prompt_tokenizer: template and tokenizer.
        verbalizer: labels, and label words.
        config: a dataclass with `head`, `base_model`, `mode` and `task`.
    """

    method: ClassVar[str]
    has_states: ClassVar[bool] = True  # whether a text has states of its own, which no label word has a part in
    freeze_dropout = False  # keep the language model in evaluation mode while training

    @property
    def reads_word_embeddings(self) -> bool:
        """Whether the head does, beside the embedding layer."""
        return False

    @property
    def starts_from_examples(self) -> bool:
        """Whether it classifies well before the first step."""
        return False

    @property
    def has_prototypes(self) -> bool:
        """Whether its head has some, with a loss of their own."""
        return False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "method" in vars(cls):  # a user's subclass of a kind does not take its place
            _KINDS[cls.method] = cls

    def __init__(self, backbone: nn.Layer, prompt_tokenizer: PromptTokenizer, verbalizer: Verbalizer, config):
        super().__init__()
        self.config = config
        config.task.check_labels(verbalizer.labels)
        self.prompt_tokenizer = prompt_tokenizer
        self.verbalizer = verbalizer
        self.backbone = backbone
        self._check_sizes()
        if getattr(self._encoder, "pooler", None) is not None:  # takes no part in the label logits
            _stop(self._encoder.pooler.parameters())
        self._frozen: list = []
        self._base_hash: Optional[str] = None  # of the language model, where folders are written without it
        # before the kernels, which are not for layers with a prefix
        self.prefix = add_prefix(self._encoder, prompt_tokenizer, longest_input(backbone))
        self._kernels = CPUKernels(self._encoder, backbone.config.pad_token_id)
        self._kernels.speed_up_dropout(backbone)

    @property
    def _encoder(self) -> nn.Layer:
        """The language model without its head."""
        return getattr(self.backbone, self.backbone.base_model_prefix, self.backbone)

    @property
    def tokenizer(self) -> Tokenizer:
        return self.prompt_tokenizer.tokenizer

    @property
    def template(self) -> Template:
        return self.prompt_tokenizer.template

    @property
    def task(self) -> Task:
        """What kind of answer a text has, and the threshold of it."""
        return self.config.task

    @task.setter
    def task(self, task: Task) -> None:
        self.config = replace(self.config, task=task)

    def decide_as(self, folder) -> None:
        """Take over the threshold of the model in `folder`, as `load_weights` takes over its weights."""
        self.task = read_prompt_config(folder, ModelConfig).task

    @property
    def reads_pairs(self) -> bool:
        """Whether its template has two texts."""
        return "text_b" in self.template.fields

    def encode_texts(self, texts: Sequence[AText]) -> list[Features]:
        """Texts in the template, each string in every field that it has."""
        fields = self.template.fields
        return self.prompt_tokenizer.encode_many(
            [
                text if isinstance(text, Example) else Example(**{"text_a": text, **{field: text for field in fields}})
                for text in texts
            ]
        )

    def fit_template(self, template: Template) -> Template:
        """What a template that a user gives becomes for these labels."""
        return template.with_options(self.verbalizer.first_words)

    def added_layers(self) -> list:
        """The layers that are no part of the language model, beside the prefix."""
        raise NotImplementedError

    def start_from_examples(self, features: Sequence[Features], labels: np.ndarray, batch_size: int = 32) -> None:
        """Start the head of an untrained model from labelled examples, if it is of a kind that can.

        Args:
            features: N encoded texts.
            labels: [N] label ids, or [N, C] probabilities.
        """

    def take_texts(self, other: TextClassifier) -> None:
        """Start the head from the unlabelled texts too that the head of another model was started from, if it is such a head."""

    def soft_prompt_changed(self) -> None:
        """Make the head of an untrained model anew, if it depends on the soft tokens."""

    def encode_rows(self, input_ids, token_type_ids, mask_columns) -> paddle.Tensor:
        """The encoder's states [B, M, H] at mask_columns [B, M]; the other rows of its last layer are not computed."""
        if self.prefix is not None:
            self.prefix.begin()
        try:
            rows = self._kernels.rows(input_ids, mask_columns, token_type_ids=token_type_ids)
        finally:
            if self.prefix is not None:
                self.prefix.end()
        return rows

    def unit_states(self, states: paddle.Tensor) -> paddle.Tensor:
        """The encoder's states at the masks [B, M, H] -> [B, D] of length 1: texts whose cosine says how alike they are."""
        return F.normalize(states.flatten(1), axis=-1)

    @property
    def cosine_scale(self) -> Optional[float]:
        """Logits a cosine of `unit_states`, of a head whose label logits are that; None for another head."""
        return None

    def train(self) -> None:
        """Training mode; with `freeze_dropout` the language model stays in evaluation mode, however often this is called."""
        super().train()
        if self.freeze_dropout:
            self.backbone.eval()

    def language_model_parameters(self) -> list:
        """Trainable parameters of the pretrained model."""
        return [p for p in self.backbone.parameters() if not p.stop_gradient]

    def prompt_parameters(self) -> list:
        """Trainable parameters of what was added to it: the prefix, the soft prompt, their encoders and the head."""
        layers = [*([] if self.prefix is None else [self.prefix]), *self.added_layers()]
        return [p for layer in layers for p in layer.parameters() if not p.stop_gradient]

    def unfreeze_language_model(self) -> None:
        """Undo `freeze_language_model`."""
        for parameter in self._frozen:
            parameter.stop_gradient = False
        self._frozen = []
        restore_norms(self.backbone)

    def freeze_language_model(self) -> None:
        """Train the added layers alone."""
        self._frozen = self.language_model_parameters()
        _stop(self._frozen)
        correct_frozen_norms(self.backbone)
        if not self.prompt_parameters():
            raise ConfigError(
                "--freeze_plm leaves nothing to train: the template has no soft token and the verbalizer is manual; "
                "use --verbalizer soft or a {'soft'} or {'prefix'} template, or drop --freeze_plm"
            )

    def _check_sizes(self) -> None:
        limit = longest_input(self.backbone)
        length = self.prompt_tokenizer.max_seq_length
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

    # -- folders ------------------------------------------------------------------------------------------------------

    @property
    def saves_prompt_only(self) -> bool:
        """Whether `save_pretrained` leaves the language model out."""
        return self._base_hash is not None

    def save_prompt_only(self, trust_pickle: bool = False) -> None:
        """From here on have `save_pretrained` leave out the language model, which must be as it was loaded.

        Raises ConfigError where it is not: a folder without it could not be loaded again.
        """
        if self._base_hash is None:
            self._base_hash = check_frozen(
                self.backbone, self.config.base_model, lambda name: self.load_base(name, trust_pickle)
            )

    def save_pretrained(self, folder) -> None:
        """Write the model into `folder`: weights (safetensors), configurations and tokenizer.

        After `save_prompt_only` that is prompt and head alone, with the name and the hash of the language model.
        Files are written aside and then renamed, so a kill leaves the old files or the new ones.
        """
        with replace_files(Path(folder)) as staging:
            save_safetensors(self._state_of(self.saves_prompt_only), staging / WEIGHTS_FILE)
            if not self.saves_prompt_only:
                self.tokenizer.save(staging / "tokenizer.json")
                write_json(staging / "config.json", plain_config(self.backbone))
            write_prompt_config(staging, self.to_config())

    def fold_encoders(self) -> None:
        """Put what the encoders of soft tokens and prefix make of these in their place: the predictions stay the same,
        and the template names no encoder any more."""
        for layer in (self.prefix, getattr(self, "soft_prompt", None)):
            if layer is not None:
                layer.fold()
        config = {**self.prompt_tokenizer.to_config(), "template": str(self.template.without_encoders())}
        self.prompt_tokenizer = PromptTokenizer.from_config(config, self.tokenizer)

    def to_config(self) -> ModelConfig:
        """What prompt_config.json of a training folder holds."""
        return ModelConfig(
            method=self.method,
            mode=self.config.mode,
            base_model=self.config.base_model,
            base_sha256=self._base_hash,
            head=self.config.head,
            prompt=self.prompt_tokenizer.to_config(),
            verbalizer=self.verbalizer,
            calibration=getattr(self.config, "calibration", None),
            **self.task.to_entries(),
            versions=installed_versions(),
        )

    @classmethod
    def from_pretrained(cls, folder, base_model: Optional[str] = None, trust_pickle: bool = False) -> TextClassifier:
        """Load a folder that `save_pretrained` (or train.py) wrote; unpickles nothing.

        Needs nothing outside the folder, unless it holds a prompt alone; then it needs its language model, and writes
        prompts alone again.

        Args:
            base_model: folder or name of the language model of a prompt alone; None: the recorded one.
            trust_pickle: see load_backbone; for the language model of a prompt alone.

        Returns a PromptModel, a FineTuneModel or a ReplacedTokenModel, whichever the folder holds.

        Raises:
            CheckpointError: the folder is missing, incomplete or of another format, or a prompt alone of another language
                model.
        """
        folder = Path(folder)
        config = read_prompt_config(folder, ModelConfig)
        whole = config.base_sha256 is None
        needed = (WEIGHTS_FILE, "config.json", "tokenizer.json") if whole else (WEIGHTS_FILE,)
        missing = [name for name in needed if not (folder / name).is_file()]
        if missing:
            raise CheckpointError(
                f"{folder.absolute()} is incomplete, {', '.join(missing)} missing; copy the folder again, all its files"
            )
        kind = _KINDS[config.method]
        if whole:
            tokenizer = read_tokenizer(folder)
            backbone_config = read_config(folder)
            check_size(backbone_config, folder.absolute(), [WEIGHTS_FILE])
            model_class, config_class = kind.backbone_classes(backbone_config, str(folder))
            backbone = _build(model_class, config_class, backbone_config, folder)
        else:
            base = open_base(config, folder, base_model, lambda name: kind.load_base(name, trust_pickle))
            tokenizer, backbone = base.tokenizer, base.model
            config = replace(config, base_model=base.name)
        model = kind(
            backbone,
            PromptTokenizer.from_config(config.prompt, tokenizer),
            config.verbalizer,
            kind.read_model_config(config),
        )
        model.load_weights(folder)
        if not whole:
            model._base_hash = config.base_sha256
        model.eval()
        return model

    @staticmethod
    def load_base(name: str, trust_pickle: bool = False) -> Backbone:
        """The language model of that name, as this kind of model is built on it. Raises ConfigError."""
        raise NotImplementedError

    @staticmethod
    def backbone_classes(backbone_config: dict, where: str) -> tuple:
        """(model class, configuration class) of a language model's configuration."""
        raise NotImplementedError

    @staticmethod
    def read_model_config(config: ModelConfig):
        """The `config` of a model from what a folder says."""
        raise NotImplementedError

    def load_weights(self, folder) -> None:
        """Replace all weights by those in `folder`, which may hold a prompt alone; every one must be there, in its shape."""
        prompt_only = is_prompt_only(Path(folder))
        load_safetensors(self._state_of(prompt_only), Path(folder) / WEIGHTS_FILE)

    def _state_of(self, prompt_only: bool) -> dict:
        state = self._unique_state()
        if not prompt_only:
            return state
        return {name: parameter for name, parameter in state.items() if not name.startswith("backbone.")}

    def _unique_state(self) -> dict:
        """Name -> parameter; tied weights once, buffers that can be derived not at all."""
        return dict(self.named_parameters())


def is_prompt_only(folder: Path) -> bool:
    """Whether a training folder holds a prompt without its language model. Raises as `read_prompt_config`."""
    return read_prompt_config(folder, ModelConfig).base_sha256 is not None


def _build(model_class: type[Any], config_class: type[Any], config: dict, folder: Path) -> nn.Layer:
    """A language model of a configuration, its weights still to come."""
    try:
        with quiet():
            return model_class(config_class.from_dict(config))
    except Exception as error:  # PaddleNLP raises anything for a configuration that it does not understand
        lines = [line.strip() for line in str(error).splitlines() if line.strip()][:2]
        raise CheckpointError(
            f"{(folder / 'config.json').absolute()} is damaged: no model can be built from it ({type(error).__name__}: "
            f"{' '.join(lines)[:200]}); copy the folder again, all its files"
        ) from error


def plain_config(backbone: nn.Layer) -> dict:
    """What config.json of a language model's folder holds."""
    config = backbone.config.to_dict()
    config.pop("paddlenlp_version", None)
    return {**config, "architectures": [type(backbone).__name__]}


def _stop(parameters) -> None:
    for parameter in parameters:
        parameter.stop_gradient = True
