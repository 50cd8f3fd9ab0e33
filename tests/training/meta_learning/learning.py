"""What a learner is given, and what it moved."""

from __future__ import annotations

import numpy as np
from tiny import EXAMPLES


def encoded(model):
    return model.prompt_tokenizer.encode_many(EXAMPLES)


def values(parameters):
    return [parameter.numpy().copy() for parameter in parameters]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second))
