"""config.json of a language model's folder, checked before anything is built from it.

PaddleNLP builds whatever a configuration says: a size of 1e12 is sixty lines of C++ or no end, and a wrong type an
exception of any kind.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import ConfigError
from prompt_kit.json_file import BOOLEAN, TEXT, list_of, number, one_of, read_object, whole

CONFIG_FILE = "config.json"
_COPY = "copy the folder again, all its files"
_MISSING = "expected a language model's folder (config, weights, vocabulary)"
_WIDTH, _ENTRIES = 2**16, 10**7  # the most of a layer's width, and of a table's rows
_SLACK = (
    4  # how many times larger than its weights a model may be: some are left out of a file, or kept in half precision
)

_sizes = {
    "vocab_size": whole(1, _ENTRIES),
    "hidden_size": whole(1, _WIDTH),
    "embedding_size": whole(1, _WIDTH),
    "num_hidden_layers": whole(1, 1000),
    "num_attention_heads": whole(1, _WIDTH),
    "intermediate_size": whole(1, 4 * _WIDTH),
    "max_position_embeddings": whole(1, _ENTRIES),
    "type_vocab_size": whole(0, _ENTRIES),
    "task_type_vocab_size": whole(0, _ENTRIES),
    "pad_token_id": whole(0, _ENTRIES),
    "num_labels": whole(1, _ENTRIES),
    "num_classes": whole(1, _ENTRIES),
    "num_choices": whole(1, _ENTRIES).or_null(),
}
_activation = one_of(
    "gelu", "gelu_new", "gelu_fast", "gelu_python", "quick_gelu", "relu", "relu6", "leaky_relu", "elu", "selu", "silu",
    "swish", "mish", "sigmoid", "tanh",
)  # fmt: skip
_SHAPES = {
    name: shape.optional()
    for name, shape in {
        **_sizes,
        "hidden_act": _activation,
        "pool_act": _activation,
        "hidden_dropout_prob": number(0, 1),
        "attention_probs_dropout_prob": number(0, 1),
        "classifier_dropout": number(0, 1).or_null(),
        "initializer_range": number(0, 1e6),
        "layer_norm_eps": number(0, 1),
        "layer_norm_epsilon": number(0, 1),
        "architectures": list_of("texts", lambda value: isinstance(value, str)).or_null(),
        "init_class": TEXT.or_null(),
        "model_type": TEXT.or_null(),
        "use_task_id": BOOLEAN,
        "fuse": BOOLEAN,
        "tie_word_embeddings": BOOLEAN,
    }.items()
}


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a language model's folder. ConfigError where an entry has another type or an absurd size."""
    path = folder / CONFIG_FILE
    config = read_object(path, ConfigError, _COPY if path.exists() else _MISSING, _SHAPES)
    width, heads = config.get("hidden_size"), config.get("num_attention_heads")
    if width and heads and width % heads:
        raise ConfigError(
            f"{path.absolute()} is damaged: hidden_size {width} is no multiple of num_attention_heads {heads}; {_COPY}"
        )
    return config


def check_size(config: dict[str, Any], folder: Path, weights: Iterable[str]) -> None:
    """Raise ConfigError where a configuration speaks of a far larger model than the files of weights in `folder` hold."""
    held = sum(count_numbers(folder / name) for name in weights)
    needed = least_numbers(config)
    if held and needed > _SLACK * held:
        raise ConfigError(
            f"{(folder / CONFIG_FILE).absolute()} speaks of a model of at least {needed:,} numbers, but its weights are "
            f"{held:,}; {_COPY}"
        )


def least_numbers(config: dict[str, Any]) -> int:
    """A lower bound of how many numbers the tables and layers of a model are; sizes that are not given count 0."""
    size = {name: config.get(name) or 0 for name in _sizes}
    width, inner = size["hidden_size"], size["intermediate_size"]
    layers = size["num_hidden_layers"] * (4 * width * width + 2 * width * inner)
    rows = sum(size[name] for name in ("vocab_size", "max_position_embeddings", "type_vocab_size"))
    return layers + rows * (size["embedding_size"] or width)


def count_numbers(path: PathLike) -> int:
    """How many numbers a safetensors file holds, by its header; of another file half its bytes, 0 if it cannot be read."""
    if not str(path).endswith(".safetensors"):
        return os.path.getsize(path) // 2 if os.path.exists(path) else 0
    try:
        with safe_open(str(path), framework="np") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())
    except (SafetensorError, OSError):  # whoever loads it says what is wrong
        return 0
