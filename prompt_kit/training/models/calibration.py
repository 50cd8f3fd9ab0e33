"""Contextual calibration: take away what the prompt says of the labels when there is nothing to classify.

A masked language model prefers some label words whatever the text: they are frequent, or the prompt suggests them. The
mean log-probability of each label on inputs without content, or on unlabelled texts of the task, measures that, and is
subtracted from the label logits.

Source: Zhao et al., Calibrate Before Use, ICML 2021 (arXiv:2102.09690), content-free inputs; Hu et al., Knowledgeable
Prompt-tuning, ACL 2022 (arXiv:2108.02035), unlabelled texts. They average probabilities; the mean of the logarithms is
one bias for the logits, so it exports as part of the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle

from prompt_kit.data.dataset import AText
from prompt_kit.errors import ConfigError
from prompt_kit.prompt.prompt_tokenizer import collate

if TYPE_CHECKING:
    from prompt_kit.training.models.base import TextClassifier

CONTENT_FREE = ("N/A", "[MASK]", "")  # Zhao et al.'s; what is averaged over where there are no unlabelled texts
_BATCH = 32


def calibrate(model: TextClassifier, texts: Sequence[AText]) -> None:
    """Make the model's mean log-probabilities over `texts` equal; on a single text it then predicts uniformly.

    The bias goes into the head, so it is saved and exported with the model. Calibrating again replaces nothing, but
    adds what is left. Raises ConfigError without texts.
    """
    if not texts:
        raise ConfigError("calibration needs at least one text, got none")
    training = model.training
    model.eval()
    # neighbours in length share a batch; a mean knows no order
    features = sorted(model.encode_texts(texts), key=lambda one: len(one.input_ids))
    logits = []
    with paddle.no_grad():
        for start in range(0, len(features), _BATCH):
            arrays = collate(features[start : start + _BATCH], model.tokenizer.pad_id)
            logits.append(model(**{name: paddle.to_tensor(array) for name, array in arrays.items()}).numpy())
    if training:
        model.train()
    model.add_bias(calibration_bias(np.concatenate(logits)))


def calibration_bias(logits: np.ndarray) -> np.ndarray:
    """Label logits [N, C] of N texts -> the bias [C] that takes their mean log-probabilities away; its mean is log C
    or more."""
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    return -(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))).mean(axis=0)


def with_bias(config: Any, bias: np.ndarray) -> Any:
    """A model's configuration, its `calibration` increased by `bias` [C]."""
    bias = bias.astype("float32")
    total = bias if config.calibration is None else np.float32(config.calibration) + bias
    return replace(config, calibration=tuple(total.tolist()))
