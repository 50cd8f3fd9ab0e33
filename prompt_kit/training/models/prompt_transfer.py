"""Start a prompt from another task's: its soft tokens and prefix, their encoders, and the soft head's rows of labels that match.

Sources: Vu et al., SPoT: Better Frozen Model Adaptation through Soft Prompt Transfer, ACL 2022 (arXiv:2110.07904); Gu et
al., PPT: Pre-trained Prompt Tuning for Few-shot Learning, ACL 2022 (arXiv:2109.04332). Taking over the head's rows is ours.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer, SoftToken
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt_config import CONFIG_FILE, ModelConfig, read_prompt_config
from prompt_kit.training.models.base import WEIGHTS_FILE, TextClassifier, plain_config
from prompt_kit.training.models.frozen_base import weights_hash
from prompt_kit.training.models.model_config import read_config
from prompt_kit.training.models.weights import read_safetensors

_SIZES = ("architectures", "vocab_size", "hidden_size", "embedding_size", "num_hidden_layers")
_PROMPTS = {"soft_prompt": "soft tokens", "prefix": "prefix tokens"}  # layers of a model -> what they are called


@dataclass(frozen=True)
class Taken:
    """What a model was started from: soft tokens, (label here, label there) of each row of the head, tokens of a prefix."""

    soft_tokens: int
    labels: tuple[tuple[str, str], ...]
    prefix_tokens: int = 0


def source_template(folder: PathLike) -> Template:
    """The template of a trained folder. CheckpointError for a folder that train.py did not finish."""
    return read_prompt_config(folder, ModelConfig).template


def init_prompt(model: TextClassifier, folder: PathLike) -> Taken:
    """Copy what fits from a trained folder into an untrained model; nothing is copied if something does not fit.

    The soft tokens, the prefix and their encoders are taken whole. Of a soft head the row and bias of each label whose
    name a label of the folder has, or else one of its words, if both heads are soft and have as many masks. A
    head that is made from label words and examples is made anew, since the soft tokens change what they look like.

    Raises:
        CheckpointError: the folder is not one that train.py finished, or is damaged.
        ConfigError: it is of another language model or method, has other soft tokens, or nothing to take.
    """
    folder = Path(folder)
    config = read_prompt_config(folder, ModelConfig)
    _check_language_model(model, folder, config)
    tokenizer = _tokenizer(model, folder, config)
    arrays = read_safetensors(folder / WEIGHTS_FILE)
    taken = {layer: _fitting(model, folder, tokenizer, arrays, layer) for layer in _PROMPTS}
    pairs = _matches(model, config, tokenizer, arrays)
    if not any(taken.values()) and not pairs:
        raise ConfigError(
            f"--init_prompt_from {folder} has nothing for this model to start from: soft tokens there "
            f"{len(tokenizer.soft_tokens)}, here {len(model.prompt_tokenizer.soft_tokens)}, and no label in common whose row of "
            "a soft head could be taken; use a {'soft'} template in both, or a {'prefix'} one, or drop --init_prompt_from"
        )
    for layer, found in taken.items():
        for name, array in found.items():
            dict(getattr(model, layer).named_parameters())[name].set_value(array.astype("float32"))
    if pairs:
        _copy_rows(model, arrays, pairs)
    model.soft_prompt_changed()
    there = config.verbalizer.labels
    return Taken(
        len(tokenizer.soft_tokens) if taken["soft_prompt"] else 0,
        tuple((model.verbalizer.labels[ours], there[theirs]) for ours, theirs in pairs),
        len(tokenizer.prefix_tokens) if taken["prefix"] else 0,
    )


def _tokenizer(model: TextClassifier, folder: Path, config: ModelConfig) -> PromptTokenizer:
    """The folder's; where it holds a prompt alone, its language model is the model's, and so is its vocabulary."""
    try:
        tokenizer = model.tokenizer if config.base_sha256 else Tokenizer.from_pretrained(folder)
        return PromptTokenizer.from_config(config.prompt, tokenizer)
    except (TypeError, AttributeError) as error:
        raise CheckpointError(f"{(folder / CONFIG_FILE).absolute()} is damaged: {error}") from error


def _check_language_model(model: TextClassifier, folder: Path, config: ModelConfig) -> None:
    where = f"--init_prompt_from {folder}"
    if config.method != model.method:
        raise ConfigError(
            f"{where} was trained with --method {config.method}, this is {model.method}; use the same method"
        )
    if config.base_sha256:
        _check_hash(model, where, config)
        return
    theirs, ours = read_config(folder), plain_config(model.backbone)
    wrong = [
        f"{name} {theirs[name]}, here {ours[name]}"
        for name in _SIZES
        if name in theirs and theirs[name] != ours.get(name)
    ]
    if wrong:
        raise ConfigError(
            f"{where} has another language model: {'; '.join(wrong)}; a prompt fits the model that it was learned with"
        )
    if _place(config.base_model) != _place(model.config.base_model):
        raise ConfigError(
            f"{where} was learned with the language model {config.base_model}, but this one starts from "
            f"{model.config.base_model}; give --model_name_or_path {config.base_model}"
        )


def _check_hash(model: TextClassifier, where: str, config: ModelConfig) -> None:
    if weights_hash(model.backbone) != config.base_sha256:
        raise ConfigError(
            f"{where} holds a prompt alone for the language model {config.base_model}, and {model.config.base_model} has "
            f"other weights; give --model_name_or_path {config.base_model}"
        )


def _place(name: str) -> str:
    """A language model's name, or its folder whatever path leads to it."""
    return os.path.realpath(name) if os.path.isdir(name) else name


def _fitting(
    model: TextClassifier, folder: Path, tokenizer: PromptTokenizer, arrays: dict[str, np.ndarray], layer: str
) -> dict[str, np.ndarray]:
    """The folder's parameters of a layer of the prompt, {} if it or the model has none. Raises where they do not fit."""
    there = {name[len(layer) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{layer}.")}
    here = getattr(model, layer, None)
    if not there or here is None:
        return {}
    kind = _PROMPTS[layer]
    tokens = [
        each.prefix_tokens if layer == "prefix" else each.soft_tokens for each in (tokenizer, model.prompt_tokenizer)
    ]
    theirs, ours = (_described(each, kind) for each in tokens)
    if theirs != ours:
        raise ConfigError(
            f"--init_prompt_from {folder} has {theirs}, this template has {ours}: {model.template}; drop --prompt to take the "
            f"template of the folder, {tokenizer.template}"
        )
    expected = {name: list(parameter.shape) for name, parameter in here.named_parameters()}
    found = {name: list(array.shape) for name, array in there.items()}
    if expected != found:
        raise CheckpointError(f"{(folder / WEIGHTS_FILE).absolute()} has {kind} of shapes {found}, expected {expected}")
    return there


def _described(tokens: Sequence[SoftToken], kind: str) -> str:
    """`3 soft tokens through lstm (200), 2 through none`, in the order of the tokens."""
    runs: list[list] = []
    for token in tokens:
        how = f"{token.encoder} ({token.hidden_size or 'own width'})" if token.encoder else "no encoder"
        if runs and runs[-1][1] == how:
            runs[-1][0] += 1
        else:
            runs.append([1, how])
    return f"{len(tokens)} {kind}: " + ", ".join(f"{count} through {how}" for count, how in runs)


def _matches(
    model: TextClassifier, config: ModelConfig, tokenizer: PromptTokenizer, arrays: dict[str, np.ndarray]
) -> list[tuple[int, int]]:
    """(label id here, label id there) of the rows that can be taken: by name, else by a word; each row once."""
    if not (config.head == model.config.head == "soft" and tokenizer.num_masks == model.prompt_tokenizer.num_masks):
        return []
    theirs = config.verbalizer
    if len(theirs) != arrays["head.bias"].shape[0] or arrays["head.weight"].shape[2] != model.head.weight.shape[2]:
        return []
    by_word = {word: number for number, words in enumerate(theirs.words) for word in words}
    pairs: list[tuple[int, int]] = []
    free = set(range(len(theirs)))
    named = [(ours, theirs.label_to_id.get(label)) for ours, label in enumerate(model.verbalizer.labels)]
    worded = [
        (ours, next((by_word[word] for word in words if word in by_word), None))
        for ours, words in enumerate(model.verbalizer.words)
    ]
    for ours, number in [*named, *worded]:
        if number in free and ours not in dict(pairs):
            pairs.append((ours, number))
            free.discard(number)
    return sorted(pairs)


def _copy_rows(model: TextClassifier, arrays: dict[str, np.ndarray], pairs: Sequence[tuple[int, int]]) -> None:
    weight, bias = model.head.weight.numpy(), model.head.bias.numpy()
    for ours, theirs in pairs:
        weight[:, ours] = arrays["head.weight"][:, theirs]
        bias[ours] = arrays["head.bias"][theirs]
    model.head.weight.set_value(weight)
    model.head.bias.set_value(bias)
