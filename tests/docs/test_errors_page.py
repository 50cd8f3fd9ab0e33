"""docs/errors.md lists what every error of the package says: a text of the source that no row matches fails here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("errors.md", "errors_zh.md")
SOURCES = [*(ROOT / "prompt_kit").rglob("*.py"), *(ROOT / "tools").glob("*.py")]
VARIABLE = "\u00a4"  # stands for what a message fills in


def text_of(node: ast.expr) -> str:
    """The constant part of a message, with VARIABLE for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    return VARIABLE


def messages() -> dict[str, str]:
    """Message -> file:line, of every error that says more than a few words by itself."""
    found = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if name.endswith("Error") and name not in ("AttributeError", "OSError") and node.args:
                text = text_of(node.args[0])
                if len(re.findall("[A-Za-z]{2,}", text)) > 2:
                    found[text] = f"{path.relative_to(ROOT)}:{node.lineno}"
    return found


def rows(page: str) -> list[tuple[str, str]]:
    """(text, what to do) of each row; … stands for anything."""
    lines = (ROOT / "docs" / page).read_text("utf-8").split("\n")
    return re.findall(r"^\| `(.+?)` \| (.+) \|$", "\n".join(lines), re.M)


@pytest.mark.parametrize("page", PAGES)
def test_every_error_is_listed(page):
    patterns = [re.compile(".*".join(map(re.escape, text.split("…"))), re.S) for text, _ in rows(page)]
    found = messages()
    assert len(found) > 250
    missing = {where: text for text, where in found.items() if not any(p.search(text) for p in patterns)}
    assert not missing, "add a row to docs/errors.md and docs/errors_zh.md for each of these"


def test_both_pages_have_the_same_rows_in_their_language():
    english, chinese = map(rows, PAGES)
    assert [text for text, _ in english] == [text for text, _ in chinese]
    assert len({text for text, _ in english}) == len(english)
    for (text, advice), (_, zh) in zip(english, chinese):
        assert re.search("[\u4e00-\u9fff]", zh), text
        assert not re.search("[\u4e00-\u9fff]", advice), text
