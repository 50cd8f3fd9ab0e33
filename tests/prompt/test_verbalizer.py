"""label.txt -> Verbalizer -> token tables, with a fake tokenizer of one id a character."""

from __future__ import annotations

import json
import pickle
from functools import partial

import numpy as np
import pytest
from refusals import refusal

from prompt_kit.errors import ConfigError, VerbalizerError
from prompt_kit.prompt.verbalizer import Verbalizer


class CharTokenizer:
    """Lower-cases; ids from 10 in the order of `characters`; anything else is [UNK] (3)."""

    unk_id = 3

    def __init__(self, characters="汽车房产业国家电竞ab"):
        self.ids = {character: number for number, character in enumerate(characters, start=10)}

    def encode(self, text):
        return [self.ids.get(character, self.unk_id) for character in text.lower() if character != "\u200b"]


message = partial(refusal, VerbalizerError)


def lines_message(*lines):
    return message(Verbalizer.from_lines, lines)


# --- label.txt ---


def test_labels_words_and_order_of_the_file():
    verbalizer = Verbalizer.from_lines(["news_car==汽车", "b==楼市,房产，地产", "体育"])
    assert verbalizer.labels == ("news_car", "b", "体育")
    assert verbalizer.words == (("汽车",), ("楼市", "房产", "地产"), ("体育",))
    assert verbalizer.label_to_id == {"news_car": 0, "b": 1, "体育": 2}
    assert verbalizer.label_to_id is verbalizer.label_to_id
    assert len(verbalizer) == 3


def test_numbers_as_labels_stay_strings_in_file_order():
    assert Verbalizer.from_lines(["10==甲", "2==乙"]).labels == ("10", "2")


@pytest.mark.parametrize(
    "line", ["news_car'=='汽车", "'news_car'=='汽车'", "news_car' == '汽车", " ‘news_car’==‘汽车’ "]
)
def test_quotes_around_the_signs_as_an_article_prints_them(line):
    verbalizer = Verbalizer.from_lines([line, "b"])
    assert verbalizer.labels[0] == "news_car" and verbalizer.words[0] == ("汽车",)


def test_spaces_around_the_parts_are_not_part_of_them():
    assert Verbalizer.from_lines([" a == 甲 , 乙 ", "b", "", " "]).words[0] == ("甲", "乙")


def test_a_label_without_a_word_is_its_own_word_commas_included():
    assert Verbalizer.from_lines(["a,b", "c=d"]).words == (("a,b",), ("c=d",))


def test_from_file_reads_bom_crlf_and_blank_lines_at_the_end(tmp_path):
    path = tmp_path / "label.txt"
    path.write_bytes("\ufeffa==甲\r\nb==乙\r\n\r\n".encode())
    assert Verbalizer.from_file(path) == Verbalizer(("a", "b"), (("甲",), ("乙",)))


@pytest.mark.parametrize(
    "lines, found",
    [
        (("a==甲", "b==乙", "a==丙"), "3: repeated label 'a', first at label.txt:1; several words of one label go on one line: label==word,word"),  # noqa: E501
        (("a==甲", "b=="), "2: empty label word for 'b', expected label==word or label==word,word"),
        (("a==甲", "b==乙,,丙"), "2: empty label word for 'b', expected label==word or label==word,word"),
        (("a==甲", "==乙"), "2: empty label, expected label or label==word"),
        (("a==甲", "b==乙==丙"), "2: more than one '==', expected label==word, got 'b==乙==丙'"),
        (("a==甲", "b\t乙"), "2: a tab in 'b\\t乙', expected label or label==word; write == instead of the tab"),
        (("a==甲", "", "b"), "2: blank line, expected label or label==word; delete the blank line"),
        (("a==甲,甲", "b"), "1: word '甲' stands twice for 'a'; keep one"),
        (("a==甲", "b==乙,甲"), "2: 'b' and 'a' have the same word '甲' (first at label.txt:1), so they could not be told apart; change one"),  # noqa: E501
        (("a==b", "b"), "2: 'b' and 'a' have the same word 'b' (first at label.txt:1), so they could not be told apart; change one"),  # noqa: E501
    ],
)  # fmt: skip
def test_mistakes_in_a_line(lines, found):
    assert lines_message(*lines) == f"label.txt:{found}"


def test_fewer_than_two_labels():
    wanted = "label.txt: expected at least 2 labels, got {}; a classifier needs a choice"
    assert lines_message("a==甲") == wanted.format(1)
    assert lines_message() == wanted.format(0)


def test_mistakes_in_a_file_carry_its_path(tmp_path):
    path = tmp_path / "label.txt"
    path.write_text("a==甲\na==乙\n", encoding="utf-8")
    assert message(Verbalizer.from_file, path).startswith(f"{path}:2: repeated label 'a', first at {path}:1;")
    path.write_text("a==甲\n\nb==乙\n", encoding="utf-8")
    assert message(Verbalizer.from_file, path).startswith(f"{path}:2: blank line")
    path.write_bytes("a==汽车\n".encode("gbk"))
    assert message(Verbalizer.from_file, path).startswith(f"{path}:1: not UTF-8: byte 0xc6 at byte offset 3")
    assert message(Verbalizer.from_file, tmp_path / "no.txt").startswith(f"{tmp_path / 'no.txt'}: no such file")


# --- in memory ---


def test_the_constructor_checks_too():
    assert message(Verbalizer, ("a", "a"), (("甲",), ("乙",))).startswith("label 2: repeated label 'a'")
    assert message(Verbalizer, ("a", "b"), (("甲",),)) == (
        "labels: 2 labels but words for 1; give every label its words"
    )
    assert message(Verbalizer, ("a", "b"), (("甲",), ())).startswith("label 2: empty label word for 'b'")
    assert message(Verbalizer, ("a", "b"), ("汽车", "房产")) == (
        "words of a label: expected a tuple like ('汽车',), got the string '汽车'"
    )


def test_to_dict_and_back_through_json():
    verbalizer = Verbalizer.from_lines(["b==乙,丁", "a==甲"])
    config = json.loads(json.dumps(verbalizer.to_dict(), ensure_ascii=False))
    assert config == {"labels": [{"label": "b", "words": ["乙", "丁"]}, {"label": "a", "words": ["甲"]}]}
    assert Verbalizer.from_dict(config) == verbalizer


def test_pickle_after_the_cache_was_filled():
    verbalizer = Verbalizer.from_lines(["a", "b"])
    assert verbalizer.label_to_id["b"] == 1
    assert pickle.loads(pickle.dumps(verbalizer)) == verbalizer  # noqa: S301


@pytest.mark.parametrize(
    "config, found",
    [
        ({}, 'labels: expected {"labels": [{"label": …, "words": […]}, …]}, got no such list'),
        ([], 'labels: expected {"labels": [{"label": …, "words": […]}, …]}, got no such list'),
        ({"labels": ["a"]}, 'label 1: expected {"label": text, "words": [text, …]}, got \'a\''),
        ({"labels": [{"label": "a", "words": [1]}]}, "label 1: expected"),
        ({"labels": [{"label": 7, "words": ["甲"]}]}, "label 1: expected"),
        ({"labels": [{"label": "a", "words": ["甲"]}]}, "labels: expected at least 2 labels, got 1"),
    ],
)
def test_dictionaries_of_another_shape(config, found):
    assert message(Verbalizer.from_dict, config).startswith(found)


# --- token tables: 汽 10 车 11 房 12 产 13 业 14 国 15 家 16 电 17 竞 18 a 19 b 20 ---


def test_one_mask_is_the_mean_over_words_of_the_mean_over_tokens():
    table = Verbalizer.from_lines(["car==汽车", "house==房,房产业"]).token_table(CharTokenizer(), 1)
    assert table.ids.dtype == np.int64 and table.weights.dtype == np.float32
    assert table.ids.tolist() == [[[10, 11, 0], [0, 0, 0]], [[12, 0, 0], [12, 13, 14]]]
    sixth = 1 / 6
    wanted = [[[0.5, 0.5, 0], [0, 0, 0]], [[0.5, 0, 0], [sixth, sixth, sixth]]]
    np.testing.assert_allclose(table.weights, wanted, rtol=1e-6)
    np.testing.assert_allclose(table.weights.sum(axis=(1, 2)), [1, 1], rtol=1e-6)


def test_m_masks_add_the_tokens_up_and_average_the_words():
    table = Verbalizer.from_lines(["car==汽车", "house==房产,产业"]).token_table(CharTokenizer(), 2)
    assert table.ids.tolist() == [[[10, 11], [0, 0]], [[12, 13], [13, 14]]]
    assert table.weights.tolist() == [[[1, 1], [0, 0]], [[0.5, 0.5], [0.5, 0.5]]]


def test_word_lengths_must_equal_the_masks():
    verbalizer = Verbalizer.from_lines(["car==汽车", "house==房", "nation==国,国家电"])
    assert message(verbalizer.token_table, CharTokenizer(), 2) == (
        "with 2 masks every label word needs 2 tokens, but '房' of 'house' has 1, '国' of 'nation' has 1, "
        "'国家电' of 'nation' has 3; "
        "choose words of 2 tokens, or a template with one mask, which takes words of any length"
    )
    verbalizer = Verbalizer.from_lines(["car==汽车", "house==房产"])
    assert message(verbalizer.token_table, CharTokenizer(), 3) == (
        "with 3 masks every label word needs 3 tokens, but '汽车' of 'car' has 2, '房产' of 'house' has 2; "
        "all words have 2: use that many masks in the template"
    )


def test_many_words_of_a_wrong_length_are_cut():
    verbalizer = Verbalizer.from_lines("汽车房产业国家")
    assert "'业' of '业' has 1 and 2 more; all words have 1" in message(verbalizer.token_table, CharTokenizer(), 2)


def test_unknown_characters():
    verbalizer = Verbalizer.from_lines(["car==汽车", "game==电竞,囧"])
    assert message(verbalizer.token_table, CharTokenizer()) == (
        "label word '囧' of 'game' has characters outside the model's vocabulary; choose another word in label.txt"
    )


def test_a_word_without_tokens():
    verbalizer = Verbalizer.from_lines(["car==汽车", "game==\u200b"])
    assert "of 'game' has no token; choose another word" in message(verbalizer.token_table, CharTokenizer())


@pytest.mark.parametrize(
    "first, second, masks",
    [
        ("A", "a", 1),  # lower-cased
        ("国家", "家国", 1),  # a mean has no order
        ("国家", "国,家", 1),  # nor does it know whether words or tokens were averaged
        ("国家,房产", "国产,房家", 2),  # summed mask by mask
    ],
)
def test_labels_that_no_logit_can_tell_apart(first, second, masks):
    verbalizer = Verbalizer.from_lines([f"x=={first}", f"y=={second}"])
    shown = [", ".join(words.split(",")) for words in (first, second)]
    assert message(verbalizer.token_table, CharTokenizer(), masks) == (
        f"the words of 'x' ({shown[0]}) and 'y' ({shown[1]}) are the same tokens, "
        "so these labels cannot be told apart; change one word in label.txt"
    )


def test_the_order_of_characters_counts_with_a_mask_each():
    table = Verbalizer.from_lines(["x==国家", "y==家国"]).token_table(CharTokenizer(), 2)
    assert table.ids.tolist() == [[[15, 16]], [[16, 15]]]


def test_number_of_masks():
    verbalizer = Verbalizer.from_lines(["car==汽车", "house==房产"])
    assert refusal(ConfigError, verbalizer.token_table, CharTokenizer(), 0) == (
        "num_masks must be at least 1, got 0; put {'mask'} into the template"
    )


@pytest.mark.parametrize("separator", [",", "，", "、", ";", "；"])
def test_words_are_separated_by_what_people_type(separator):
    assert Verbalizer.from_lines([f"a==足球{separator}篮球", "b==汽车"]).words[0] == ("足球", "篮球")


@pytest.mark.parametrize(
    ("line", "what"),
    [("a===b", "more than one '=='"), ('a=="足球"', "without quotes"), ("a==《书》", "without quotes")],
)
def test_odd_label_words_are_an_error(line, what):
    with pytest.raises(VerbalizerError, match=what) as caught:
        Verbalizer.from_lines([line, "c==汽车"])
    assert str(caught.value).startswith("label.txt:1: ")


@pytest.mark.parametrize(
    ("line", "odd"),
    [("a==足球/篮球", "/"), ("a==足球|篮球", "|"), ("a==足球 篮球", " "), ("a==足球　篮球", "\u3000"), ("a==足球。篮球", "。"),
     ("a==[足球,篮球]", "["), ("a==（足球，篮球）", "（"), ("a==【足球】", "【")],
)  # fmt: skip
def test_what_stands_for_a_comma_or_around_words_is_an_error(line, odd):
    found = lines_message(line, "b")
    assert found.startswith(f"label.txt:1: {odd} in the label words of ") and "label==word,word" in found


@pytest.mark.parametrize("words", ["TCP/IP", "New York", "iPhone 15", "足球(男)", "C++", "新 car"])
def test_such_marks_are_fine_in_words_of_other_letters(words):
    assert Verbalizer.from_lines([f"a=={words}", "b"]).words[0] == (words,)


def test_full_width_equals_signs_are_an_error():
    assert lines_message("a＝＝甲", "b").startswith("label.txt:1: full-width ＝ in 'a＝＝甲'")


@pytest.mark.parametrize("odd", ["\x1b[31m", "\x0b", "\x9b", "\u2028", "\u202e", "\ud800", "\x00"])
def test_control_characters_in_labels_and_words_are_refused(odd):
    for lines in ([f"a{odd}c==甲", "b"], [f"a==甲{odd}乙", "b"]):
        found = lines_message(*lines)
        assert found.startswith(f"label.txt:1: the control character U+{ord(odd[0]):04X} in ") and odd not in found
    config = {"labels": [{"label": f"a{odd}", "words": ["甲"]}, {"label": "b", "words": ["乙"]}]}
    assert "label 1: the control character" in message(Verbalizer.from_dict, config)


def test_a_label_that_shows_nothing_is_empty():
    assert lines_message("\u200b==甲", "b").startswith("label.txt:1: empty label")


def test_messages_are_cut():
    long = "长" * 50_000
    for lines in (
        [f"{long}==甲==乙", "b"], [f"{long}=={long}", f"{long}==乙"], [f"a=={long}", f"b=={long}"], [f"a==“{long}", "b"],
        [f"a=={long},{long}", "b"], [f"{long}\t甲", "b"],
    ):  # fmt: skip
        assert len(lines_message(*lines)) < 700


def test_words_of_paths():
    """A path without words of its own is read as its lowest level, or whole where that would be another's word."""
    found = Verbalizer.from_lines(["交往", "交往##会见", "人生==生活", "人生##其他", "交往##其他", "人生##死亡==去世"])
    assert found.labels[1] == "交往##会见"
    assert found.words == (("交往",), ("会见",), ("生活",), ("人生其他",), ("交往其他",), ("去世",))


def test_one_sign_before_a_word_is_no_label():
    assert lines_message("car=汽车", "b").startswith("label.txt:1: one = in 'car=汽车', expected label==word")


def test_an_invisible_character_in_a_label_or_a_word():
    assert lines_message("car\u200b==汽车", "b").startswith(
        "label.txt:1: the invisible character U+200B in 'car\\u200b'"
    )
    assert lines_message("car==汽\u00ad车", "b").startswith("label.txt:1: the invisible character U+00AD")
    assert Verbalizer.from_lines(["a==👨\u200d👩", "b==❤\ufe0f"]).words[0] == ("👨\u200d👩",)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["a==汽车", "b==房产"], ""),
        (["a==AI", "b==ai"], "the words of 'a' and 'b' are the same tokens"),
        (["a==车,\u200b", "b==房"], ""),  # one of its words says something
        (["a==\u200b", "b==房"], "label word(s) \u200b of 'a': no character is in the model's vocabulary"),
        (["a==？", "b==房"], "label word(s) ？ of 'a': no character is in the model's vocabulary"),
        (["a==国家", "b==家国"], ""),  # read as texts, their order counts
    ],
)
def test_words_that_are_read_alike(lines, found):
    assert Verbalizer.from_lines(lines).alike(LowerCase()).startswith(found)
    assert bool(Verbalizer.from_lines(lines).alike(LowerCase())) == bool(found)


class LowerCase:
    """A token a character, case aside; ？ is unknown, and zero-width characters are dropped."""

    unk_id = 1

    def encode(self, text):
        return [1 if char == "？" else ord(char) for char in text.lower() if char != "\u200b"]
