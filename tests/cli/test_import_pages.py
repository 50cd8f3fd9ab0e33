"""The pages of the commands that need no Paddle: what they tell people to type parses, in both languages alike."""

from __future__ import annotations

import importlib
import re
import shlex

import pytest

from prompt_kit.cli import main as command

PAGES = ("import", "serving")


def commands(root, page):
    """The words after `prompt-kit` of every line in a code block that begins with it, pipes and comments cut off."""
    text = (root / "docs" / page).read_text("utf-8").replace("\\\n", " ")
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.S))
    return [
        shlex.split(re.split(r" (?:[#<>|] |&$)", line)[0]) for line in re.findall(r"^prompt-kit (.*)$", blocks, re.M)
    ]


@pytest.mark.parametrize("page", PAGES)
def test_commands_parse_and_are_the_same_in_both_languages(root, page):
    found = commands(root, f"{page}.md")
    assert found and found == commands(root, f"{page}_zh.md")
    for name, *argv in found:
        importlib.import_module(f"prompt_kit.cli.{command.MODULES.get(name, name)}").parse(argv)


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_are_in_step(root, page):
    english, chinese = ((root / "docs" / name).read_text("utf-8") for name in (f"{page}.md", f"{page}_zh.md"))
    for mark in ("\n## ", "\n- ", "\n| ", "```"):
        assert english.count(mark) == chinese.count(mark), mark
    for text in (english, chinese):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
            assert (root / "docs" / target).exists(), target
