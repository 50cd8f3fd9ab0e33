"""README, SECURITY and docs/: each page has a Chinese twin that is in step with it, links lead somewhere, README stays short."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
BESIDE = [ROOT / "README.md", ROOT / "SECURITY.md"]
ENGLISH = sorted(path for path in [*BESIDE, *(ROOT / "docs").glob("*.md")] if not path.stem.endswith("_zh"))
CHINESE = sorted([ROOT / "README_zh.md", ROOT / "SECURITY_zh.md", *(ROOT / "docs").glob("*_zh.md")])
OTHERS = [ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "data/tnews/README.md")]
CJK = "[\u4e00-\u9fff]"


class Page(NamedTuple):
    """What of a page does not depend on its language, and its prose."""

    headings: list[int]  # the level of each
    code: list[str]  # the blocks in backquotes, without Python's comments
    tables: list[tuple[int, int]]  # rows and columns of each
    pictures: list[str]
    prose: list[str]  # the lines outside code blocks


def read(path: Path) -> Page:
    lines = path.read_text("utf-8").split("\n")
    headings, code, tables, prose = [], [], [], []
    block: list[str] | None = None
    for line in lines:
        if line.startswith("```"):
            if block is None:
                block = [line]
            else:
                code.append("\n".join(block))
                block = None
            prose.append("")
        elif block is not None:
            block.append(re.sub(r" *#.*", "", line) if block[0] == "```python" else line)
        else:
            prose.append(line)
            if re.match(r"#+ ", line):
                headings.append(len(line) - len(line.lstrip("#")))
            if line.startswith("|"):
                columns = len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", line))) - 1
                rows = tables.pop()[0] if len(prose) > 1 and prose[-2].startswith("|") else 0
                tables.append((rows + 1, columns))
    assert block is None, f"{path.name}: a code block is never closed"
    return Page(headings, code, tables, re.findall(r"!\[[^]]*\]\(([^)]+)\)", "\n".join(prose)), prose)


def twin(path: Path) -> Path:
    return path.with_name(f"{path.stem}_zh.md")


def slugs(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = [re.sub(r"^#+ ", "", line) for line in read(path).prose if re.match(r"#+ ", line)]
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}


def named(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.relative_to(ROOT).as_posix())


def test_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 8192
    assert len((ROOT / "README_zh.md").read_bytes()) <= 10240


def test_every_page_has_a_twin():
    assert [twin(path) for path in ENGLISH] == CHINESE


@named(ENGLISH)
def test_the_twins_are_in_step(path):
    english, chinese = read(path), read(twin(path))
    assert english.headings == chinese.headings
    assert english.code == chinese.code
    assert english.tables == chinese.tables
    assert english.pictures == chinese.pictures


@named(CHINESE)
def test_chinese_sentences_are_not_broken(path):
    """A line break inside a paragraph is shown as a space, which Chinese does not write."""
    prose = read(path).prose
    for line, following in zip(prose, prose[1:]):
        starts_anew = re.match(r"$|#|\||!\[|- |\d+\. |>", following)
        assert starts_anew or not line or line.startswith(("#", "|")), f"broken behind: {line[-40:]}"


@named(CHINESE)
def test_chinese_terms(path):
    text = "\n".join(read(path).prose)
    assert len(re.findall(CJK, text)) > 200
    for term, right in {"最大学习率": "峰值学习率", "领域适应": "领域适配"}.items():
        assert term not in text, f"write {right} for {term}"
    assert "（英文）" not in text  # every page is there in Chinese too


@named([*ENGLISH, *CHINESE, *OTHERS])
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", "\n".join(read(path).prose)):
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve() if name else path
        assert place.exists() and ROOT in [place, *place.parents], f"links to {target}"
        if anchor:
            assert unquote(anchor) in slugs(place), f"links to {target}, which has the headings {sorted(slugs(place))}"


@named(CHINESE)
def test_chinese_pages_link_to_chinese_ones(path):
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+\.md)", "\n".join(read(path).prose)):
        place = (path.parent / target).resolve()
        assert place in CHINESE or place not in ENGLISH or twin(place) == path, f"links to {target}"


def test_the_table_of_contents_names_every_page():
    for readme, pages in ((ROOT / "README.md", ENGLISH), (ROOT / "README_zh.md", CHINESE)):
        linked = set(re.findall(r"\]\((docs/\w+\.md)\)", readme.read_text("utf-8")))
        wanted = {f"docs/{page.name}" for page in pages if page.parent == ROOT / "docs"}
        assert wanted <= linked
