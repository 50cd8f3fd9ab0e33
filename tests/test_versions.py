"""The versions that a result records."""

from __future__ import annotations

import platform
import re
import runpy
from importlib import metadata

import numpy
import pytest

import prompt_kit
from prompt_kit import versions
from prompt_kit.versions import installed_versions


def test_installed_versions():
    found = installed_versions()
    assert found["python"] == platform.python_version()
    assert found["prompt-kit"] == prompt_kit.__version__ == versions.__version__
    assert found["numpy"] == numpy.__version__
    assert all(isinstance(version, str) and version for version in found.values())


def test_what_is_not_installed_is_left_out(monkeypatch):
    def version(name):
        if name != "numpy":
            raise metadata.PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(metadata, "version", version)
    assert installed_versions().keys() == {"python", "prompt-kit", "numpy"}


def test_a_wheel_has_this_version(root, monkeypatch):
    setuptools, given = pytest.importorskip("setuptools"), {}
    monkeypatch.setattr(setuptools, "setup", given.update)
    runpy.run_path(str(root / "setup.py"))
    assert given["version"] == versions.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", versions.__version__), "three numbers, as semantic versioning has them"


def test_the_newest_release_in_the_changelog_is_this_version(root):
    """CITATION.cff tells the same day; before the first release there is none."""
    changelog, citation = ((root / name).read_text("utf-8") for name in ("CHANGELOG.md", "CITATION.cff"))
    headings = re.findall(r"^## (.+)$", changelog, re.M)
    assert headings[0] == "Unreleased"
    releases = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})", heading) for heading in headings[1:]]
    assert all(releases), headings
    days = re.findall(r"^date-released: (\d{4}-\d{2}-\d{2})$", citation, re.M)
    assert days == [release[2] for release in releases[:1]]
    assert not releases or releases[0][1] == versions.__version__


def test_what_repeats_a_version_repeats_this_one(root):
    assert f"\nversion: {versions.__version__}\n" in (root / "CITATION.cff").read_text("utf-8")
    pinned = re.search(r'"ruff==([\d.]+)"', (root / "setup.py").read_text("utf-8"))[1]
    assert f"rev: v{pinned} " in (root / ".pre-commit-config.yaml").read_text("utf-8")
