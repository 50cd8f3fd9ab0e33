"""Every word of a report, in two languages."""

from __future__ import annotations

import re

from prompt_kit.report import wording


def test_every_word_is_in_both_languages():
    for key, pair in wording._WORDS.items():
        assert len(pair) == 2 and all(pair), key
        assert sorted(re.findall(r"\{\w+\}", pair[0])) == sorted(re.findall(r"\{\w+\}", pair[1])), key
