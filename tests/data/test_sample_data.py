"""data/tnews, the dataset in the clone: its counts, and that no line gives another away."""

from __future__ import annotations

from collections import Counter

import pytest

from prompt_kit.data.dataset import read_dataset
from prompt_kit.prompt.verbalizer import Verbalizer

LABEL_LINES = """news_tech==科技 news_entertainment==娱乐 news_car==汽车 news_travel==旅游 news_finance==财经
news_edu==教育 news_world==国际 news_house==房产 news_game==电竞 news_military==军事 news_story==故事
news_culture==文化 news_sports==体育 news_agriculture==农业 news_stock==股票""".split()
RUN = 8


@pytest.fixture(scope="module")
def verbalizer(root):
    return Verbalizer.from_file(root / "data" / "tnews" / "label.txt")


@pytest.fixture(scope="module")
def dataset(root, verbalizer):
    return read_dataset(root / "data" / "tnews", verbalizer, optional=())


@pytest.fixture(scope="module")
def texts(dataset):
    labelled = [example.text_a for part in (dataset.train, dataset.dev, dataset.test) for example in part]
    return labelled + dataset.unlabelled


def test_label_file(verbalizer):
    assert verbalizer == Verbalizer.from_lines(LABEL_LINES)


@pytest.mark.parametrize("split, per_class", [("train", 16), ("dev", 16), ("test", 10)])
def test_counts_of_every_class(dataset, verbalizer, split, per_class):
    assert Counter(example.label for example in getattr(dataset, split)) == dict.fromkeys(verbalizer.labels, per_class)


def test_unlabelled_lines(dataset):
    assert len(dataset.unlabelled) == 100
    assert not any("\t" in text for text in dataset.unlabelled)


def test_no_line_twice_and_lengths_of_headlines(texts):
    assert len(texts) == len(set(texts)) == 730
    assert all(8 <= len(text) <= 40 for text in texts)


def test_no_two_lines_share_a_run_of_8_characters(texts):
    owner, shared_runs = {}, []
    for text in texts:
        for run in {text[start : start + RUN] for start in range(len(text) - RUN + 1)}:
            if owner.setdefault(run, text) != text:
                shared_runs.append((run, owner[run], text))
    assert not shared_runs


@pytest.mark.parametrize("splits", [("train",), ("dev",), ("test",), ("train", "dev", "test")])
def test_the_label_word_is_in_at_most_a_fifth_of_its_class(dataset, verbalizer, splits):
    examples = [example for split in splits for example in getattr(dataset, split)]
    for label, (word,) in zip(verbalizer.labels, verbalizer.words):
        own = [example.text_a for example in examples if example.label == label]
        assert sum(word in text for text in own) <= len(own) / 5, label


def test_lines_are_shuffled(dataset):
    for part in (dataset.train, dataset.dev, dataset.test):
        changes = sum(first.label != second.label for first, second in zip(part, part[1:]))
        assert changes > len(part) * 0.8
