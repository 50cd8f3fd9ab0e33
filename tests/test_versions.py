"""The versions that a result records."""

from __future__ import annotations

import platform
import re
from importlib import metadata

import numpy

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


def test_what_repeats_a_version_repeats_this_one(root):
    assert f"\nversion: {versions.__version__}\n" in (root / "CITATION.cff").read_text("utf-8")
    pinned = re.search(r'"ruff==([\d.]+)"', (root / "setup.py").read_text("utf-8"))[1]
    assert f"rev: v{pinned} " in (root / ".pre-commit-config.yaml").read_text("utf-8")
