"""The encoder on rows without padding, with gradients of its own: equal to Paddle's layers, dropout masks included."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn
from tiny import EXAMPLES, FAMILIES, HARD, LABELS, SOFT, tiny_model

from prompt_kit.training.cpu.dropout import DropoutMasks
from prompt_kit.training.cpu.last_layer import MaskRowsLayer
from prompt_kit.training.cpu.packed_layer import PackedLayer, can_be_packed, parameters
from prompt_kit.training.cpu.packing import Packing
from prompt_kit.training.loop.batching import Collator, EncodedDataset

LENGTHS = np.array([9, 4, 7, 1, 5])
IS_TOKEN = np.arange(9) < LENGTHS[:, None]
WIDTH, HEADS = 24, 4


class FixedMasks(DropoutMasks):
    """Remembers what it drew."""

    def __init__(self):
        super().__init__()
        self.drawn = []

    def draw(self, shape, p):
        self.drawn.append(super().draw(shape, p))
        return self.drawn[-1]


def layer_of(activation="gelu", **options) -> nn.TransformerEncoderLayer:
    paddle.seed(3)
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 48, activation=activation, normalize_before=False, **options)
    for parameter in parameters(layer):  # biases and gains start at 0 and 1, which would hide what is left out
        parameter.set_value(parameter + 0.2 * paddle.randn(parameter.shape))
    layer.train()
    return layer


def inputs() -> tuple:
    """[B, L, H] states and the weights of the loss, which reads nothing at padding."""
    numbers = np.random.default_rng(0).standard_normal((2, *IS_TOKEN.shape, WIDTH)).astype("float32")
    return numbers[0], numbers[1] * IS_TOKEN[..., None]


def gradients(layer, output, states, weight) -> list:
    (output * paddle.to_tensor(weight)).sum().backward()
    found = [states.grad.numpy()] + [parameter.grad.numpy() for parameter in parameters(layer)]
    layer.clear_gradients()
    return found


def packed_run(layer, masks=None) -> tuple:
    layer.__class__, packing = PackedLayer, Packing(IS_TOKEN, masks or DropoutMasks())
    layer.packing = lambda: packing
    states, weight = inputs()
    states = paddle.to_tensor(states, stop_gradient=False)
    output = layer(states)
    return output.numpy(), gradients(layer, output, states, weight[IS_TOKEN])


def assert_close(ours: list, theirs: list) -> None:
    for number, (a, b) in enumerate(zip(ours, theirs)):
        if number != 4:  # the key's bias moves no softmax: its gradient is rounding error
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5 * max(1, np.abs(b).max()), err_msg=str(number))


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_output_and_gradients_are_paddles(activation):
    layer = layer_of(activation, dropout=0.0)
    assert can_be_packed(layer)
    states, weight = inputs()
    states = paddle.to_tensor(states, stop_gradient=False)
    mask = paddle.to_tensor(np.where(IS_TOKEN, 0, -1e4).astype("float32")[:, None, None])
    output = layer(states, mask)
    theirs = gradients(layer, output, states, weight)
    packed, ours = packed_run(layer)
    np.testing.assert_allclose(packed, output.numpy()[IS_TOKEN], rtol=1e-4, atol=1e-5)
    assert_close(ours, theirs)


def test_gradients_with_dropout_are_those_of_the_masks_that_were_drawn():
    layer, masks = layer_of(dropout=0.3, attn_dropout=0.4, act_dropout=0.2), FixedMasks()
    packed, ours = packed_run(layer, masks)
    attention_mask, out_mask, inner_mask, last_mask = masks.drawn
    assert [mask.shape for mask in masks.drawn] == [[5, HEADS, 9, 9], [26, WIDTH], [26, 48], [26, WIDTH]]
    states, weight = inputs()
    states = paddle.to_tensor(states, stop_gradient=False)
    rows, attention = [], layer.self_attn
    for number, length in enumerate(LENGTHS):  # one example after the other, by Paddle's autograd
        begin = int(LENGTHS[:number].sum())
        part = slice(begin, begin + int(length))
        x = states[number, :length]
        q, k, v = (
            each(x).reshape([length, HEADS, WIDTH // HEADS]).transpose([1, 0, 2])
            for each in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        weights = F.softmax(paddle.matmul(q, k, transpose_y=True) * (WIDTH // HEADS) ** -0.5)
        mixed = paddle.matmul(weights * attention_mask[number, :, :length, :length], v).transpose([1, 0, 2])
        h = layer.norm1(x + attention.out_proj(mixed.reshape([length, WIDTH])) * out_mask[part])
        inner = F.gelu(layer.linear1(h)) * inner_mask[part]
        rows.append(layer.norm2(h + layer.linear2(inner) * last_mask[part]))
    output = paddle.concat(rows)
    np.testing.assert_allclose(packed, output.numpy(), rtol=1e-4, atol=1e-5)
    assert_close(ours, gradients(layer, output, states, weight[IS_TOKEN]))


def test_what_is_not_trained_gets_no_gradient():
    layer = layer_of(dropout=0.0)
    layer.linear1.weight.stop_gradient = True
    layer.__class__, packing = PackedLayer, Packing(IS_TOKEN, DropoutMasks())
    layer.packing = lambda: packing
    layer(paddle.to_tensor(inputs()[0])).sum().backward()
    assert layer.linear1.weight.grad is None
    assert layer.linear2.weight.grad is not None


def test_layers_of_another_kind_stay_paddles():
    assert not can_be_packed(nn.TransformerEncoderLayer(8, 2, 8, activation="gelu", normalize_before=True))
    assert not can_be_packed(nn.TransformerEncoderLayer(8, 2, 8, activation="silu"))
    assert not can_be_packed(nn.TransformerEncoderLayer(8, 2, 8, activation="gelu", bias_attr=False))
    assert not can_be_packed(nn.Linear(2, 2))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("prompt", [HARD, SOFT, "{'mask'}{'text': 'text_a'}{'hard': '新闻'}{'mask'}"])
def test_a_whole_models_logits_and_gradients_are_those_of_its_padded_pass(family, prompt):
    model = tiny_model(prompt, family, dropout=0.0)
    encoded = EncodedDataset(EXAMPLES, model.prompt_tokenizer, LABELS.label_to_id)
    batch = Collator(model.tokenizer.pad_id)([encoded[i] for i in range(len(encoded))])
    batch = {name: paddle.to_tensor(array) for name, array in batch.items()}
    labels = batch.pop("labels")
    layers = model._encoder.encoder.layers
    assert [type(layer) for layer in layers] == [PackedLayer, MaskRowsLayer]
    found = []
    for packed in (True, False):
        if not packed:
            for layer in layers:
                layer.packing = lambda: None
        model.train()
        logits = model(**batch)
        F.cross_entropy(logits, labels).backward()
        arrays = {name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None}
        found.append({"logits": logits.numpy(), **arrays})
        model.clear_gradients()
    assert found[0].keys() == found[1].keys()
    for name, array in found[1].items():
        np.testing.assert_allclose(found[0][name], array, rtol=1e-3, atol=1e-5, err_msg=name)
