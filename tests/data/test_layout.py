"""Lines in the layout of other tools: what is said of them, by the messages of read_examples and read_texts and by themselves."""

from __future__ import annotations

from functools import partial

import pytest
from files import write
from refusals import refusal

from prompt_kit.data.dataset import (
    Example,
    read_examples,
    read_texts,
)
from prompt_kit.data.layout import (
    json_fields,
    labelled_otherwise,
    list_names,
    no_tab,
    not_a_text,
    too_many_columns,
    wrong_label,
)
from prompt_kit.errors import DataError

LABELS = ("news_car", "news_house", "news_edu")
message = partial(refusal, DataError)


def test_unknown_label_names_the_near_one(tmp_path):
    path = write(tmp_path / "train.txt", "一\tnews_car\n二\tnews_huose\n")
    assert message(read_examples, path, LABELS) == (
        f"{path}:2: unknown label 'news_huose'; did you mean 'news_house'? "
        "expected one of the 3 labels of label.txt: news_car, news_house, news_edu"
    )


def test_unknown_label_with_nothing_near(tmp_path):
    path = write(tmp_path / "train.txt", "一\t体育\n")
    assert message(read_examples, path, LABELS, require_labels=True).startswith(
        f"{path}:1: unknown label '体育'; expected one of the 3 labels"
    )


def test_a_long_list_of_labels_is_cut(tmp_path):
    labels = [f"c{number}" for number in range(100)]
    found = message(read_examples, write(tmp_path / "a.txt", "一\tx\n"), labels)
    assert "of the 100 labels" in found and found.endswith("c18, c19 and 80 more")


def test_missing_tab(tmp_path):
    path = write(tmp_path / "train.txt", "一\tnews_car\n二\n")
    assert message(read_examples, path, LABELS, require_labels=True) == (
        f"{path}:2: no tab, expected text<TAB>label, got '二'; add the label after a tab"
    )


def test_a_space_where_the_tab_should_be(tmp_path):
    path = write(tmp_path / "train.txt", "一 news_car\n")
    assert message(read_examples, path, LABELS, require_labels=True) == (
        f"{path}:1: no tab, expected text<TAB>label; 'news_car' stands after a space: put a tab there"
    )


def test_long_text_is_cut_in_the_message(tmp_path):
    path = write(tmp_path / "train.txt", "字" * 500 + "\n")
    assert f"got '{'字' * 80}…';" in message(read_examples, path, LABELS, require_labels=True)


@pytest.mark.parametrize(
    ("line", "columns"),
    [("房间有霉味\tnews_edu\tnews_car", "'房间有霉味', 'news_edu', 'news_car'"), ("1\t房间有霉味\tnews_car", "'1', ")],
)
def test_a_third_column_is_an_error_that_names_them(tmp_path, line, columns):
    path = write(tmp_path / "train.txt", f"一\tnews_car\n{line}\n")
    found = message(read_examples, path, LABELS)
    assert found.startswith(f"{path}:2: 3 columns ({columns}") and "expected two, text<TAB>label" in found


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["等了两个小时，没人管,neg", "很好,pos"], "'neg' stands after ',': put a tab there"),
        (["等了两个小时   neg", "很好 pos"], "'neg' stands after a space: put a tab there"),
        (["等了两个小时，neg", "很好，pos", "一般"], "'neg' stands after '，'"),
        (["'等了两个小时','neg'", "'很好','pos'"], "'neg' stands after ','"),
        (["neg 等了两个小时", "pos 很好"], "the label 'neg' stands first"),
        (["__label__neg 等了两个小时", "__label__pos 很好"], "the label 'neg' stands first"),
        (['{"sentence": "很慢", "label": "neg"}'], "a JSON object (sentence, label), expected text<TAB>label"),
        (["neg\t等了两个小时", "pos\t很好"], "the columns are the other way round"),
        (["1\t等了两个小时", "2\t很好"], "a number and a text ('1', '等了两个小时'), expected text<TAB>label"),
        (["等了两个小时\tneg\t0.9", "很好\tpos\t0.8"], "3 columns ('等了两个小时', 'neg', '0.9')"),
        (["等了两个小时\tNEG", "很好\tPOS", "还行\tPOS", "差 neg"], None),
    ],
)
def test_test_txt_in_an_odd_layout_gets_what_train_txt_gets(tmp_path, lines, says):
    path = write(tmp_path / "test.txt", "\n".join(lines) + "\n")
    found = message(read_examples, path, ("neg", "pos"))
    if says is None:  # one line without a tab does not make a file of tabs one of texts
        assert found.startswith(f"{path}:4: no label, but line 1 has one")
        return
    assert found.startswith(f"{path}:1: ") and says in found
    assert found == message(read_examples, path, ("neg", "pos"), require_labels=True)


def test_a_label_at_the_end_of_few_texts_is_text(tmp_path):
    path = write(tmp_path / "test.txt", "我爱 体育\n今天下雨\n股市大跌\n体育\n")
    assert read_examples(path, ("体育", "财经"))[0] == Example("我爱 体育")


@pytest.mark.parametrize("label", ["a#b", "a##b", "a,b", "a，b", "a|b", "a b"])
def test_several_labels_in_one_column(tmp_path, label):
    path = write(tmp_path / "train.txt", f"一\t{label}\n")
    found = message(read_examples, path, ("a", "b"), require_labels=True)
    assert found.startswith(f"{path}:1: 2 labels in one, {label!r}, expected one label a text")


def test_a_header(tmp_path):
    path = write(tmp_path / "train.txt", "text\tlabel\n一\ta\n")
    assert "a header ('text', 'label')" in message(read_examples, path, ("a", "b"), require_labels=True)


@pytest.mark.parametrize(
    ("lines", "place", "says", "command"),
    [
        (["a\t很慢"], 1, "has a column with the label 'a', expected texts alone", "cut -f2-"),
        (["一般", "很慢\ta\t0.93"], 2, "has a column with the label 'a'", "cut -f1"),
        (['{"text": "很慢"}'], 1, "a JSON object (text), expected a text", "jq -r '[.text] | @tsv'"),
        (["7\t很慢", "8\t很好"], 2, "the lines are numbered (7, 8), expected texts alone", "cut -f2-"),
    ],
)
def test_data_txt_of_more_than_texts(tmp_path, lines, place, says, command):
    path = write(tmp_path / "data.txt", "\n".join(lines) + "\n")
    found = message(read_texts, path, ("a", "b"))
    assert found.startswith(f"{path}:{place}: {says}") and command in found


def test_texts_that_only_look_like_it(tmp_path):
    lines = ["{不是JSON}", '{"n": 1}', "7\t很慢", "9\t很好", "2024 年"]
    assert read_texts(write(tmp_path / "data.txt", "\n".join(lines)), ("a", "b")) == lines


def test_no_message_is_longer_than_a_few_lines(tmp_path):
    long = "长" * 100_000
    labels = (*(f"{number}{long}" for number in range(30)), "a")
    for content, require in (
        (long, True), (f"{long}\tx", True), (f"x\t{long}", True), (f"{long}\t{long}\ta", True), (f"\t{long}", False),
        (f"一\ta\n{long}", False), (f'{{"{long}": "一"}}', True), ("\t".join("字" * 9999), True), (f" \t{labels[0]}", True),
    ):  # fmt: skip
        assert len(message(read_examples, write(tmp_path / "f", content), labels, require_labels=require)) < 1600


def test_the_fields_of_a_json_line():
    assert json_fields(' {"sentence": "一", "label": 3} ') == "sentence, label"
    assert json_fields('{"n": 1}') == json_fields('{"a": "一"') == json_fields('["一"]') == ""
    assert json_fields('{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5", "f": "6"}') == "a, b, c, d, e"


def test_names_are_listed_as_far_as_they_fit():
    assert list_names(["甲", "乙"]) == "甲, 乙"
    assert list_names(["长" * 41]) == "长" * 40 + "…"
    assert list_names([str(number) for number in range(21)]).endswith("18, 19 and 1 more")


def test_more_than_half_of_the_lines_make_a_layout():
    assert labelled_otherwise(["一 a", "二 a", "三"], {"a"}) == 0
    assert labelled_otherwise(["一", "二 a", "a 三"], {"a"}) == 1
    assert labelled_otherwise(["一", "二 a"], {"a"}) is None
    assert labelled_otherwise([], {"a"}) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("很慢\ta", "ends with the label 'a', expected texts alone"),
        ("很慢\ta,b", "ends with the label 'a,b', expected texts alone"),
        ("a\t很慢", "has a column with the label 'a', expected texts alone"),
        ("很慢\tc", None),
        ("很慢 a", None),
    ],
)
def test_a_line_that_should_be_a_text(line, said):
    assert not_a_text(line, {"a", "b"}) == said


def test_columns_are_shown_as_far_as_they_fit():
    assert too_many_columns("1\t2\t3").startswith("3 columns ('1', '2', '3'), expected two, text<TAB>label")
    assert too_many_columns("1\t2\t3\t4\t5\t6").startswith("6 columns ('1', '2', '3', '4', '5', …), expected two")


@pytest.mark.parametrize(
    ("text", "label", "number", "said"),
    [
        ("一", "", 5, "no label after the tab; expected one of the 2 labels of label.txt: a, b"),
        ("a", "一", 5, "the columns are the other way round"),
        ("text", "标签", 1, "a header ('text', '标签')"),
        ("text", "标签", 2, "unknown label '标签'; expected one of"),
        ("7", "一", 2, "a number and a text ('7', '一')"),
        ("一", "a#b", 2, "2 labels in one, 'a#b'"),
    ],
)
def test_a_last_column_that_is_no_label(text, label, number, said):
    assert wrong_label(text, label, ("a", "b"), {"a", "b"}, number).startswith(said)


def test_a_csv_in_the_place_of_train_txt_is_told_of_the_importer():
    for line in ("text,label", '"标题";"标签"', "内容，类别", "label,text"):
        assert "prompt-kit import csv" in no_tab(line, {"好"})
    assert "prompt-kit import csv" not in no_tab("很好，没有标签", {"好"})


def test_a_label_that_differs_in_case_or_carries_its_words():
    assert "did you mean 'A'?" in wrong_label("甲", "a", ["A", "B"], {"A", "B"}, 2)
    found = wrong_label("甲", "car", ["car：汽车", "b"], {"car：汽车", "b"}, 2)
    assert found == "unknown label 'car'; label.txt has 'car：汽车': write == there, car==word"


def test_several_labels_with_other_signs_between():
    found = wrong_label("甲", "卫生、餐饮", ["卫生", "餐饮"], {"卫生", "餐饮"}, 2, several_may=True)
    assert found == "2 labels in one, '卫生、餐饮', expected commas between them: 卫生,餐饮"
