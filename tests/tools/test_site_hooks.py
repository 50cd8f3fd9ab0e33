"""tools/site_hooks.py: what mkdocs is told; the site is built strictly where mkdocs is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import load_script


@pytest.fixture(scope="module")
def hooks():
    return load_script("tools/site_hooks")


@pytest.mark.parametrize(
    "source, link, wanted",
    [
        ("README.md", "[speed](docs/speed.md)", "[speed](speed.md)"),
        ("README.md", "![curve](docs/fewshot.png)", "![curve](fewshot.png)"),
        ("README_zh.md", "[English](README.md)", "[English](index.md)"),
        ("docs/training.md", "[here](templates.md#calibration)", "[here](templates.md#calibration)"),
        ("docs/install.md", "[SECURITY.md](../SECURITY.md)", "[SECURITY.md](security.md)"),
        ("docs/install_zh.md", "[安全](../SECURITY_zh.md)", "[安全](security_zh.md)"),
        ("docs/install.md", "pins in [setup.py](../setup.py).", "pins in setup.py."),
        ("docs/install.md", "[page](https://www.paddlepaddle.org.cn/install/quick)", None),
        ("docs/install.md", "[GPU](#gpu)", None),
        ("docs/faq.md", "`[word](../setup.py)`", None),
        ("docs/faq.md", "```text\n[word](../setup.py)\n```", None),
    ],
)
def test_links_hold_in_the_site(hooks, source, link, wanted):
    assert hooks.with_site_links(link, source) == (wanted or link)


def test_navigation_is_the_table_of_documents(hooks):
    readme = "[x](docs/not_in_a_table.md)\n| [a](docs/a.md), [b c](docs/b.md) | what |\n| plain | |\n"
    assert hooks.navigation(readme, "home", "index.md") == [{"home": "index.md"}, {"a": "a.md"}, {"b c": "b.md"}]


def test_a_page_names_its_twin(hooks):
    pages = {"a.md", "a_zh.md", "b.md", "index.md", "index_zh.md"}
    assert hooks.with_twin("# A\n\nText", "a.md", pages) == "# A\n\n[中文](a_zh.md)\n\nText"
    assert hooks.with_twin("# 甲\n\n文", "a_zh.md", pages) == "# 甲\n\n[English](a.md)\n\n文"
    linked = "# A\n\n[中文](a_zh.md)\n\nText"
    assert hooks.with_twin(linked, "a.md", pages) == linked
    for name in ("b.md", "index.md", "index_zh.md"):
        assert hooks.with_twin("# B\n\nText", name, pages) == "# B\n\nText"


def test_the_site_builds_strictly_and_fetches_nothing(root, tmp_path):
    pytest.importorskip("material", reason="needs the extra 'docs'")
    nowhere = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https", "all")}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=root, env={**os.environ, **nowhere}, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    pages = list((tmp_path / "site").glob("*.html"))
    assert {"index.html", "index_zh.html", "faq.html", "faq_zh.html", "security_zh.html"} <= {
        page.name for page in pages
    }
    for page in pages:
        text = page.read_text("utf-8")
        loaded = re.findall(r'<(?:script|img|link|iframe)[^>]*(?:src|href)="(https?:[^"]*)"', text)
        assert not [url for url in loaded if 'rel="canonical"' not in url], page.name
    english = Path(tmp_path / "site/index.html").read_text("utf-8")
    assert "fewshot.png" in english and "templates.html" in english
