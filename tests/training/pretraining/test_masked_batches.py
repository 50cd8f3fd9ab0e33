"""Masked lines in batches: by hand, every line once an epoch, and as many batches as processes need."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import VOCABULARY, tiny_tokenizer

from prompt_kit.errors import ConfigError
from prompt_kit.training.pretraining.masked_batches import LengthBatchSampler, MaskedCollator


def test_a_batch_by_hand():
    tokenizer = tiny_tokenizer()
    ids = [np.array(tokenizer.encode(text), dtype="int32") for text in ("手机公司", "体育")]
    hidden = [array.copy() for array in ids]
    hidden[0][[0, 1]] = tokenizer.mask_id
    items = [(hidden[0], np.array([0, 1]), ids[0][[0, 1]]), (hidden[1], np.array([1]), ids[1][[1]])]
    batch = MaskedCollator(tokenizer)(items)
    pad, _, cls, sep, mask = (VOCABULARY.index(t) for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))
    phone, machine, public, office, body, sport = tokenizer.encode("手机公司体育")
    assert batch["input_ids"].tolist() == [[cls, mask, mask, public, office, sep], [cls, body, sport, sep, pad, pad]]
    assert batch["columns"].tolist() == [[1, 2], [2, 0]]
    assert batch["rows"].tolist() == [0, 1, 2]  # of [B, M] laid flat; the second line's padding, 3, is left out
    assert batch["targets"].tolist() == [phone, machine, sport]
    assert {array.dtype for array in batch.values()} == {np.dtype("int64")}


@pytest.mark.parametrize(("replicas", "accumulation"), [(1, 1), (2, 1), (2, 3)])
def test_every_line_comes_once_an_epoch_in_batches_of_its_length(replicas, accumulation):
    lengths = np.random.default_rng(0).integers(1, 40, 100).tolist()

    def epoch(number):
        found = []
        for rank in range(replicas):
            sampler = LengthBatchSampler(lengths, 128, 5, replicas, rank, accumulation)
            sampler.set_epoch(number)
            batches = list(sampler)
            assert len(batches) == len(sampler) and len(batches) % accumulation == 0
            found += batches
        return found

    first = epoch(0)
    assert sorted(line for batch in first for _, line in batch) == list(range(100))
    assert {number for batch in epoch(3) for number, _ in batch} == {3}
    for batch in first:
        longest = max(lengths[line] for _, line in batch) + 2
        assert longest * len(batch) <= 128
    spread = [max(lengths[i] for _, i in batch) - min(lengths[i] for _, i in batch) for batch in first]
    assert np.mean(spread) < 5, "a batch holds lines of about one length"
    assert epoch(0) == first and len(epoch(1)) == len(first)
    assert [[line for _, line in batch] for batch in epoch(1)] != [[line for _, line in batch] for batch in first]


def test_a_line_longer_than_a_batch_is_a_batch():
    assert [len(batch) for batch in LengthBatchSampler([50, 60], 32, 0)] == [1, 1]


def test_too_few_lines_for_the_processes():
    with pytest.raises(ConfigError, match=r"2 lines cannot fill 2 process\(es\) x 2 accumulated batches"):
        LengthBatchSampler([3, 3], 100, 0, 2, 0, 2)
