"""What a language model makes of a template before anyone trains: its tokens, what is cut, the best words of each mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import paddle

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError
from prompt_kit.metrics import softmax
from prompt_kit.prompt.prompt_tokenizer import Features, PromptTokenizer, Read, collate
from prompt_kit.prompt.template import Template
from prompt_kit.training.cpu.last_layer import take_rows
from prompt_kit.training.models.backbone import Backbone, longest_input
from prompt_kit.training.models.heads import masked_lm_head

KINDS = ("word", "soft", "mask")  # of the text or the prompt; a learnable vector; to be filled in

_SHOWN = 12  # tokens of what is cut off


@dataclass(frozen=True)
class Token:
    """A word piece as the model reads it; `kind` is one of KINDS. A soft token is the word that it starts from."""

    piece: str
    kind: str


@dataclass(frozen=True)
class Cut:
    """Of a text's `total` tokens the model reads `read`; `lost` is the start of what it does not, as word pieces."""

    field: str
    read: int
    total: int
    lost: str


@dataclass(frozen=True)
class Trial:
    """A text in the template.

    cuts    of the texts that are longer than there is room for
    words   for each mask the most probable word pieces with their probabilities, each mask by itself
    """

    text: str
    tokens: tuple[Token, ...]
    cuts: tuple[Cut, ...]
    words: tuple[tuple[tuple[str, float], ...], ...]


def try_template(
    backbone: Backbone, template: Template, texts: Sequence[str], top_k: int = 5, **lengths
) -> list[Trial]:
    """What the language model reads, and puts in the masks, of texts in a template; each text in all fields of it.

    Soft tokens are read as the words that they start from, which is what an untrained model predicts by.

    Args:
        lengths: of PromptTokenizer: max_seq_length and so on.

    Raises ConfigError for lengths that the model or the template has no room for, and a `top_k` below 1.
    """
    if top_k < 1:
        raise ConfigError(f"top_k must be 1 or more, got {top_k}")
    prompt_tokenizer = PromptTokenizer(template, backbone.tokenizer, **lengths)
    limit = longest_input(backbone.model)
    if prompt_tokenizer.max_seq_length > limit:
        raise ConfigError(
            f"max_seq_length {prompt_tokenizer.max_seq_length} exceeds the {limit} positions of {backbone.name}; lower "
            "--max_seq_length"
        )
    examples = [Example(**{"text_a": text, **{field: text for field in template.fields}}) for text in texts]
    features = prompt_tokenizer.encode_many(examples)
    reads = prompt_tokenizer.what_is_read(examples)
    best = [_words(backbone, one, top_k) for one in features]
    return [
        Trial(text, _tokens(prompt_tokenizer, one), _cuts(prompt_tokenizer, text, read), words)
        for text, one, read, words in zip(texts, features, reads, best)
    ]


def _words(backbone: Backbone, features: Features, top_k: int) -> tuple[tuple[tuple[str, float], ...], ...]:
    model, tokenizer = backbone.model, backbone.tokenizer
    head = masked_lm_head(model)
    arrays = {name: paddle.to_tensor(array) for name, array in collate([features], tokenizer.pad_id).items()}
    model.eval()
    with paddle.no_grad():
        encoder = getattr(model, model.base_model_prefix, model)
        states = encoder(arrays["input_ids"], token_type_ids=arrays["token_type_ids"])
        states = states[0] if isinstance(states, (tuple, list)) else states  # ELECTRA returns the states alone
        rows = head.transform(take_rows(states, arrays["mask_columns"]))
        logits = paddle.matmul(rows, head.weight(), transpose_y=True) + head.bias()
    probabilities = softmax(logits.astype("float32").numpy()[0])  # [M, V]
    found = []
    for row in probabilities[:, : tokenizer.vocab_size]:
        best = np.argsort(-row, kind="stable")[:top_k]
        found.append(tuple((tokenizer.id_to_token(int(place)) or "", float(row[place])) for place in best))
    return tuple(found)


def _tokens(prompt_tokenizer: PromptTokenizer, features: Features) -> tuple[Token, ...]:
    tokenizer, starts = prompt_tokenizer.tokenizer, prompt_tokenizer.soft_tokens
    masks = set(features.mask_columns)
    tokens = []
    for place, number in enumerate(features.input_ids):
        soft_id = features.soft_ids[place] if features.soft_ids else 0
        start = starts[soft_id - 1].init_id if soft_id else number
        piece = "?" if start is None else tokenizer.id_to_token(start) or ""
        tokens.append(Token(piece, "soft" if soft_id else "mask" if place in masks else "word"))
    return tuple(tokens)


def _cuts(prompt_tokenizer: PromptTokenizer, text: str, reads: Sequence[Read]) -> tuple[Cut, ...]:
    tokenizer = prompt_tokenizer.tokenizer
    ids = tokenizer.encode(text)
    found = []
    for one in reads:
        if one.is_cut:
            lost = ids[: one.start] or ids[one.stop :]
            pieces = "".join((tokenizer.id_to_token(number) or "").replace("##", "") for number in lost[:_SHOWN])
            found.append(Cut(one.field, one.stop - one.start, one.total, pieces + ("…" if len(lost) > _SHOWN else "")))
    return tuple(found)
