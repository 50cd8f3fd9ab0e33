"""Batches of features as arrays: padded to the longest, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_kit.errors import ConfigError
from prompt_kit.prompt.features import Features, collate

LONG = Features([1, 97, 98, 3, 2], [0, 0, 0, 1, 1], [3])
SHORT = Features([1, 97, 3, 2], [0, 0, 1, 1], [2])
SOFT = Features([1, 4, 97, 2], [0, 0, 0, 0], [0], [0, 1, 0, 0])


def test_pads_and_stacks():
    arrays = collate([LONG, SHORT], pad_id=9)
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "input_ids": [[1, 97, 98, 3, 2], [1, 97, 3, 2, 9]],
        "token_type_ids": [[0, 0, 0, 1, 1], [0, 0, 1, 1, 0]],
        "mask_columns": [[3], [2]],
    }
    assert all(array.dtype == np.int64 for array in arrays.values())


@pytest.mark.parametrize(("multiple", "width"), [(None, 4), (1, 4), (3, 6), (4, 4), (8, 8)])
def test_soft_prompts_and_a_multiple(multiple, width):
    arrays = collate([SOFT, SOFT], 0, pad_to_multiple_of=multiple)
    assert arrays["soft_ids"].tolist() == [[0, 1, 0, 0] + [0] * (width - 4)] * 2
    assert arrays["input_ids"].shape == (2, width)


def test_errors():
    with pytest.raises(ConfigError, match="collate needs at least one example, got none"):
        collate([], 0)
    for other in (SOFT, Features([1, 3, 3, 2], [0] * 4, [1, 2])):
        with pytest.raises(ConfigError, match="the examples of a batch come from different templates"):
            collate([SHORT, other], 0)
    with pytest.raises(ConfigError, match="pad_to_multiple_of must be a whole number of 1 or more, got 0"):
        collate([SHORT], 0, pad_to_multiple_of=0)
