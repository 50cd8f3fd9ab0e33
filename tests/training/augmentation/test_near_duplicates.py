"""Near-duplicates by hand: shares of pairs of neighbouring characters."""

from __future__ import annotations

from prompt_kit.training.augmentation.near_duplicates import NearDuplicates

NEAR = NearDuplicates(["今晚国足迎战日本队", "股", "Ａ股大涨 3%"])


def test_the_share_of_pairs():
    assert "今晚国足迎战日本队" in NEAR
    assert "今晚国足迎战日本" in NEAR  # 7 of 8 pairs
    assert "昨晚国足迎战日本队员" not in NEAR  # 7 shared of 10
    assert "国足今晚迎战日本队" not in NEAR  # 6 shared of 10
    assert "今晚女排迎战巴西队" not in NEAR and "" not in NEAR


def test_width_case_and_white_space_do_not_count():
    assert "a股大涨3%" in NEAR and "A 股 大涨\u200b 3％" in NEAR


def test_a_text_of_one_character():
    assert "股" in NEAR and "股票" not in NEAR
