"""Layer norms that are not trained, with the right gradient of what they are given.

Paddle 3.3.1's CPU kernel leaves the gain out of the gradient of a layer norm's input where the gain itself takes none. So
soft tokens in front of a frozen language model would learn from a wrong gradient. Here the kernel is given a copy of the
gain that takes one, which nobody reads.
"""

from __future__ import annotations

from functools import partial

import paddle
import paddle.nn.functional as F
from paddle import nn


def correct_frozen_norms(layer: nn.Layer) -> None:
    """Give the layer norms in `layer` a forward pass whose gradient is right when they are frozen."""
    for norm in _norms(layer):
        norm.forward = partial(_forward, norm)


def restore_norms(layer: nn.Layer) -> None:
    """Undo `correct_frozen_norms`."""
    for norm in _norms(layer):
        norm.__dict__.pop("forward", None)


def _norms(layer: nn.Layer) -> list[nn.LayerNorm]:
    return [one for one in layer.sublayers(include_self=True) if isinstance(one, nn.LayerNorm)]


def _forward(norm: nn.LayerNorm, states: paddle.Tensor) -> paddle.Tensor:
    gain = norm.weight
    if gain is not None and gain.stop_gradient and not states.stop_gradient and paddle.in_dynamic_mode():
        gain = gain.detach()
        gain.stop_gradient = False
    return F.layer_norm(states, norm._normalized_shape, gain, norm.bias, norm._epsilon)
