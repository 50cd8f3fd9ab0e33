"""Label probabilities of a trained model, without a Trainer and its folder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.prompt.prompt_tokenizer import collate
from prompt_kit.training.export.static_graph import run_eager
from prompt_kit.training.models.base import TextClassifier


def predict_probabilities(model: TextClassifier, examples: Sequence[Example], batch_size: int = 32) -> np.ndarray:
    """[N, C] float64, in the order of the examples; neighbours in length share a batch. The model's mode stays as it is."""
    training = model.training
    model.eval()
    features = model.prompt_tokenizer.encode_many(examples)
    order = sorted(range(len(features)), key=lambda place: len(features[place].input_ids))
    probabilities = np.empty((len(features), len(model.verbalizer)))
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        arrays = collate([features[place] for place in places], model.tokenizer.pad_id)
        logits = run_eager(model, arrays)[0]
        probabilities[places] = model.task.probabilities(logits, model.verbalizer.labels)
    if training:
        model.train()
    return probabilities
