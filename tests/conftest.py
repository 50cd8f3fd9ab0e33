"""Fixtures shared by all tests. Nothing here imports paddle."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The clone's top folder."""
    return ROOT


@pytest.fixture(scope="session", params=["onnxruntime", "openvino"])
def engine(request) -> str:
    """What computes an exported graph: each engine in turn; skips one that is not installed."""
    pytest.importorskip(request.param)
    return request.param


@pytest.fixture(scope="session")
def shared() -> Path:
    """A folder of real data beside the clone; tests that use it skip where it is absent."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the folder ../shared with FewCLUE data and corpora, which is not beside this clone")
    return folder
