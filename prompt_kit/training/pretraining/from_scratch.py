"""A language model of chosen sizes with random weights, and a vocabulary for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Optional

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import ConfigError
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.training.models.architectures import DISCRIMINATOR, architecture_classes, discriminator_classes
from prompt_kit.training.models.backbone import Backbone
from prompt_kit.training.runtime import quiet

FAMILIES = ("ernie", "bert", "roberta", "electra")


@dataclass(frozen=True)
class Sizes:
    """Of an encoder. `intermediate_size` None: four times the width. `positions`: the longest input in tokens."""

    family: str = "ernie"
    hidden_size: int = 256
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    intermediate_size: Optional[int] = None
    positions: int = 128

    def __post_init__(self):
        if self.family not in FAMILIES:
            raise ConfigError(f"--family {self.family}: expected one of {', '.join(FAMILIES)}")
        for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ConfigError(f"--{name} must be at least 1, got {value}")
        if self.hidden_size % self.num_attention_heads:
            raise ConfigError(
                f"--hidden_size {self.hidden_size} is no multiple of --num_attention_heads {self.num_attention_heads}; "
                "the heads share the width evenly"
            )


def new_vocabulary(
    texts: Sequence[str], vocab_file: Optional[PathLike] = None, size: int = 8000, lowercase: bool = True
) -> Tokenizer:
    """The vocabulary of `vocab_file`, or one of at most `size` entries made of the texts."""
    if vocab_file is not None:
        return Tokenizer.from_vocab(str(vocab_file), lowercase)
    return Tokenizer.from_texts(texts, size, lowercase)


def new_backbone(sizes: Sizes, tokenizer: Tokenizer) -> Backbone:
    """A …ForMaskedLM with random weights, by Paddle's seed."""
    name = f"{sizes.family.capitalize()}ForMaskedLM"
    return _new(name, architecture_classes(name, name), sizes, tokenizer, sizes.hidden_size)


def new_electra(sizes: Sizes, tokenizer: Tokenizer, share: float) -> tuple[Backbone, Backbone]:
    """A discriminator and its generator with random weights; the generator has about `share` of the heads and the width."""
    name, generator = DISCRIMINATOR, "ElectraForMaskedLM"
    heads = max(1, round(share * sizes.num_attention_heads))
    size = sizes.hidden_size // sizes.num_attention_heads
    inner = max(1, round((sizes.intermediate_size or 4 * sizes.hidden_size) * heads / sizes.num_attention_heads))
    small = replace(sizes, hidden_size=heads * size, num_attention_heads=heads, intermediate_size=inner)
    width = sizes.hidden_size
    return (
        _new(name, discriminator_classes(name, name), sizes, tokenizer, width),
        _new(generator, architecture_classes(generator, generator), small, tokenizer, width),
    )


def _new(name: str, classes: tuple, sizes: Sizes, tokenizer: Tokenizer, embedding_size: int) -> Backbone:
    model_class, config_class = classes
    options = dict(
        vocab_size=tokenizer.vocab_size,
        hidden_size=sizes.hidden_size,
        num_hidden_layers=sizes.num_hidden_layers,
        num_attention_heads=sizes.num_attention_heads,
        intermediate_size=sizes.intermediate_size or 4 * sizes.hidden_size,
        hidden_act="gelu",
        # RoBERTa's positions start behind the padding index
        max_position_embeddings=sizes.positions + (tokenizer.pad_id + 1 if sizes.family == "roberta" else 0),
        type_vocab_size=2,
        pad_token_id=tokenizer.pad_id,
    )
    if sizes.family == "electra":
        options["embedding_size"] = embedding_size
    with quiet():
        model = model_class(config_class(**options))
    return Backbone("", f"{name}, random weights, {tokenizer.vocab_size} word pieces", model, tokenizer)
