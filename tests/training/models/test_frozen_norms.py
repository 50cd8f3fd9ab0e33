"""Soft tokens in front of a frozen language model learn from the gradient that they have in front of a trained one."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from eager import inputs
from paddle import nn
from tiny import EXAMPLES, FAMILIES, LABELS, tiny_model

from prompt_kit.training.models.frozen_norms import correct_frozen_norms, restore_norms


def soft_prompt_gradient(model) -> np.ndarray:
    model.eval()
    gold = paddle.to_tensor([LABELS.label_to_id[example.label] for example in EXAMPLES])
    F.cross_entropy(model(**inputs(model)), gold).backward()
    found = model.soft_prompt.vectors.grad.numpy()
    model.clear_gradients()
    return found


@pytest.mark.parametrize("head", ["soft", "manual"])
@pytest.mark.parametrize("family", FAMILIES)
def test_freezing_the_language_model_changes_no_gradient_of_the_soft_prompt(family, head):
    model = tiny_model(family=family, head=head, encoder="none")
    random = np.random.default_rng(0)
    for layer in model.backbone.sublayers():
        if isinstance(layer, nn.LayerNorm):
            layer.weight.set_value(random.uniform(0.2, 2, layer.weight.shape).astype("float32"))
    trained = soft_prompt_gradient(model)
    model.freeze_language_model()
    np.testing.assert_allclose(soft_prompt_gradient(model), trained, rtol=1e-3, atol=1e-6 * np.abs(trained).max())


def test_the_gradient_is_that_of_finite_differences():
    random = np.random.default_rng(1)
    norm = nn.LayerNorm(8)
    norm.weight.set_value(random.uniform(0.2, 2, [8]).astype("float32"))
    norm.weight.stop_gradient = norm.bias.stop_gradient = True
    correct_frozen_norms(norm)
    x, w = random.normal(size=[2, 8]).astype("float32"), random.normal(size=[2, 8])
    given = paddle.to_tensor(x, stop_gradient=False)
    (norm(given) * paddle.to_tensor(w.astype("float32"))).sum().backward()

    def value(changed: np.ndarray) -> float:
        z = changed.astype("float64")
        z = (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + norm._epsilon)
        return float((z * norm.weight.numpy() * w).sum())

    expected = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        step = np.zeros_like(x, "float64")
        step[place] = 1e-5
        expected[place] = (value(x + step) - value(x - step)) / 2e-5
    np.testing.assert_allclose(given.grad.numpy(), expected, atol=1e-4)
    restore_norms(norm)
    assert norm(given).numpy().shape == (2, 8) and "forward" not in vars(norm)
