"""The segments of a template: what they refuse, how they write themselves, and how soft ones are made complete."""

from __future__ import annotations

import pytest

from prompt_kit.errors import TemplateError
from prompt_kit.prompt.template import Hard, Mask, Template, Text
from prompt_kit.prompt.template_segments import Options, Prefix, SegmentError, Sep, Soft, merge_soft

TEXT, MASK = Text("text_a"), Mask()


def test_segments_check_themselves():
    with pytest.raises(TemplateError, match="'text' must be 'text_a' or 'text_b', got 'x'"):
        Text("x")
    with pytest.raises(TemplateError, match="no mask"):
        Template((TEXT, Hard("它是")))


def test_the_wrong_value_is_named():
    with pytest.raises(SegmentError) as caught:
        Mask(0)
    assert (caught.value.key, caught.value.segment) == ("length", None)


@pytest.mark.parametrize(
    ("segment", "written"),
    [
        (Mask(), "{'mask'}"),
        (Mask(2), "{'mask': None, 'length': 2}"),
        (Sep(1), "{'sep': None, 'token_type': 1}"),
        (Text("text_b", "head", 1), "{'text': 'text_b', 'truncate': 'head', 'token_type': 1}"),
        (Text("text_a", False), "{'text': 'text_a', 'truncate': False}"),
        (Hard("it's"), r"{'hard': 'it\'s'}"),
        (Soft(), "{'soft'}"),
        (Soft(soft_id=3), "{'soft_id': 3}"),
        (
            Soft("是", 3, encoder="mlp", hidden_size=8),
            "{'soft': '是', 'soft_id': 3, 'encoder': 'mlp', 'hidden_size': 8}",
        ),
        (Prefix(length=4), "{'prefix': None, 'length': 4}"),
        (Options(), "{'options': 'label.txt'}"),
    ],
)
def test_a_segment_in_the_template_language(segment, written):
    assert str(segment) == written


def test_options_are_words():
    assert Options().words(["汽车", "体育"]) == Hard("汽车体育")
    assert Options(add_prompt="[OPT]、", token_type=1).words(["汽车", "体育"]) == Hard("汽车、体育、", 1)


def test_what_one_place_says_of_a_soft_id_holds_in_all():
    whole = Soft("是", 1, None, "mlp", 8)
    assert merge_soft([Soft(soft_id=1), TEXT, Soft("是", 1, encoder="mlp", hidden_size=8)]) == (whole, TEXT, whole)


def test_what_one_place_says_of_an_encoder_holds_in_all():
    sized = Soft(encoder="lstm", hidden_size=4)
    assert merge_soft([Soft(encoder="lstm"), sized, Soft(encoder="mlp")]) == (sized, sized, Soft(encoder="mlp"))


@pytest.mark.parametrize(
    ("segments", "key", "place"),
    [
        ([Soft("是", 1), TEXT, Soft("的", 1)], "soft", 2),
        ([Soft(soft_id=1, length=2), Soft(soft_id=1, length=3)], "length", 1),
        ([Soft(encoder="mlp", hidden_size=4), Soft(encoder="mlp", hidden_size=8)], "hidden_size", 1),
        ([TEXT, Soft(hidden_size=8)], "hidden_size", 1),
    ],
)
def test_places_that_disagree(segments, key, place):
    with pytest.raises(SegmentError) as caught:
        merge_soft(segments)
    assert (caught.value.key, caught.value.segment) == (key, place)
