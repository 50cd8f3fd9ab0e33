"""Files of two texts a line."""

from __future__ import annotations

import io

import pytest
from files import write_lines

from prompt_kit.data.dataset import Example, iter_texts, read_dataset, read_examples, read_texts
from prompt_kit.data.line_format import LineFormat
from prompt_kit.errors import DataError
from prompt_kit.prompt.verbalizer import Verbalizer

PAIRS = LineFormat(pairs=True)
LABELS = ("same", "other")


@pytest.fixture
def write(tmp_path):
    return lambda *lines, name="train.txt": write_lines(tmp_path / name, *lines)


def test_two_texts_and_a_label(write):
    path = write("国足出线\t男足晋级\tsame", "国足出线\t房贷下调\tother")
    assert read_examples(path, LABELS, True, PAIRS) == [
        Example("国足出线", "same", "男足晋级"), Example("国足出线", "other", "房贷下调"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "header, line",
    [
        ("text_a\ttext_b\tlabel", "甲\t乙\tsame"),
        ("label\tsentence1\tsentence2", "same\t甲\t乙"),
        ("id\tPremise\tHypothesis\tlabel", "7\t甲\t乙\tsame"),
    ],
)
def test_columns_that_a_first_line_names(write, header, line):
    assert read_examples(write(header, line), LABELS, True, PAIRS) == [Example("甲", "same", "乙")]


def test_unlabelled_pairs(write, tmp_path):
    assert read_examples(write("甲\t乙", "丙\t丁"), LABELS, False, PAIRS) == [
        Example("甲", None, "乙"),
        Example("丙", None, "丁"),
    ]
    path = write("甲\t乙", name="data.txt")
    assert list(read_texts(path, LABELS, PAIRS)) == [Example("甲", None, "乙")]
    assert list(iter_texts(io.BytesIO("sentence1\tsentence2\n甲\t乙\n".encode()), pairs=True)) == [
        Example("甲", None, "乙")
    ]
    write("甲\t乙\tsame", name="train.txt")
    found = read_dataset(tmp_path, Verbalizer.from_lines(list(LABELS)), ("train", "data"), line_format=PAIRS)
    assert (found.train, found.unlabelled) == ([Example("甲", "same", "乙")], [Example("甲", None, "乙")])


@pytest.mark.parametrize(
    "lines, said",
    [
        (["甲\t乙"], r"train.txt:1: 2 column\(s\) \('甲', '乙'\), expected 3: text_a<TAB>text_b<TAB>label"),
        (["甲\t乙\tsame", "甲\t乙"], r"train.txt:2: 2 column\(s\)"),
        (["甲\t乙\t丙\tsame"], r"train.txt:1: 4 column\(s\)"),
        (["甲\t \tsame"], "train.txt:1: text 2 of the two is empty"),
        (["甲\t乙\tsane"], "train.txt:1: unknown label 'sane'; did you mean 'same'"),
        (["text_a\ttext_b\tlabel"], "nothing but the names of the columns"),
        (["text_a\ttext_b", "甲\t乙"], "no column is called label"),
    ],
)
def test_mistakes_are_named(write, lines, said):
    with pytest.raises(DataError, match=said):
        read_examples(write(*lines), LABELS, True, PAIRS)


def test_labels_behind_texts_to_label_are_refused(write):
    with pytest.raises(DataError, match="data.txt:1: ends with the label 'same', expected text_a<TAB>text_b"):
        read_texts(write("甲\t乙\tsame", name="data.txt"), LABELS, PAIRS)


def test_several_labels_of_a_pair(write):
    both = LineFormat(several=True, pairs=True)
    assert read_examples(write("甲\t乙\tsame,other"), LABELS, True, both) == [Example("甲", LABELS, "乙")]
