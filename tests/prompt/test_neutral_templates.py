"""The templates that are tried where none is given."""

from __future__ import annotations

from prompt_kit.prompt.neutral_templates import NEUTRAL_TEMPLATES, neutral_templates


def test_neutral_templates_name_no_topic_and_come_back_as_they_are():
    for text, template in zip(NEUTRAL_TEMPLATES, neutral_templates()):
        assert str(template) == text and "新闻" not in text
        assert template.num_masks in (1, 2) and template.fields == ("text_a",)
        assert not template.with_fixed_words().uses_soft
