"""The toy bundle, for tests of what runs it."""

from __future__ import annotations

import pytest
from toy_bundle import write_toy_bundle


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Read only."""
    return write_toy_bundle(tmp_path_factory.mktemp("bundle") / "export")


@pytest.fixture
def own(tmp_path):
    """A bundle to damage."""
    return write_toy_bundle(tmp_path / "export")
