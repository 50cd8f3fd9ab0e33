"""Label probabilities of a model: in the order of the examples, in whatever batches, and the model's mode stays."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import EXAMPLES, tiny_model

from prompt_kit.metrics import softmax
from prompt_kit.prompt.prompt_tokenizer import collate
from prompt_kit.training.export.static_graph import run_eager
from prompt_kit.training.loop.prediction import predict_probabilities


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_each_text_as_if_it_stood_alone(batch_size):
    model = tiny_model(dropout=0.5)
    model.eval()
    features = model.prompt_tokenizer.encode_many(EXAMPLES)
    alone = [softmax(run_eager(model, collate([one], model.tokenizer.pad_id))[0])[0] for one in features]
    found = predict_probabilities(model, EXAMPLES, batch_size)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, alone, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_stays(training):
    model = tiny_model(dropout=0.5)
    model.train() if training else model.eval()
    first, second = predict_probabilities(model, EXAMPLES[:2]), predict_probabilities(model, EXAMPLES[:2])
    assert model.training is training
    np.testing.assert_array_equal(first, second)


def test_no_examples():
    assert predict_probabilities(tiny_model(), []).shape == (0, 3)
