"""What a user should know of the texts: told once, in one line each."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import HARD, tiny_tokenizer

from prompt_kit.data.dataset import Dataset, Example
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.training.loop.data_report import count_cut, find_contradictions, find_shared, report


def tokenizer(length, template=HARD, first=None, other=None, mode="tail"):
    return PromptTokenizer(Template.parse(template), tiny_tokenizer(), length, first, other, mode)


@pytest.mark.parametrize("mode", ["tail", "head"])
@pytest.mark.parametrize(("room", "cut"), [(3, 3), (4, 2), (5, 1), (7, 1), (8, 0)])
def test_texts_that_are_cut(mode, room, cut):
    """Texts of 4, 5, 8 and 1 tokens; the prompt has 8 of its own, a mask, [CLS] and [SEP]."""
    examples = [Example("今天汽车"), Example("今天汽车一"), Example("一二三四五汽车大"), Example("车")]
    assert count_cut(tokenizer(room + 8 + 3, mode=mode), examples) == cut


def test_texts_that_are_cut_at_bounds_of_their_own():
    pair = "{'text': 'text_a'}{'text': 'text_b'}{'mask'}"
    examples = [Example("今天汽车", text_b="一二"), Example("今天", text_b="一二三四"), Example("今", text_b="一")]
    assert count_cut(tokenizer(64, pair), examples) == 0
    assert count_cut(tokenizer(64, pair, first=3), examples) == 1
    assert count_cut(tokenizer(64, pair, first=3, other=3), examples) == 2
    assert count_cut(tokenizer(8, pair), examples) == 2  # room for 5


def test_texts_with_several_labels():
    examples = [
        Example("汽车", "car"),
        Example("体育", "sports"),
        Example("汽车 ", "finance"),
        Example("体育", "sports"),
    ]
    assert find_contradictions(examples) == [("汽车", ["car", "finance"])]
    assert find_contradictions(examples[:2]) == find_contradictions([]) == []


def test_texts_in_two_files():
    train = [Example("汽车 ABC", "car"), Example("体育", "sports")]
    assert find_shared(train, [Example("汽车abc"), Example("财经"), Example("体育", "sports")]) == ["汽车abc", "体育"]
    pair = [Example("a", "x", "b")]
    assert find_shared(pair, [Example("a", "x", "c")]) == [] and find_shared(pair, pair) == ["a"]


def test_one_line_each(caplog):
    train = [Example("汽车大涨比赛冠军", "car"), Example("汽车大涨比赛冠军", "sports"), Example("手机", "finance")]
    dev = [Example("手机", "finance"), Example("球队", "sports")]
    report(tokenizer(15), Dataset(Path(), train=train, dev=dev, test=[Example("大涨")]))
    assert caplog.messages == [
        "texts that are cut at --max_seq_length 15, the prompt included: 2 of 3 in train.txt",
        "train.txt: 1 text stands there with different labels, such as '汽车大涨比赛冠军' with car and sports; keep the "
        "right one",
        "texts that are in train.txt too: 1 of dev.txt, such as '手机'; a score on what was trained on is too good",
    ]


def test_nothing_is_said_of_good_data(caplog):
    report(tokenizer(32), Dataset(Path(), train=[Example("手机", "car")], dev=[Example("球队", "car")]))
    report(tokenizer(32), Dataset(Path()))
    assert caplog.messages == []
