"""Encoded texts -> the tensors of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import paddle

from prompt_kit.prompt.prompt_tokenizer import Features, collate


def tensors(features: Sequence[Features], places: Iterable[int], pad_id: int) -> dict[str, paddle.Tensor]:
    """The arrays of `collate` of the texts at `places`, by name."""
    arrays = collate([features[int(place)] for place in places], pad_id)
    return {name: paddle.to_tensor(array) for name, array in arrays.items()}
