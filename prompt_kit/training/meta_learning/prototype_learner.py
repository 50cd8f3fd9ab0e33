"""Prototypical networks: an encoder whose texts lie near the mean of their label's examples, of whatever labels.

Snell et al., Prototypical Networks for Few-shot Learning, NeurIPS 2017 (arXiv:1703.05175), algorithm 1; cosines with a
learned scale in place of distances, as the head has them (prompt_kit/inference/prototypes.py says why that is the same).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F

from prompt_kit.prompt.prompt_tokenizer import Features
from prompt_kit.training.meta_learning.batches import tensors
from prompt_kit.training.meta_learning.episodes import Episode
from prompt_kit.training.models.prompt_model import PromptModel

_CLIP = 1.0  # of the gradient's norm


class PrototypeLearner:
    """Trains a model by the queries of episodes, and the scale of its cosines with it.

    Args:
        model: with a cosine head, whose centre is where the texts are; the head's directions are not used.
        steps: of the whole training, over which the rates fall to 0.
        learning_rate, prompt_learning_rate: peak rates of the language model and of the soft prompt.
    """

    def __init__(self, model: PromptModel, steps: int, learning_rate: float, prompt_learning_rate: float):
        self._model = model
        self._log_scale = paddle.create_parameter(
            [1],
            "float32",
            default_initializer=paddle.nn.initializer.Constant(float(np.log(model.head.scale.numpy()[0]))),
        )
        prompt = [] if model.soft_prompt is None else list(model.soft_prompt.parameters())
        groups = [{"params": [*prompt, self._log_scale], "learning_rate": prompt_learning_rate / learning_rate}]
        if language_model := model.language_model_parameters():
            groups.append({"params": language_model, "learning_rate": 1.0})
        self._rate = paddle.optimizer.lr.PolynomialDecay(learning_rate, steps, end_lr=0.0)
        self._optimizer = paddle.optimizer.AdamW(
            self._rate, parameters=groups, weight_decay=0.0, grad_clip=paddle.nn.ClipGradByGlobalNorm(_CLIP)
        )

    def step(self, batch: Sequence[tuple[Sequence[Features], Episode]]) -> float:
        """One step on the mean loss of the episodes, each with the texts that its places are of; the loss, in nats."""
        self._model.train()
        total = 0.0
        for features, episode in batch:
            loss = self._loss(features, episode) / len(batch)
            loss.backward()
            total += float(loss)
        self._optimizer.step()
        self._optimizer.clear_grad()
        self._rate.step()
        return total

    def finish(self) -> None:
        """Put what was learned into the model."""
        self._model.eval()
        self._model.head.scale.set_value(self._log_scale.exp())

    def _loss(self, features: Sequence[Features], episode: Episode) -> paddle.Tensor:
        places = np.concatenate([episode.support, episode.query], axis=1)  # [N, K + Q]
        batch = tensors(features, places.ravel(), self._model.tokenizer.pad_id)
        states = self._model(**batch, return_mask_states=True)[1]
        embedded = self._model.unit_states(states).reshape([*places.shape, -1])
        return prototype_loss(embedded, episode.support.shape[1], self._log_scale.exp())


def prototype_loss(embedded: paddle.Tensor, shots: int, scale: paddle.Tensor) -> paddle.Tensor:
    """The mean cross-entropy of the queries, in nats.

    Args:
        embedded: [N, K + Q, D] of length 1, a row a label: its K examples, then its Q queries.
        shots: K.
        scale: [1], logits a cosine.
    """
    ways, queries = embedded.shape[0], embedded.shape[1] - shots
    centers = F.normalize(embedded[:, :shots].mean(axis=1), axis=-1)  # [N, D]
    asked = embedded[:, shots:].reshape([ways * queries, -1])
    logits = scale * paddle.matmul(asked, centers, transpose_y=True)
    return F.cross_entropy(logits, paddle.arange(ways).repeat_interleave(queries))
