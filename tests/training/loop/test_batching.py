"""Batches: every example once an epoch, in an order that the seed and the epoch alone decide."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from tiny import EXAMPLES, LABELS, SOFT, tiny_tokenizer

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.training.loop.batching import Collator, EncodedDataset, SeededBatchSampler


def samplers(size, batch, replicas=1, accumulation=1, seed=0):
    return [SeededBatchSampler(size, batch, seed, replicas, rank, accumulation) for rank in range(replicas)]


def epoch_order(sampler, epoch=0) -> list:
    sampler.set_epoch(epoch)
    return list(itertools.chain(*sampler))


CASES = [
    case
    for case in itertools.product((1, 2, 7, 16, 30, 97), (1, 3, 8, 200), (1, 2, 3), (1, 2, 4))
    if case[0] >= case[2] * case[3]
]


@pytest.mark.parametrize(("size", "batch", "replicas", "accumulation"), CASES)
def test_every_example_once_an_epoch(size, batch, replicas, accumulation):
    each = samplers(size, batch, replicas, accumulation)
    assert sorted(itertools.chain(*(epoch_order(sampler, 3) for sampler in each))) == list(range(size))
    for sampler in each:
        sizes = [len(chunk) for chunk in sampler]
        assert len(sampler) == len(sizes) and len(sizes) % accumulation == 0
        assert len(sizes) == len(each[0])  # as many batches for every process: none waits for another
        assert min(sizes) >= 1 and max(sizes) <= max(batch, 2 if size % (replicas * accumulation) else 1)
    everything = [len(chunk) for sampler in each for chunk in sampler]
    assert max(everything) - min(everything) <= 1


def test_no_more_batches_than_needed():
    assert len(SeededBatchSampler(16, 8, 0)) == 2
    assert len(SeededBatchSampler(17, 8, 0)) == 3
    assert len(SeededBatchSampler(17, 8, 0, accumulation=2)) == 4
    assert len(SeededBatchSampler(17, 8, 0, num_replicas=2, accumulation=2)) == 2


def test_the_order_depends_on_seed_and_epoch_alone():
    orders = {
        (seed, epoch): epoch_order(SeededBatchSampler(50, 8, seed), epoch) for seed in (0, 1, 2) for epoch in (0, 1, 2)
    }
    assert len({tuple(order) for order in orders.values()}) == len(orders)
    np.random.seed(123)
    used = SeededBatchSampler(50, 8, 1)
    for epoch in (0, 5, 2):
        epoch_order(used, epoch)
    assert epoch_order(used, 1) == orders[1, 1]
    assert list(used) == list(used)
    assert orders[0, 0] != list(range(50))


def test_replicas_share_the_order_of_one_process():
    """Step by step, the two processes together see what one with twice the batch sees."""
    one = SeededBatchSampler(32, 8, 5)
    first, second = samplers(32, 4, replicas=2, seed=5)
    assert [a + b for a, b in zip(first, second)] == list(one)


def test_accumulated_batches_are_the_large_batch():
    large, small = SeededBatchSampler(32, 8, 5), SeededBatchSampler(32, 2, 5, accumulation=4)
    chunks = list(small)
    assert [sum(chunks[i : i + 4], []) for i in range(0, len(chunks), 4)] == list(large)


@pytest.mark.parametrize(("size", "replicas", "accumulation"), [(0, 1, 1), (1, 2, 1), (7, 1, 8), (7, 4, 2)])
def test_too_few_examples(size, replicas, accumulation):
    with pytest.raises(ConfigError, match=f"{size} training examples .*--gradient_accumulation_steps") as caught:
        SeededBatchSampler(size, 8, 0, replicas, 0, accumulation)
    assert "\n" not in str(caught.value)


@pytest.fixture
def prompt_tokenizer():
    return PromptTokenizer(Template.from_prompt(SOFT), tiny_tokenizer(), 32)


def test_examples_are_tokenized_once(prompt_tokenizer, monkeypatch):
    calls = []
    real = PromptTokenizer.encode_many
    monkeypatch.setattr(PromptTokenizer, "encode", lambda *_: pytest.fail("one by one is slow"))
    monkeypatch.setattr(PromptTokenizer, "encode_many", lambda self, rows: calls.append(len(rows)) or real(self, rows))
    dataset = EncodedDataset(EXAMPLES, prompt_tokenizer, LABELS.label_to_id)
    for _ in range(3):
        items = [dataset[i] for i in range(len(dataset))]
    assert calls == [len(EXAMPLES)]
    assert items[1][0] is dataset[1][0]
    assert [label for _, label in items] == [LABELS.label_to_id[example.label] for example in EXAMPLES]


def test_a_dataset_travels_to_a_worker(prompt_tokenizer):
    dataset = EncodedDataset(EXAMPLES, prompt_tokenizer, LABELS.label_to_id)
    assert pickle.loads(pickle.dumps(dataset))[2] == dataset[2]  # noqa: S301  our own bytes


def test_collator(prompt_tokenizer):
    dataset = EncodedDataset(EXAMPLES[:3], prompt_tokenizer, LABELS.label_to_id)
    arrays = Collator(pad_id=0)([dataset[i] for i in range(3)])
    assert arrays["labels"].dtype == np.int64 and arrays["labels"].tolist() == [0, 1, 2]
    assert {name: array.shape[0] for name, array in arrays.items()} == dict.fromkeys(arrays, 3)
    assert arrays.keys() == {"input_ids", "token_type_ids", "mask_columns", "soft_ids", "labels"}


def test_collator_without_labels(prompt_tokenizer):
    unlabelled = EncodedDataset([Example("手机"), Example("汽车")], prompt_tokenizer, LABELS.label_to_id)
    assert "labels" not in Collator(pad_id=0)([unlabelled[0], unlabelled[1]])
