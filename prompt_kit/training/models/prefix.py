"""Deep prompts: learnable keys and values that every layer of the language model attends to.

Each layer and head attends to the prefix by a softmax of its own, and what it reads there is added through a gate:

    softmax(Q K') V + gate softmax(Q K_prefix') V_prefix

The gates start at 0, so before the first step the model predicts what it predicts without the prefix. What a row of the
batch reads from the prefix depends on its query alone: padding, the attention mask and positions take no part in it.

Sources: Li & Liang, Prefix-Tuning, ACL 2021 (arXiv:2101.00190), whose prefix also starts from the activations of words;
Liu et al., P-Tuning v2, ACL 2022 (arXiv:2110.07602), for understanding tasks. There one softmax runs over prefix and
text, so a prefix of any values takes weight from the text from the start. He et al., Towards a Unified View of
Parameter-Efficient Transfer Learning, ICLR 2022 (arXiv:2110.04366), section 3: that is the sum above, with a gate that
the logits decide; Zhang et al., LLaMA-Adapter, ICLR 2024 (arXiv:2303.16199): two softmaxes and a gate a head from zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, Optional

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from prompt_kit.errors import ConfigError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer, SoftToken
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.training.models.soft_prompt import ResidualEncoder, check_hidden_sizes

Pair = tuple[paddle.Tensor, paddle.Tensor]  # keys and values, the latter times the gates


class Prefix(nn.Layer):
    """Keys and values [N, A, P, D] of N layers with A heads each, D wide, and their gates [N, A].

    Args:
        tokens: the P tokens of the prefix; all name the same encoder, or none.
        layers, heads, size: N, A, D.
        width: of the word embeddings, E, which the encoder reads.

    With an encoder (`lstm` or `mlp`) vectors [P, E] go through it, and what it makes of them is added to all keys and
    values: one small change then moves many of them together. Its last layer starts at zero.
    """

    def __init__(self, tokens: Sequence[SoftToken], layers: int, heads: int, size: int, width: int):
        super().__init__()
        check_hidden_sizes(tokens)
        self._shape = [layers, heads, len(tokens), size]
        self.keys = self.create_parameter(self._shape, default_initializer=nn.initializer.Constant(0.0))
        self.values = self.create_parameter(self._shape, default_initializer=nn.initializer.Constant(0.0))
        self.gates = self.create_parameter([layers, heads], default_initializer=nn.initializer.Constant(0.0))
        self.encoder: Optional[ResidualEncoder] = None
        if tokens[0].encoder is not None:
            self.vectors = self.create_parameter(
                [len(tokens), width], default_initializer=nn.initializer.Normal(0.0, 0.02)
            )
            outputs = 2 * layers * heads * size
            self.encoder = ResidualEncoder(tokens[0].encoder, width, tokens[0].hidden_size or width, outputs)
        self.source: Callable[[], Pair] = self.forward  # an export puts constants in its place
        # a dictionary, since a tensor that is an attribute of a Layer would become a constant of the static graph
        self._pass: dict[str, Pair] = {}

    def forward(self) -> Pair:
        """Keys [N, A, P, D], and values [N, A, P, D] times their gates."""
        keys, values = self._encoded()
        return keys, values * self.gates.unsqueeze([2, 3])

    def _encoded(self) -> Pair:
        """Keys and values before the gates."""
        if self.encoder is None:
            return self.keys, self.values
        layers, heads, length, size = self._shape
        change = self.encoder.change(self.vectors).reshape([length, 2, layers, heads, size])
        change = change.transpose([1, 2, 3, 0, 4])
        return self.keys + change[0], self.values + change[1]

    def fold(self) -> None:
        """Replace keys and values by what the encoder makes of them, and have none any more."""
        if self.encoder is None:
            return
        keys, values = (each.detach() for each in self._encoded())
        self.keys.set_value(keys)
        self.values.set_value(values)
        del self.vectors
        self.encoder = None

    def begin(self) -> None:
        """Let the layers attend to the prefix, until `end`; its encoder runs once for all of them."""
        self._pass["pair"] = self.source()

    def end(self) -> None:
        """The language model is itself again."""
        self._pass.clear()

    def of_layer(self, number: int) -> Optional[Pair]:
        """Keys and gated values [1, A, P, D] of a layer, None outside of a pass."""
        pair = self._pass.get("pair")
        return None if pair is None else (pair[0][number : number + 1], pair[1][number : number + 1])

    def start_from(
        self, encoder: nn.Layer, ids: Sequence[int], tokenizer: Tokenizer, embeddings: paddle.Tensor
    ) -> None:
        """Take the keys and values that the language model itself makes of the tokens `ids` [P], between [CLS] and [SEP]."""
        layers = encoder.encoder.layers
        inputs: list[paddle.Tensor] = []
        hooks = [each.register_forward_pre_hook(lambda _, given: inputs.append(given[0])) for each in layers]
        modes = [(each, each.training) for each in encoder.sublayers(include_self=True)]
        encoder.eval()
        try:
            with paddle.no_grad():
                encoder(paddle.to_tensor([[tokenizer.cls_id, *ids, tokenizer.sep_id]], dtype="int64"))
                pairs = [layer.self_attn.compute_kv(rows, rows) for layer, rows in zip(layers, inputs)]
        finally:
            for hook in hooks:
                hook.remove()
            for each, training in modes:
                each.training = training
        keys, values = (paddle.concat(each)[:, :, 1:-1].astype("float32") for each in zip(*pairs))
        self.keys.set_value(keys)
        self.values.set_value(values)
        if self.encoder is not None:
            self.vectors.set_value(embeddings[paddle.to_tensor(np.asarray(ids))].astype("float32"))


class PrefixAttention(nn.MultiHeadAttention):
    """Attention that reads from the prefix too, with the parameters of the layer it stands for.

    Where `prefix()` is None it is that layer.
    """

    prefix: Callable[[], Optional[Pair]]

    def forward(self, query, key=None, value=None, attn_mask=None, cache=None):
        pair = self.prefix()
        if pair is None or cache is not None:
            return super().forward(query, key, value, attn_mask, cache)
        key = query if key is None else key
        q, k, v = self._prepare_qkv(query, key, key if value is None else value)  # [B, A, L, D]
        q = q * self.head_dim**-0.5
        logits = paddle.matmul(q, k, transpose_y=True)
        weights = F.softmax(logits if attn_mask is None else logits + attn_mask)
        if self.dropout:
            weights = F.dropout(weights, self.dropout, training=self.training)
        read = paddle.matmul(weights, v) + attend(q, *pair)
        heads, size = self.num_heads, self.head_dim
        return self.out_proj(read.transpose([0, 2, 1, 3]).reshape([0, 0, heads * size]))


def attend(queries: paddle.Tensor, keys: paddle.Tensor, values: paddle.Tensor) -> paddle.Tensor:
    """Scaled queries [B, A, L, D] to keys and values [1, A, P, D] -> [B, A, L, D]."""
    return paddle.matmul(F.softmax(paddle.matmul(queries, keys, transpose_y=True)), values)


def add_prefix(encoder: nn.Layer, prompt_tokenizer: PromptTokenizer, limit: int) -> Optional[Prefix]:
    """Have every layer of an ErnieModel, BertModel, … attend to the template's prefix; None where it has none.

    The layers stay where they are, so that their parameters keep their names.

    Args:
        limit: how many positions the language model has.

    Raises:
        ConfigError: a layer has another kind of attention than Paddle's, or the prefix is too long.
    """
    tokens = prompt_tokenizer.prefix_tokens
    if not tokens:
        return None
    if len(tokens) + 2 > limit:
        raise ConfigError(f"the template's prefix has {len(tokens)} tokens, expected {limit - 2} at most")
    layers = getattr(getattr(encoder, "encoder", None), "layers", [])
    kinds = {type(getattr(layer, "self_attn", None)) for layer in layers}
    if kinds != {nn.MultiHeadAttention}:
        raise ConfigError(
            f"{{'prefix'}} needs a language model with Paddle's own attention layers, and {type(encoder).__name__} has others; "
            "use {'soft'} in its place"
        )
    attention = layers[0].self_attn
    embeddings = encoder.get_input_embeddings().weight
    prefix = Prefix(tokens, len(layers), attention.num_heads, attention.head_dim, embeddings.shape[1])
    prefix.start_from(encoder, _words(tokens, prompt_tokenizer.tokenizer), prompt_tokenizer.tokenizer, embeddings)
    for number, layer in enumerate(layers):
        layer.self_attn.__class__ = PrefixAttention
        layer.self_attn.prefix = lambda number=number: prefix.of_layer(number)
    return prefix


def _words(tokens: Sequence[SoftToken], tokenizer: Tokenizer) -> list[int]:
    """The ids that the tokens start from; where one starts from no word, an id drawn at random, always the same.

    Source: Lester et al., The Power of Scale for Parameter-Efficient Prompt Tuning, EMNLP 2021 (arXiv:2104.08691),
    "sampled vocabulary".
    """
    special = {tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id}
    ordinary = [number for number in range(tokenizer.vocab_size) if number not in special]
    drawn = np.random.default_rng(0).choice(ordinary, len(tokens))
    return [int(spare) if token.init_id is None else token.init_id for token, spare in zip(tokens, drawn)]
