"""The learnable prompt vectors and the encoder that reparametrises them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, Optional

import numpy as np
import paddle
from paddle import nn

from prompt_kit.errors import ConfigError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer, SoftToken
from prompt_kit.training.cpu.trained_rows import TrainedRows

ENCODERS = ("lstm", "mlp", "none")
LARGEST_HIDDEN_SIZE = 2**12  # of an encoder, whose LSTM has eight times its square of weights


class ResidualEncoder(nn.Layer):
    """[S, E] -> [S, E]: x + f(x), where f ends in a zero layer, so that it starts as the identity.

    Args:
        kind: lstm or mlp.
        width: E.
        hidden_size: of f.
        outputs: how many numbers a row of f has, if not E; then only `change` is of use.
    """

    def __init__(self, kind: str, width: int, hidden_size: int, outputs: Optional[int] = None):
        super().__init__()
        self.lstm = nn.LSTM(width, hidden_size, direction="bidirect") if kind == "lstm" else None
        self.inner = nn.Linear(2 * hidden_size if self.lstm else width, hidden_size)
        self.outer = nn.Linear(
            hidden_size,
            outputs or width,
            weight_attr=nn.initializer.Constant(0.0),
            bias_attr=nn.initializer.Constant(0.0),
        )

    def forward(self, vectors: paddle.Tensor) -> paddle.Tensor:
        return vectors + self.change(vectors)

    def change(self, vectors: paddle.Tensor) -> paddle.Tensor:
        """f(x): zeros before training."""
        hidden = vectors if self.lstm is None else self.lstm(vectors.unsqueeze(0))[0].squeeze(0)
        return self.outer(nn.functional.relu(self.inner(hidden)))


class SoftPrompt(nn.Layer):
    """The table of soft tokens: [S, E], E the width of the word embeddings.

    Args:
        tokens: one SoftToken a row, in the order of their soft ids.
        width: E.

    Tokens that name the same encoder (`lstm` or `mlp`, see SoftToken) pass through it together, in their order; its
    hidden layer is `hidden_size` wide, E where none is given. Tokens without an encoder are used as they are.
    A soft token that has words starts at its word's embedding (see `start_from`), another at a small random vector.
    The encoder is residual with a zero last layer: before the first step the table is exactly those embeddings.

    Source: Liu et al., GPT Understands, Too, 2021 (arXiv:2103.10385), the prompt encoder; the residual start is ours.
    """

    def __init__(self, tokens: Sequence[SoftToken], width: int):
        super().__init__()
        self.tokens = tuple(tokens)
        check_hidden_sizes(self.tokens)
        self.vectors = self.create_parameter(
            [len(self.tokens), width], default_initializer=nn.initializer.Normal(0.0, 0.02)
        )
        self.encoders = nn.LayerList()
        self._rows = []  # one index tensor an encoder
        groups: dict[tuple, list[int]] = {}
        for row, token in enumerate(self.tokens):
            groups.setdefault((token.encoder, token.hidden_size), []).append(row)
        for (kind, hidden_size), rows in groups.items():
            if kind is not None:
                self.encoders.append(ResidualEncoder(kind, width, hidden_size or width))
                self._rows.append(rows)

    def start_from(self, embeddings: paddle.Tensor) -> None:
        """Copy the rows of the word embeddings [V, E] that the soft tokens' words name."""
        table = self.vectors.numpy()
        for row, token in enumerate(self.tokens):
            if token.init_id is not None:
                table[row] = embeddings[token.init_id].astype("float32").numpy()
        self.vectors.set_value(table)

    def fold(self) -> None:
        """Replace the vectors by the encoded table, and have no encoder any more."""
        self.vectors.set_value(self().detach())
        self.encoders, self._rows = nn.LayerList(), []

    def forward(self) -> paddle.Tensor:
        """The encoded table [S, E]."""
        if not self._rows:
            return self.vectors
        if len(self._rows) == 1 and len(self._rows[0]) == len(self.tokens):
            return self.encoders[0](self.vectors)
        rows = [self.vectors[i : i + 1] for i in range(len(self.tokens))]
        for numbers, encoder in zip(self._rows, self.encoders):
            encoded = encoder(self.vectors[paddle.to_tensor(np.asarray(numbers, "int64"))])
            for position, number in enumerate(numbers):
                rows[number] = encoded[position : position + 1]
        return paddle.concat(rows, axis=0)


def check_hidden_sizes(tokens: Sequence[SoftToken]) -> None:
    """Raise ConfigError for an encoder of an absurd width."""
    wide = [token.hidden_size for token in tokens if (token.hidden_size or 0) > LARGEST_HIDDEN_SIZE]
    if wide:
        raise ConfigError(f"the template's hidden_size must be {LARGEST_HIDDEN_SIZE} at most, got {wide[0]}")


class PromptEmbedding(nn.Layer):
    """The backbone's word embedding, extended by the soft tokens: id V + n - 1 is soft token n.

    Standing in the embedding layer's place, it works for every backbone, whether or not that accepts `inputs_embeds`
    (BERT's does not), and leaves position ids and the padding mask to the backbone's own code.
    The parameter keeps its name, so checkpoints of the backbone stay as they are.
    """

    rows: Optional[TrainedRows] = None

    def __init__(self, embedding: nn.Embedding, soft_prompt: SoftPrompt):
        super().__init__()
        self.weight = embedding.weight
        self._padding_idx = embedding._padding_idx
        # a closure, not a sublayer: the prompt's parameters belong to the model and must not be listed twice
        self._table = lambda: soft_prompt()
        # rows [B, L] of a table [S, E] -> [B, L, E]
        self.look_up: Callable[[paddle.Tensor, paddle.Tensor], paddle.Tensor] = nn.functional.embedding

    def forward(self, ids: paddle.Tensor) -> paddle.Tensor:
        """[B, L] int64 -> [B, L, E]."""
        vocab_size = self.weight.shape[0]
        is_soft = ids >= vocab_size
        word_ids = paddle.where(is_soft, paddle.zeros_like(ids), ids)
        if self.rows is None:
            words = nn.functional.embedding(word_ids, self.weight, padding_idx=self._padding_idx)
        else:
            words = self.rows.look_up(word_ids)
        rows = paddle.where(is_soft, ids - vocab_size, paddle.zeros_like(ids))
        soft = self.look_up(rows, self._table().astype(words.dtype))
        return paddle.where(is_soft.unsqueeze(-1), soft, words)


def add_soft_prompt(backbone: nn.Layer, prompt_tokenizer: PromptTokenizer) -> Optional[SoftPrompt]:
    """Put the template's soft tokens into the language model's embedding layer; None where it has none."""
    if not prompt_tokenizer.uses_soft:
        return None
    embedding = backbone.get_input_embeddings()
    soft_prompt = SoftPrompt(prompt_tokenizer.soft_tokens, embedding.weight.shape[1])
    soft_prompt.start_from(embedding.weight)
    backbone.set_input_embeddings(PromptEmbedding(embedding, soft_prompt))
    return soft_prompt
