"""First-order MAML and Reptile: a start of the prompt from which a few steps of training on a new task go far.

Finn et al., Model-Agnostic Meta-Learning, ICML 2017 (arXiv:1703.03400), without the second derivatives (section 5.2, where they
are found to matter little); Nichol et al., On First-Order Meta-Learning Algorithms, 2018 (arXiv:1803.02999), whose inner
optimizer, Adam without the first moment, both have here.

What is learned: the soft tokens, their encoder, and the temperature of the head. The rows of the head belong to a task's labels:
they start from the label words and learn within the task, but are not carried over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F

from prompt_kit.errors import ConfigError
from prompt_kit.prompt.prompt_tokenizer import Features
from prompt_kit.training.meta_learning.batches import tensors
from prompt_kit.training.meta_learning.episodes import Episode
from prompt_kit.training.models.cosine_head import word_directions
from prompt_kit.training.models.prompt_model import PromptModel

_BETA2 = 0.999

Start = list[np.ndarray]  # values of the soft prompt's parameters, and the logarithm of the temperature


class Adapter:
    """Trains the prompt of a model on one episode, from a given start.

    Args:
        model: with a soft prompt and a soft or a cosine head; its language model is frozen here.
        steps, rate: of the training within an episode.
    """

    def __init__(self, model: PromptModel, steps: int, rate: float):
        if model.soft_prompt is None:
            raise ConfigError(
                f"fomaml and reptile learn soft tokens, but the template has none: {model.template}; use {{'soft'}} in --prompt"
            )
        model.freeze_language_model()
        self._soft_prompt = model.soft_prompt
        self.model, self._steps, self._rate = model, steps, rate
        self._log_temperature = paddle.create_parameter(
            [1], "float32", default_initializer=paddle.nn.initializer.Constant(0.0)
        )
        self._head = [model.head.weight, model.head.bias]
        self._head_start = [parameter.numpy() for parameter in self._head]

    @property
    def learned(self) -> list[paddle.Tensor]:
        """The parameters of a `Start`."""
        return [*self._soft_prompt.parameters(), self._log_temperature]

    @property
    def start(self) -> Start:
        """What they are now."""
        return [parameter.numpy().copy() for parameter in self.learned]

    def adapt(self, start: Start, features: Sequence[Features], episode: Episode) -> None:
        """Train on the support set from `start`; without dropout, as the query is asked."""
        self.model.eval()
        self.restore(start)
        if self.model.config.head == "cosine":
            self._start_directions(episode)
        self._soft_prompt.train()  # it has no dropout, and in evaluation mode Paddle's LSTM has no backward pass
        optimizer = paddle.optimizer.Adam(self._rate, beta1=0.0, beta2=_BETA2, parameters=[*self.learned, *self._head])
        for _ in range(self._steps):
            self.loss(features, episode, episode.support).backward()
            optimizer.step()
            optimizer.clear_grad()

    def restore(self, start: Start) -> None:
        """Put the prompt and its temperature to `start`, and the head to where it was before any episode."""
        for parameter, value in zip([*self.learned, *self._head], [*start, *self._head_start]):
            parameter.set_value(value)

    def logits(self, features: Sequence[Features], episode: Episode, places: np.ndarray) -> paddle.Tensor:
        """[n, N] of the texts at `places`, over the labels of the episode."""
        found = self.model(**tensors(features, places.ravel(), self.model.tokenizer.pad_id))
        return self._log_temperature.exp() * paddle.index_select(found, paddle.to_tensor(episode.labels), axis=1)

    def loss(self, features: Sequence[Features], episode: Episode, places: np.ndarray) -> paddle.Tensor:
        """Mean cross-entropy of `places` [N, n], a row a label of the episode."""
        ways, count = places.shape
        return F.cross_entropy(self.logits(features, episode, places), paddle.arange(ways).repeat_interleave(count))

    def accuracy(self, start: Start, features: Sequence[Features], episode: Episode) -> float:
        """The share of queries that are right after adapting from `start`."""
        self.adapt(start, features, episode)
        with paddle.no_grad():
            best = self.logits(features, episode, episode.query).argmax(axis=1).numpy()
        return float((best == np.repeat(np.arange(len(episode.labels)), episode.query.shape[1])).mean())

    def finish(self, start: Start) -> None:
        """Leave the model with `start`, the temperature within its head, and the head made anew for the prompt."""
        self.restore(start)
        temperature = float(np.exp(start[-1]).item())
        self._log_temperature.set_value(np.zeros(1, "float32"))
        self.model.soft_prompt_changed()
        if self.model.config.head == "cosine":
            self.model.head.scale.set_value(self.model.head.scale * temperature)
        else:
            for parameter in self._head:
                parameter.set_value(parameter * temperature)

    def _start_directions(self, episode: Episode) -> None:
        """Point the episode's labels to where their words lie.

        Not to where the examples lie too, as training does: each would be its own prototype, and its loss would say nothing.
        """
        words = [self.model.verbalizer.words[label] for label in episode.labels]
        states = self.model.mask_states(self.model.encode_texts([word for of_label in words for word in of_label]))
        weight = self.model.head.weight.numpy()
        weight[episode.labels] = word_directions(states, [len(of_label) for of_label in words])[0]
        self.model.head.weight.set_value(weight)


class GradientLearner(ABC):
    """What both have in common: a start, adapted to each episode of a step, then moved."""

    def __init__(self, adapter: Adapter):
        self._adapter = adapter
        self.start = adapter.start

    def step(self, batch: Sequence[tuple[Sequence[Features], Episode]]) -> float:
        """One step; the mean loss of the queries after adapting, in nats."""
        total = 0.0
        changes = [np.zeros_like(value) for value in self.start]
        for features, episode in batch:
            self._adapter.adapt(self.start, features, episode)
            loss, change = self._change(features, episode)
            total += loss / len(batch)
            changes = [old + new / len(batch) for old, new in zip(changes, change)]
        self._adapter.restore(self.start)
        self._move(changes)
        return total

    def finish(self) -> None:
        """Put what was learned into the model."""
        self._adapter.finish(self.start)

    @abstractmethod
    def _change(self, features: Sequence[Features], episode: Episode) -> tuple[float, Start]:
        """(loss of the queries, what the episode says of the start) of the model as it is adapted."""

    @abstractmethod
    def _move(self, changes: Start) -> None:
        """Make a step from `start`."""


class FirstOrderMAML(GradientLearner):
    """The start moves by Adam along the gradient of the queries' loss, taken where the adapted prompt is.

    Args:
        steps: of the whole training, over which `rate` falls to 0.
    """

    def __init__(self, adapter: Adapter, steps: int, rate: float):
        super().__init__(adapter)
        self._schedule = paddle.optimizer.lr.PolynomialDecay(rate, steps, end_lr=0.0)
        self._optimizer = paddle.optimizer.Adam(
            self._schedule, parameters=adapter.learned, grad_clip=paddle.nn.ClipGradByGlobalNorm(1.0)
        )

    def _change(self, features: Sequence[Features], episode: Episode) -> tuple[float, Start]:
        loss = self._adapter.loss(features, episode, episode.query)
        gradients = paddle.grad(loss, self._adapter.learned, allow_unused=True)
        zeros = [np.zeros_like(value) for value in self.start]
        return float(loss), [zero if one is None else one.numpy() for zero, one in zip(zeros, gradients)]

    def _move(self, changes: Start) -> None:
        for parameter, change in zip(self._adapter.learned, changes):
            parameter.clear_gradient()
            # the optimizer takes its gradients from a backward pass: of this sum they are `changes`
            (parameter * paddle.to_tensor(change)).sum().backward()
        self._optimizer.step()
        self._optimizer.clear_grad()
        self._schedule.step()
        self.start = self._adapter.start


class Reptile(GradientLearner):
    """The start moves towards what the episodes' training ended with, which sees support and queries alike.

    Args:
        rate: 1 moves all the way.
    """

    def __init__(self, adapter: Adapter, steps: int, rate: float):
        super().__init__(adapter)
        self._rate, self._steps, self._done = rate, steps, 0

    def _change(self, features: Sequence[Features], episode: Episode) -> tuple[float, Start]:
        adapted = self._adapter.start
        with paddle.no_grad():
            loss = float(self._adapter.loss(features, episode, episode.query))
        return loss, [there - here for there, here in zip(adapted, self.start)]

    def _move(self, changes: Start) -> None:
        rate = self._rate * (1 - self._done / self._steps)
        self._done += 1
        self.start = [value + rate * change for value, change in zip(self.start, changes)]
        self._adapter.restore(self.start)
