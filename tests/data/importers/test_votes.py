"""The majority of the votes for a text, and what is counted on the way."""

from __future__ import annotations

from prompt_kit.data.dataset import Example
from prompt_kit.data.importers.records import Record
from prompt_kit.data.importers.votes import Counts, decide


def test_majorities_ties_and_what_is_left_out():
    decided = decide(
        [
            Record("f:1", "甲", ("体育", "体育", "汽车")),
            Record("f:2", "乙", ("体育",)),
            Record("f:3", "乙", ("汽车",)),  # a tie with the line before
            Record("f:4", "丙\t丁\r\n戊", ("汽车",)),
            Record("f:5", "丙 丁 戊", (" 汽车\n",)),  # the same text once it is on a line
            Record("f:6", "己", (), skipped=True),
            Record("f:7", "庚", (), skipped=True),
            Record("f:8", "庚", ("体育",)),
            Record("f:9", "辛", ("", " ")),
            Record("f:10", "\u200b\ufeff ", ("体育",)),
        ]
    )
    assert decided.examples == [Example("甲", "体育"), Example("丙 丁 戊", "汽车"), Example("庚", "体育")]
    assert decided.unlabelled == ["辛"]
    assert decided.counts == Counts(repeated=3, outvoted=1, tied=1, skipped=1, empty=1, spaces=1)


def test_two_for_a_label_beat_two_for_two_others():
    (example,) = decide([Record("f:1", "甲", ("体育", "体育", "汽车", "财经"))]).examples
    assert example.label == "体育"


def test_half_an_emoji_becomes_a_character_that_can_be_written():
    assert decide([Record("f:1", "题\ud83d", ("体育",))]).examples == [Example("题\ufffd", "体育")]


def test_nothing_happened():
    assert decide([Record("f:1", "甲", ("体育",))]).counts.notes() == []


def test_several_labels_of_a_text_are_those_of_most_of_its_annotators():
    decided = decide(
        [
            Record("f:1", "甲", ("体育", "娱乐")),
            Record("f:2", "乙", ("体育", "娱乐")),
            Record("f:3", "乙", ("体育",)),
            Record("f:4", "乙", ("财经", "体育")),
            Record("f:5", "丙", ("体育", "体育", "娱乐"), answers=2),
            Record("f:6", "丁", ("体育",)),
            Record("f:7", "丁", ("娱乐",)),  # half of them is not most of them
            Record("f:8", "戊"),
            Record("f:9", "己"),  # not yet labelled, and then by one
            Record("f:10", "己", ("财经",)),
        ],
        several=True,
    )
    assert decided.examples == [
        Example("甲", ("体育", "娱乐")),
        Example("乙", ("体育",)),
        Example("丙", ("体育",)),
        Example("己", ("财经",)),
    ]
    assert decided.unlabelled == ["戊"]
    assert decided.counts == Counts(repeated=4, outvoted=2, tied=1)


def test_a_pair_of_texts_stands_once_and_its_first_text_may_stand_again():
    decided = decide(
        [
            Record("f:1", "甲", ("1",), text_b="乙"),
            Record("f:2", "甲", ("1", "0"), text_b="乙\n"),
            Record("f:3", "甲", ("0",), text_b="丙"),
            Record("f:4", "乙", ("0",), text_b="甲"),  # which of the two texts is the first may matter
            Record("f:5", "丁", text_b="戊\t己"),
            Record("f:6", "庚", ("1",), text_b=" "),
        ]
    )
    assert decided.examples == [Example("甲", "1", "乙"), Example("甲", "0", "丙"), Example("乙", "0", "甲")]
    assert decided.unlabelled == [Example("丁", text_b="戊 己")]
    assert decided.counts == Counts(repeated=1, outvoted=1, empty=1, spaces=1)
