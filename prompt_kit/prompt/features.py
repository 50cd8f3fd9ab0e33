"""Features: an example as token ids, and batches of them as int64 arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Optional

import numpy as np

from prompt_kit.errors import ConfigError


@dataclass(frozen=True)
class Features:
    """One example, unpadded, with [CLS] and [SEP]; the lists are of length L, but `mask_columns` of length M.

    Without masks in the template `mask_columns` is the column of [CLS] alone.

    At a soft position `soft_ids` is n >= 1 for the n-th soft token, elsewhere 0; without soft prompts it is None.
    `input_ids` there is the word that the soft token starts from, or [UNK], so that no position looks like padding.
    """

    input_ids: list[int]
    token_type_ids: list[int]
    mask_columns: list[int]
    soft_ids: Optional[list[int]] = None


def collate(
    features: Sequence[Features], pad_id: int, pad_to_multiple_of: Optional[int] = None
) -> dict[str, np.ndarray]:
    """Pad to the longest (or to the next multiple) and stack, as int64.

    Returns input_ids [B, L] and token_type_ids [B, L], padded with `pad_id` and 0; mask_columns [B, M], a column of
    its own row each; and with soft prompts soft_ids [B, L], padded with 0. Raises ConfigError for an empty list and
    for features of different templates.
    """
    if not features:
        raise ConfigError("collate needs at least one example, got none")
    if len({(len(one.mask_columns), one.soft_ids is None) for one in features}) > 1:
        raise ConfigError("the examples of a batch come from different templates: masks or soft prompts differ")
    lengths = np.array([len(one.input_ids) for one in features])
    longest = int(lengths.max())
    if pad_to_multiple_of is not None:
        check_length("pad_to_multiple_of", pad_to_multiple_of)
        longest = -(-longest // pad_to_multiple_of) * pad_to_multiple_of
    taken = np.arange(longest) < lengths[:, None]  # [B, L]

    def stack(rows: list[list[int]], padding: int) -> np.ndarray:
        array = np.full(taken.shape, padding, dtype=np.int64)
        array[taken] = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=int(lengths.sum()))
        return array

    arrays = {
        "input_ids": stack([one.input_ids for one in features], pad_id),
        "token_type_ids": stack([one.token_type_ids for one in features], 0),
        "mask_columns": np.array([one.mask_columns for one in features], dtype=np.int64),
    }
    if features[0].soft_ids is not None:
        arrays["soft_ids"] = stack([one.soft_ids or [] for one in features], 0)
    return arrays


def check_length(name: str, value: Any) -> None:
    """ConfigError for what is no number of tokens."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name} must be a whole number of 1 or more, got {value!r}")
