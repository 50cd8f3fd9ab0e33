"""The transformed states at the masks, as a head reads them, of many texts: one pass without dropout."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import paddle
from paddle import nn

from prompt_kit.prompt.prompt_tokenizer import Features, collate


def mask_states(
    model: nn.Layer,
    read: Callable[..., paddle.Tensor],
    features: Sequence[Features],
    pad_id: int,
    batch_size: int = 32,
) -> np.ndarray:
    """[N, M E] float32 in the order of `features`, the masks side by side.

    Args:
        model: put into evaluation mode for the pass, and back into the mode that it was in.
        read: from the arrays of `collate`, by name, to transformed mask states [B, M, E].
        features: encoded texts.
        pad_id: of the tokenizer.
    """
    training = model.training
    model.eval()
    order = sorted(range(len(features)), key=lambda row: len(features[row].input_ids))  # little padding
    states: list = [None] * len(features)
    try:
        with paddle.no_grad():
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                arrays = collate([features[row] for row in rows], pad_id)
                found = read(**{name: paddle.to_tensor(array) for name, array in arrays.items()})
                for row, state in zip(rows, found.astype("float32").numpy()):
                    states[row] = state.ravel()
    finally:
        if training:
            model.train()
    return np.stack(states)
