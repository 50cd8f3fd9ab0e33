"""A training folder without its language model: prompt and head alone, and which language model they belong to.

prompt_config.json has `base_sha256` then, a hash of the language model's weights, beside its name, `base_model`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Callable, Optional

import numpy as np
from paddle import nn

from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.prompt_config import ModelConfig
from prompt_kit.training.models.backbone import Backbone

_SHOWN = 12  # hex digits of a hash in a message


def weights_hash(backbone: nn.Layer) -> str:
    """SHA-256 of a language model's float32 weights: names, shapes and numbers, whatever file they came from.

    The pooler is left out: no prompt reads it, and PaddleNLP makes it up at random where a file has none.
    """
    digest = hashlib.sha256()
    for name, parameter in sorted(backbone.named_parameters()):
        if "pooler" not in name.split("."):
            array = np.ascontiguousarray(parameter.astype("float32").numpy())
            digest.update(f"{name} {list(array.shape)}\n".encode())
            digest.update(array.data)
    return digest.hexdigest()


def check_frozen(backbone: nn.Layer, name: str, load: Callable[[str], Backbone]) -> str:
    """The hash of a language model whose weights are those that `name` is loaded with.

    Raises:
        ConfigError: they are not, so a folder without them could not be loaded again.
    """
    found, expected = weights_hash(backbone), weights_hash(load(name).model)
    if found != expected:
        raise ConfigError(
            f"the language model is not {name or 'a named one'} any more: its weights have been trained, and a prompt alone "
            "would be lost without them; train with --freeze_plm, or save the whole model"
        )
    return found


def open_base(
    config: ModelConfig, folder: Path, base_model: Optional[str], load: Callable[[str], Backbone]
) -> Backbone:
    """The language model that a folder with a prompt alone belongs to.

    Args:
        config: its prompt_config.json.
        base_model: a folder or name, where it is not to be had under the name it is recorded with.

    Raises:
        CheckpointError: it cannot be loaded, or has other weights.
    """
    name = base_model or config.base_model
    how = "give the one that it was trained with: --model_name_or_path, or base_model= in Python"
    try:
        backbone = load(name)
    except ConfigError as error:
        raise CheckpointError(
            f"{folder.absolute()} holds a prompt alone, whose language model {name} cannot be loaded ({error}); {how}"
        ) from error
    expected, found = str(config.base_sha256), weights_hash(backbone.model)
    if found != expected:
        raise CheckpointError(
            f"{folder.absolute()} holds a prompt alone, for {config.base_model} with weights {expected[:_SHOWN]}…, but {name} "
            f"has {found[:_SHOWN]}…; {how}"
        )
    return backbone
