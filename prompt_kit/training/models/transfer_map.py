"""How near source prompts are to a target task, before anything is trained on it: which one to start from.

Two scores. What the prompt makes of the target's texts: the accuracy of a nearest-mean classifier on their mask states, each text
left out of its own label's mean; it needs the target's few examples alone. And, given a prompt that was trained on the
target, the cosine between soft tokens: Vu et al., SPoT, ACL 2022 (arXiv:2110.07904), section 3.2, "cosine similarity of average
tokens". The first is ours, after the same paper's use of a task's own prompt as its embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.data.lines import PathLike
from prompt_kit.errors import ConfigError
from prompt_kit.metrics import softmax
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.models.cosine_head import best_scale
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.training.models.prompt_transfer import init_prompt, source_template


@dataclass(frozen=True)
class SourceScore:
    """What is known of a source before training.

    source    its folder; "" for the same template with soft tokens that start from their words
    accuracy  leave-one-out, on the target's examples
    loss      of the same predictions, in nats
    cosine    between its mean soft token and that of the target's prompt, as the encoder leaves them; None without one
    """

    source: str
    accuracy: float
    loss: float
    cosine: Optional[float] = None


def pick(scores: Sequence[SourceScore]) -> SourceScore:
    """The source of the lowest loss, which on few examples tells more than their accuracy; of several the most accurate."""
    if not scores:
        raise ConfigError("no source to pick from; name one or more")
    return min(scores, key=lambda one: (one.loss, -one.accuracy))


def target_model(source: PathLike, labels: Verbalizer, max_seq_length: int) -> PromptModel:
    """An untrained model for the target, on the template and the language model of a source."""
    trained = TextClassifier.from_pretrained(Path(source))
    if not isinstance(trained, PromptModel) or trained.soft_prompt is None:
        raise ConfigError(
            f"{source} has no soft tokens to start from; expected a prompt that was trained with {{'soft'}}"
        )
    length = min(max_seq_length, trained.prompt_tokenizer.max_seq_length)
    return PromptModel.build(
        labels, str(source_template(source)), trained.config.base_model, "none", head="cosine", max_seq_length=length
    )


def score(
    source: PathLike,
    labels: Verbalizer,
    examples: Sequence[Example],
    target: Optional[PathLike] = None,
    length: int = 128,
) -> tuple[SourceScore, SourceScore]:
    """(the score of a source, that of the fresh prompt on its template) for a target.

    Args:
        examples: of the target, with labels; a label needs no example, since its words count too.
        target: a folder that was trained on the target, for `cosine`.
        length: longest input in tokens.

    Raises CheckpointError for a folder that train.py did not finish, ConfigError for one without soft tokens.
    """
    model = target_model(source, labels, length)
    own = mean_token(target) if target is not None else None
    fresh = _score(model, "", examples, own)
    init_prompt(model, source)
    return _score(model, str(source), examples, own), fresh


def mean_token(folder: PathLike) -> np.ndarray:
    """[E] the mean of a trained folder's soft tokens, as their encoder leaves them."""
    model = TextClassifier.from_pretrained(Path(folder))
    if not isinstance(model, PromptModel) or model.soft_prompt is None:
        raise ConfigError(f"{folder} has no soft tokens to compare; expected a prompt that was trained with {{'soft'}}")
    return _mean_token(model)


def leave_one_out_loss(cosines: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """(accuracy, mean cross-entropy in nats) of cosines [N, C] to directions that each text [N] is left out of."""
    probabilities = softmax(best_scale(cosines, labels) * cosines)
    right = probabilities[np.arange(len(labels)), labels]
    return float((cosines.argmax(axis=1) == labels).mean()), float(-np.log(np.maximum(right, 1e-12)).mean())


def _score(model: PromptModel, source: str, examples: Sequence[Example], own: Optional[np.ndarray]) -> SourceScore:
    features = model.prompt_tokenizer.encode_many(examples)
    ids = np.array([model.verbalizer.label_to_id[str(example.label)] for example in examples])
    accuracy, loss = leave_one_out_loss(model.leave_one_out_cosines(features, ids), ids)
    cosine = None
    if own is not None:
        mean = _mean_token(model)
        if mean.shape != own.shape:
            raise ConfigError(
                f"{source} has soft tokens of width {len(mean)}, the target's have {len(own)}; use one language model"
            )
        cosine = float(mean @ own / (np.linalg.norm(mean) * np.linalg.norm(own)))
    return SourceScore(source, accuracy, loss, cosine)


def _mean_token(model: PromptModel) -> np.ndarray:
    if model.soft_prompt is None:
        raise ConfigError(f"the template has no soft tokens: {model.template}")
    mean: np.ndarray = model.soft_prompt().numpy().mean(axis=0)
    return mean
