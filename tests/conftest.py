"""Fixtures shared by all tests, and how they are spread over processes. Nothing here imports paddle."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from prompt_kit.inference.cores import physical_cores

ROOT = Path(__file__).resolve().parent.parent
MOST_PROCESSES = 8  # each has a Paddle of its own, of a gigabyte

if "PYTEST_XDIST_WORKER" in os.environ:  # before numpy and Paddle are imported: the processes share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # as a shell starts what runs behind it; a child would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Processes of `-n auto`, which pyproject.toml gives: one a core for folders of tests; for named files none, since to
    start them takes longer than most files."""
    if all(".py" in argument for argument in config.args):
        return 0
    config.option.dist = (
        "worksteal"  # few files take most of the time: a process that has nothing left takes from another
    )
    return min(physical_cores(), MOST_PROCESSES)


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
