"""The last layer over the mask rows alone: same logits, same gradients, and the language model still works by itself."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from eager import inputs
from gradients import logits_and_gradients
from tiny import EXAMPLES, FAMILIES, HARD, SOFT, tiny_backbone, tiny_model

from prompt_kit.training.cpu.kernels import without
from prompt_kit.training.cpu.last_layer import restrict_last_layer, take_rows

TWO_MASKS = HARD + "{'mask'}"


@pytest.mark.parametrize("prompt", [SOFT, TWO_MASKS])
@pytest.mark.parametrize("family", FAMILIES)
def test_equals_the_whole_layer(family, prompt):
    fast = tiny_model(prompt, family, dropout=0.0)
    with without("last_layer"):
        whole = tiny_model(prompt, family, dropout=0.0)
    logits, gradients = logits_and_gradients(fast)
    expected, expected_gradients = logits_and_gradients(whole)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert gradients.keys() == expected_gradients.keys()
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected_gradients[name], atol=1e-5, err_msg=name)


def test_computes_the_mask_rows_only():
    model, seen = tiny_model(HARD), []
    model._encoder.encoder.layers[-1].linear1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    model(**inputs(model))
    assert seen == [[len(EXAMPLES), 1, 32]]


def test_the_language_model_by_itself_gives_every_row():
    model, plain = tiny_model(HARD), tiny_backbone()
    model.eval()
    ids = paddle.to_tensor([[2, 5, 6, 7, 3], [2, 8, 9, 3, 0]])
    np.testing.assert_allclose(model.backbone(ids).numpy(), plain(ids).numpy(), atol=1e-5)


def test_leaves_other_layers_alone():
    backbone = tiny_backbone()
    backbone.ernie.encoder.layers[-1].normalize_before = True
    assert not restrict_last_layer(backbone.ernie, lambda: None)
    assert not restrict_last_layer(paddle.nn.Linear(2, 2), lambda: None)


def test_take_rows_by_hand():
    sequence = paddle.arange(12, dtype="float32").reshape([2, 3, 2])
    assert take_rows(sequence, paddle.to_tensor([[2, 0], [1, 1]])).tolist() == [[[4, 5], [0, 1]], [[8, 9], [8, 9]]]
