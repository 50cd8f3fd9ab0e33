"""Why this label? A model in memory, asked as inference/explanation.py asks an exported one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Optional, Union

from prompt_kit.data.dataset import Example
from prompt_kit.inference.explanation import Explanation, explain
from prompt_kit.training.loop.prediction import predict_probabilities
from prompt_kit.training.models.base import TextClassifier


def explain_by_leaving_out(
    model: TextClassifier,
    texts: Iterable[Union[str, Example]],
    top_k: int = 5,
    label: Optional[str] = None,
    batch_size: int = 32,
) -> Iterator[Explanation]:
    """Explanations one by one; arguments, order and errors as in inference/explanation.py."""
    classify = partial(predict_probabilities, model, batch_size=batch_size)
    return explain(classify, [model.prompt_tokenizer], model.verbalizer.labels, texts, top_k, label)
