"""The kernels behind their switches: the same logits and gradients without any of them, and layers that are given back."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from gradients import logits_and_gradients
from runs import trainer
from tiny import EXAMPLES, HARD, SOFT, tiny_backbone, tiny_model

from prompt_kit.training.cpu.dropout import FastDropout
from prompt_kit.training.cpu.kernels import KERNELS, CPUKernels, uses, without
from prompt_kit.training.cpu.packed_layer import PackedLayer


@pytest.mark.parametrize("kernels", [("packed_layer",), ("last_layer",), ("dropout",), KERNELS])
def test_the_same_is_computed_without(kernels):
    logits, gradients = logits_and_gradients(tiny_model(HARD, dropout=0.0))
    with without(*kernels):
        plain = tiny_model(HARD, dropout=0.0)
    expected, expected_gradients = logits_and_gradients(plain)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected_gradients[name], atol=1e-5, err_msg=name)


def test_without_all_the_layers_are_paddles():
    with without(*KERNELS):
        assert not any(uses(kernel) for kernel in KERNELS)
        model = tiny_model(HARD)
    assert all(uses(kernel) for kernel in KERNELS)
    assert {type(layer).__module__.split(".")[0] for layer in model.backbone.ernie.encoder.sublayers()} == {"paddle"}


@pytest.mark.parametrize("kernels", [(), ("dropout",)])
def test_dropout_of_packed_rows_keeps_the_mean(kernels):
    """Whoever draws the masks: a tenth of the numbers is 0, the others are 1 / 0.9."""
    with without(*kernels):
        masks = CPUKernels(tiny_backbone().ernie).masks
    paddle.seed(0)
    mask = masks.draw([200, 500], 0.1).numpy()
    np.testing.assert_allclose(mask[mask > 0], 1 / 0.9, atol=1e-4)
    assert (mask == 0).mean() == pytest.approx(0.1, abs=0.005)


@pytest.mark.parametrize(("kernels", "alone"), [((), True), (("trained_rows",), False)])
def test_rows_are_trained_alone_only_with_the_kernel(tmp_path, kernels, alone):
    with without(*kernels):
        run = trainer(tmp_path, tiny_model(SOFT, head="soft"), EXAMPLES[:1])  # of one text: few rows
        run.create_optimizer_and_scheduler(num_training_steps=3)
    assert (run.optimizer.rows is not None) == alone


def test_removing_gives_the_layers_back():
    backbone = tiny_backbone()
    backbone.eval()
    ids = paddle.to_tensor([[2, 5, 6, 7, 3], [2, 8, 9, 3, 0]])
    expected = backbone(ids).numpy()
    before = [type(layer) for layer in backbone.sublayers()]
    kernels = CPUKernels(backbone.ernie, 0)
    kernels.speed_up_dropout(backbone)
    assert {PackedLayer, FastDropout} <= {type(layer) for layer in backbone.sublayers()}
    kernels.remove(backbone)
    assert [type(layer) for layer in backbone.sublayers()] == before
    np.testing.assert_array_equal(backbone(ids).numpy(), expected)
    columns = paddle.to_tensor([[1], [2]])
    assert kernels.rows(ids, columns).shape == [2, 1, 32]  # still right, only slower
