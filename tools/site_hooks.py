"""Hooks of mkdocs.yml: what GitHub shows by itself and a site of docs/ does not.

The READMEs and a few pages beside them become pages of the site; the navigation is the READMEs' table of documents; a
link to a page is made relative to where the page now lies, and one to a file that the site does not have loses its
address and keeps its words; every page names its twin in the other language.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parent.parent
ENGLISH, CHINESE = "README.md", "README_zh.md"
# Pages outside docs/, and what they are called in the site.
OUTSIDE = {
    ENGLISH: "index.md",
    CHINESE: "index_zh.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "SECURITY_zh.md": "security_zh.md",
    "data/tnews/README.md": "tnews.md",
    "prompt_kit/models/mini_zh/README.md": "mini_zh.md",
}
_LINK = re.compile(r"(!?)\[([^]]*)\]\((?!https?://|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")
_CODE = re.compile(r"(^```.*?^```$|`[^`\n]*`)", re.M | re.S)


def navigation(readme: str, home: str, first: str) -> list[dict[str, str]]:
    """The pages that a README's tables name, in their order: [{title: file in the site}, …]."""
    rows = "\n".join(line for line in readme.split("\n") if line.startswith("|"))
    return [{home: first}, *({title: name} for title, name in re.findall(r"\[([^]]+)\]\(docs/(\w+\.md)\)", rows))]


def site_path(target: str) -> Optional[str]:
    """Where a file of the repository lies in the site, None if it is not there."""
    if target.startswith("docs/") and (ROOT / target).is_file():
        return target[len("docs/") :]
    return OUTSIDE.get(target)


def with_site_links(markdown: str, source: str) -> str:
    """A page with links that hold in the site; `source` is its path in the repository."""

    def moved(match: re.Match[str]) -> str:
        picture, words, target, anchor = match.groups()
        path = site_path(posixpath.normpath(posixpath.join(posixpath.dirname(source), target)))
        return f"{picture}[{words}]({path}{anchor or ''})" if path else words

    parts = _CODE.split(markdown)  # links in code are text
    return "".join(part if number % 2 else _LINK.sub(moved, part) for number, part in enumerate(parts))


def with_twin(markdown: str, name: str, pages: set[str]) -> str:
    """A page of the site with a line behind its title that leads to its twin in the other language, if it
    has one and no link to it yet."""
    chinese = name.endswith("_zh.md")
    twin = name.replace("_zh.md", ".md") if chinese else name.replace(".md", "_zh.md")
    title, _, rest = markdown.partition("\n")
    if twin not in pages or f"]({twin})" in markdown or name in (OUTSIDE[ENGLISH], OUTSIDE[CHINESE]):
        return markdown
    return f"{title}\n\n[{'English' if chinese else '中文'}]({twin})\n{rest}"


def on_config(config: Any) -> Any:
    """Set the navigation."""
    english, chinese = ((ROOT / name).read_text("utf-8") for name in (ENGLISH, CHINESE))
    more = [{"changelog": "changelog.md"}, {"contributing": "contributing.md"}]
    security = [{"security": "security.md"}, {"安全": "security_zh.md"}]
    models = [{"mini_zh": "mini_zh.md"}, {"data/tnews": "tnews.md"}]
    config.nav = [
        {"English": navigation(english, "prompt-kit", "index.md")},
        {"中文": navigation(chinese, "prompt-kit", "index_zh.md")},
        {"project": [*more, *security, *models]},
    ]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages outside docs/."""
    from mkdocs.structure.files import File

    for source, name in OUTSIDE.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Name the twin, and move the links."""
    name = page.file.src_uri
    source = {value: key for key, value in OUTSIDE.items()}.get(name, f"docs/{name}")
    return with_twin(with_site_links(markdown, source), name, set(files.src_uris))
