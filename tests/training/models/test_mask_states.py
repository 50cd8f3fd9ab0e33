"""Mask states of many texts: in their order, in batches of like lengths, without dropout."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from prompt_kit.prompt.prompt_tokenizer import Features
from prompt_kit.training.models.mask_states import mask_states

PAD = 9
# ids 1 to 5, 1 to 3, 1 to 4; the masks are the first two columns behind [CLS]
TEXTS = [Features(list(range(1, size + 1)), [0] * size, [1, 2]) for size in (5, 3, 4)]


def test_order_batches_and_shape():
    """Each mask gives its id and the length of its batch: of 3 and 4 that of 4, then 5."""
    model, batches = nn.Linear(1, 1), []

    def read(input_ids, token_type_ids, mask_columns):
        assert not model.training
        batches.append(input_ids.numpy().tolist())
        at_masks = paddle.take_along_axis(input_ids, mask_columns, axis=1)
        return paddle.stack([at_masks, paddle.full_like(at_masks, input_ids.shape[1])], axis=2)

    found = mask_states(model, read, TEXTS, PAD, batch_size=2)
    np.testing.assert_array_equal(found, [[2, 5, 3, 5], [2, 4, 3, 4], [2, 4, 3, 4]])
    assert found.dtype == np.float32 and model.training
    assert batches == [[[1, 2, 3, PAD], [1, 2, 3, 4]], [[1, 2, 3, 4, 5]]]


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_comes_back_whatever_happens(training):
    model = nn.Linear(1, 1)
    model.train() if training else model.eval()

    def fails(**batch):
        assert batch.keys() == {"input_ids", "token_type_ids", "mask_columns"}
        raise MemoryError

    with pytest.raises(MemoryError):
        mask_states(model, fails, TEXTS, PAD)
    assert model.training is training
