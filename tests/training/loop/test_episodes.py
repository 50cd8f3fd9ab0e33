"""Episodes: which examples make one up."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from runs import trainer
from tiny import LABELS, tiny_model

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError
from prompt_kit.training.loop.batching import SeededBatchSampler
from prompt_kit.training.loop.episodes import EpisodeBatchSampler, _whole

# -- batches ----------------------------------------------------------------------------------------------------------


def epoch(sampler, number=0) -> list:
    sampler.set_epoch(number)
    return list(sampler)


def samplers(labels, batch, shots=2, replicas=1, accumulation=1, seed=0):
    return [EpisodeBatchSampler(labels, batch, seed, shots, replicas, rank, accumulation) for rank in range(replicas)]


CASES = [
    case
    for case in itertools.product((1, 7, 16, 97), (1, 3, 8, 200), (2, 4), (1, 3), (1, 2))
    if case[0] >= case[3] * case[4]
]


@pytest.mark.parametrize(("size", "batch", "shots", "replicas", "accumulation"), CASES)
def test_every_example_once_in_as_many_batches_as_without_episodes(size, batch, shots, replicas, accumulation):
    labels = np.random.default_rng(size).choice(5, size, p=[0.6, 0.2, 0.1, 0.06, 0.04])
    each = samplers(labels, batch, shots, replicas, accumulation)
    batches = [epoch(sampler, 3) for sampler in each]
    assert sorted(itertools.chain(*itertools.chain(*batches))) == list(range(size))
    for rank, (sampler, own) in enumerate(zip(each, batches)):
        plain = SeededBatchSampler(size, batch, 0, replicas, rank, accumulation)
        assert len(own) == len(sampler) == len(plain)
        assert min(map(len, own)) >= 1 and max(map(len, own)) <= max(batch, *map(len, plain))


@pytest.mark.parametrize("shots", [2, 4])
def test_a_batch_has_as_many_labels_as_groups_fit(shots):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(15), 16))
    batches = epoch(EpisodeBatchSampler(labels, 16, 1, shots))
    assert len(batches) == 15
    for batch in batches:
        assert Counter(Counter(labels[batch]).values()) == {shots: 16 // shots}


def test_a_remainder_is_shared_out():
    """Of five examples, at most four a group, there are three and two; one of a label alone stays alone."""
    groups = EpisodeBatchSampler([7] * 5 + [3], 8, 0, 4)._groups(np.random.default_rng(0))
    assert sorted(map(len, groups)) == [1, 2, 3] and sorted(np.concatenate(groups)) == [0, 1, 2, 3, 4, 5]
    assert [group.tolist() for group in groups if len(group) == 1] == [[5]]


def test_a_rare_label_is_spread_over_the_epoch():
    """Twenty batches of twelve, 5 : 1: every batch has five groups of the frequent label and one of the rare one."""
    labels = np.repeat([0, 1], [200, 40])
    for batch in epoch(EpisodeBatchSampler(labels, 12, 0, 2)):
        assert 0 < np.sum(labels[batch]) <= 4 and len(batch) == 12


def test_batches_end_where_groups_do():
    """Forty examples in three batches: 14, 14 and 12 rather than 14, 13 and 13."""
    labels = np.repeat(np.arange(5), 8)
    batches = epoch(EpisodeBatchSampler(labels, 16, 0, 2))
    assert [len(batch) for batch in batches] == [14, 14, 12]
    assert all(count % 2 == 0 for batch in batches for count in Counter(labels[batch]).values())


@pytest.mark.parametrize(
    ("cuts", "ends", "largest", "expected"),
    [
        ([4, 8], [2, 4, 6, 8], 4, [4]),
        ([3, 6], [2, 4, 6], 4, [4]),  # on to the group's end
        ([4, 7], [3, 5, 7], 4, [3]),  # that would be five: back to its start
        ([4, 8], [3, 5, 8], 4, [4]),  # nor can the second batch take five: the group is cut
        ([1, 2], [2], 4, [1]),  # nothing would be left for the second
        ([3, 5, 8], [2, 4, 6, 8], 4, [4, 6]),
    ],
)
def test_where_batches_end(cuts, ends, largest, expected):
    assert _whole(np.array(cuts), np.array(ends), largest) == expected


def test_the_order_depends_on_seed_and_epoch_alone():
    labels = np.arange(48) % 6
    orders = {(s, e): epoch(EpisodeBatchSampler(labels, 8, s, 2), e) for s in (0, 1, 2) for e in (0, 1, 2)}
    assert len({str(order) for order in orders.values()}) == len(orders)
    np.random.seed(123)
    used = EpisodeBatchSampler(labels, 8, 1, 2)
    for number in (0, 5, 2):
        epoch(used, number)
    assert epoch(used, 1) == orders[1, 1] == list(used)
    pairs = [{frozenset(batch[i : i + 2]) for batch in orders[0, number] for i in range(0, 8, 2)} for number in (0, 1)]
    assert len(pairs[0]) == 24 and pairs[0] != pairs[1], "groups are drawn anew"


def test_replicas_share_the_episodes_of_one_process():
    labels = np.arange(48) % 6
    one = epoch(EpisodeBatchSampler(labels, 8, 5, 2))
    first, second = (epoch(sampler) for sampler in samplers(labels, 8, replicas=2, seed=5))
    assert [batch for pair in zip(first, second) for batch in pair] == one


def test_only_prototypes_train_on_episodes(tmp_path):
    lines = [Example(text, label) for label in LABELS.labels for text in ("今天", "大涨", "手机", "公司")]
    gold = [LABELS.label_to_id[line.label] for line in lines]
    for head in ("prototype", "manual", "soft"):
        run = trainer(tmp_path / head, tiny_model(head=head), lines, episode_shots=4)
        sampler = run._get_train_sampler()
        assert isinstance(sampler, EpisodeBatchSampler) == (head == "prototype")
        seen = [inputs["labels"].tolist() for inputs in run.get_train_dataloader()]
        assert seen == [[gold[row] for row in batch] for batch in sampler]
        assert (sorted(map(str, seen)) == ["[0, 0, 0, 0]", "[1, 1, 1, 1]", "[2, 2, 2, 2]"]) == (head == "prototype")


def test_one_example_is_no_episode(tmp_path):
    with pytest.raises(ConfigError, match="--episode_shots must be at least 2, got 1"):
        trainer(tmp_path, episode_shots=1)
