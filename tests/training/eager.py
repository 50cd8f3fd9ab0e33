"""What a model in memory answers to texts, in one batch of them all."""

from __future__ import annotations

import numpy as np
import paddle
from tiny import EXAMPLES

from prompt_kit.prompt.prompt_tokenizer import collate


def inputs(model, texts=EXAMPLES) -> dict[str, paddle.Tensor]:
    """What the model's forward takes; texts are strings or Examples."""
    arrays = collate(model.encode_texts(texts), model.tokenizer.pad_id)
    return {name: paddle.to_tensor(array) for name, array in arrays.items()}


def predict(model, texts=EXAMPLES) -> np.ndarray:
    """[B, C] logits in evaluation mode."""
    model.eval()
    with paddle.no_grad():
        return model(**inputs(model, texts)).numpy()
