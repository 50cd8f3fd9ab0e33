"""Lines with several labels, and with labels that have levels."""

from __future__ import annotations

from functools import partial

import pytest
from files import write_lines

from prompt_kit.data.dataset import Example, read_dataset, read_examples, sample_few_shot
from prompt_kit.data.line_format import LineFormat, label_text, labels_above, split_labels
from prompt_kit.errors import DataError
from prompt_kit.prompt.verbalizer import Verbalizer

SEVERAL, LEVELS = LineFormat(several=True), LineFormat(several=True, levels=True)
LABELS = ("婚后有子女", "支付抚养费", "婚后分居")
TREE = ("组织关系", "组织关系##辞/离职", "司法行为", "司法行为##拘捕")


@pytest.fixture
def write(tmp_path):
    return partial(write_lines, tmp_path / "train.txt")


def test_several_labels_a_line(write):
    path = write("甲\t婚后有子女,支付抚养费", "乙\t婚后分居", "丙\t", "丁\t婚后分居， 婚后有子女，婚后分居")
    assert read_examples(path, LABELS, True, SEVERAL) == [
        Example("甲", ("婚后有子女", "支付抚养费")), Example("乙", ("婚后分居",)), Example("丙", ()),
        Example("丁", ("婚后分居", "婚后有子女")),
    ]  # fmt: skip


def test_labels_above_may_be_left_out(write):
    path = write("紫光副总经理辞职\t组织关系,组织关系##辞/离职", "居民被行拘\t司法行为##拘捕")
    assert [one.label for one in read_examples(path, TREE, True, LEVELS)] == [TREE[:2], TREE[2:]]
    assert labels_above("a##b##c") == ("a", "a##b")


def test_an_unknown_label_among_several_is_named(write):
    path = write("甲\t婚后有子女,支付抚养", "乙\t婚后分居")
    with pytest.raises(DataError, match="train.txt:1: unknown label '支付抚养'; did you mean '支付抚养费'"):
        read_examples(path, LABELS, True, SEVERAL)


def test_several_labels_where_one_is_expected_name_the_flag(write):
    path = write("甲\t婚后有子女,支付抚养费")
    with pytest.raises(DataError, match="2 labels in one, .* train with --task_type multi-label"):
        read_examples(path, LABELS, True)


def test_no_tab_is_no_text_without_labels(write):
    with pytest.raises(DataError, match="train.txt:2: no tab"):
        read_examples(write("甲\t婚后分居", "乙"), LABELS, True, SEVERAL)


def test_unlabelled_lines(write):
    path = write("甲", "乙,婚后分居怎么办")
    assert read_examples(path, LABELS, False, SEVERAL) == [Example("甲"), Example("乙,婚后分居怎么办")]


def test_a_column_of_labels_is_no_text(write, tmp_path):
    (tmp_path / "data.txt").write_text("甲\t婚后有子女,支付抚养费\n", encoding="utf-8")
    with pytest.raises(DataError, match="data.txt:1: ends with the label"):
        read_dataset(tmp_path, Verbalizer.from_lines(list(LABELS)), ("data",), line_format=SEVERAL)


def test_shots_are_of_every_label():
    examples = [Example(str(n), labels) for n, labels in enumerate([("a", "b"), ("a",), ("b",), ("b", "a"), ("a",)])]
    for seed in range(5):
        drawn = sample_few_shot(examples, 2, seed, ("a", "b"))
        assert len({one.text_a for one in drawn}) == len(drawn), "none twice"
        for label in ("a", "b"):
            assert sum(label in one.label for one in drawn) >= 2
    with pytest.raises(DataError, match=r"too few for b \(3\)"):
        sample_few_shot(examples, 4, 0, ("a", "b"))


def test_labels_as_text():
    assert (
        label_text(("a", "b")) == "a,b" and label_text(()) == "" and label_text(None) == "" and label_text("a") == "a"
    )
    assert split_labels("a, b，a") == ("a", "b")
