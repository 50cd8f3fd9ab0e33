"""The short list of templates that are tried where a user gives none: they suit any topic, feeling or intent.

Each reads as a sentence with a label word in the masks' place: `体育：今晚国足迎战日本队`, `这家店的菜很好吃。总之，满意`.
"""

from __future__ import annotations

from prompt_kit.prompt.template import Template

# In the order of preference between equals. Two masks hold most Chinese label words; words of other lengths are no
# obstacle, since the cosine head reads them as texts.
NEUTRAL_TEMPLATES = (
    "{'mask'}{'mask'}{'soft': '：'}{'text': 'text_a'}",
    "{'text': 'text_a'}{'soft': '。总之，'}{'mask'}{'mask'}",
    "{'mask'}{'soft': '：'}{'text': 'text_a'}",
    "{'text': 'text_a'}{'soft': '。总之，'}{'mask'}",
    "{'soft': '关于'}{'mask'}{'mask'}{'soft': '：'}{'text': 'text_a'}",
)


def neutral_templates() -> list[Template]:
    """NEUTRAL_TEMPLATES, parsed."""
    return [Template.parse(text) for text in NEUTRAL_TEMPLATES]
