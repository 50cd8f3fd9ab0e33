"""Encoded examples, and which of them make up each batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Optional

import numpy as np
import paddle

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError
from prompt_kit.prompt.prompt_tokenizer import Features, PromptTokenizer, collate


class EncodedDataset(paddle.io.Dataset):
    """Examples, tokenized once. Items are (Features, label id or None), or with `targets` (Features, probabilities [C]).

    Args:
        examples, prompt_tokenizer, label_to_id: what is encoded, and how.
        targets: [N, C] probabilities of the labels, to train on instead of the labels, or label sets.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        prompt_tokenizer: PromptTokenizer,
        label_to_id: dict[str, int],
        targets: Optional[np.ndarray] = None,
    ):
        super().__init__()
        self.examples = list(examples)
        self.features: list[Features] = prompt_tokenizer.encode_many(self.examples)
        self.labels: list[Optional[int]] = [
            label_to_id[example.label] if isinstance(example.label, str) else None for example in self.examples
        ]
        self.targets = targets

    @property
    def answers(self) -> np.ndarray:
        """[N] label ids, or `targets` where they are given."""
        return np.asarray(self.labels) if self.targets is None else self.targets

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int):
        return self.features[index], self.labels[index] if self.targets is None else self.targets[index]


class Collator:
    """[(Features, label id or None), …] -> int64 arrays, with `labels` [B] if the examples have labels.

    Of items with probabilities in the label's place, `labels` is [B, C] float32.
    """

    def __init__(self, pad_id: int):
        self.pad_id = pad_id

    def __call__(self, items) -> dict[str, np.ndarray]:
        features, labels = zip(*items)
        arrays = collate(features, self.pad_id)
        if all(label is not None for label in labels):
            arrays["labels"] = np.asarray(labels, dtype="float32" if np.ndim(labels[0]) else "int64")
        return arrays


class SeededBatchSampler(paddle.io.DistributedBatchSampler):
    """Shuffled batches whose order depends on nothing but the seed and the epoch.

    So a resumed run sees the batches that an uninterrupted one sees, whatever ran in between. Every example comes once
    an epoch, also with several processes or gradient accumulation: the epoch is cut into a multiple of
    `num_replicas * accumulation` batches whose sizes differ by at most one, instead of padding or dropping the last.

    Args:
        size: number of examples.
        batch_size: the largest batch; with 1, some are of two if the examples are no multiple of the batches of a step.
        seed: of the run.
        num_replicas, rank: of data parallel training.
        accumulation: batches per optimizer step; an epoch ends with a whole step, since the Trainer would carry the
            gradients of a partial one into the next epoch.
    """

    def __init__(
        self, size: int, batch_size: int, seed: int, num_replicas: int = 1, rank: int = 0, accumulation: int = 1
    ):
        step = num_replicas * accumulation
        batches = -(-size // batch_size)
        batches = -(-batches // step) * step
        if batches > size:  # batches of one: rather a few of two than a refusal
            batches = size // step * step
        if batches < step:
            raise ConfigError(
                f"{size} training examples cannot fill {num_replicas} process(es) x {accumulation} accumulated batches; "
                "lower --gradient_accumulation_steps or use fewer devices"
            )
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.batches, self.num_replicas, self.rank = batches, num_replicas, rank
        self.epoch = 0

    def __len__(self) -> int:
        return self.batches // self.num_replicas

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        chunks = self._chunks(np.random.default_rng([self.seed, self.epoch]))
        for chunk in chunks[self.rank :: self.num_replicas]:
            yield chunk.tolist()

    def _chunks(self, rng: np.random.Generator) -> list[np.ndarray]:
        """An epoch's batches of all processes."""
        return np.array_split(rng.permutation(self.size), self.batches)
