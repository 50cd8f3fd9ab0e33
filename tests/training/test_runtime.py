"""How Paddle is brought up: threads, the CPU path, silence, and what a user reads where it is not there."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
import sys
import warnings

import pytest

from prompt_kit.errors import DependencyError
from prompt_kit.training import runtime
from prompt_kit.training.runtime import quiet, require, set_cpu_environment, set_verbosity

VARIABLES = ("OMP_NUM_THREADS", "PADDLE_TRAINERS_NUM", "MKL_DEBUG_CPU_TYPE", "GLOG_minloglevel")


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """An Intel machine of 12 cores, with none of the variables set."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that what the test sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setattr(runtime, "physical_cores", lambda: 12)
    monkeypatch.setattr(runtime, "_is_amd", lambda: False)


def test_one_thread_a_physical_core():
    chosen = set_cpu_environment()
    assert chosen["OMP_NUM_THREADS"] == os.environ["OMP_NUM_THREADS"] == "12"


def test_the_users_own_number_of_threads_is_respected(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert "OMP_NUM_THREADS" not in set_cpu_environment()
    assert os.environ["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(("processes", "threads"), [("1", "12"), ("4", "3"), ("5", "2"), ("100", "1"), ("", "12")])
def test_processes_of_one_run_share_the_cores(monkeypatch, processes, threads):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", processes)
    assert set_cpu_environment()["OMP_NUM_THREADS"] == threads


def test_mkls_fast_path_on_amd_only(monkeypatch):
    set_cpu_environment()
    assert "MKL_DEBUG_CPU_TYPE" not in os.environ
    monkeypatch.setattr(runtime, "_is_amd", lambda: True)
    set_cpu_environment()
    assert os.environ["MKL_DEBUG_CPU_TYPE"] == "5"


def test_the_users_own_mkl_path_is_respected(monkeypatch):
    monkeypatch.setattr(runtime, "_is_amd", lambda: True)
    monkeypatch.setenv("MKL_DEBUG_CPU_TYPE", "4")
    assert "MKL_DEBUG_CPU_TYPE" not in set_cpu_environment()
    assert os.environ["MKL_DEBUG_CPU_TYPE"] == "4"


def test_the_users_own_log_level_is_respected(monkeypatch):
    monkeypatch.setenv("GLOG_minloglevel", "0")
    set_cpu_environment()
    assert os.environ["GLOG_minloglevel"] == "0"


def test_require_names_the_extra():
    require("json")
    with pytest.raises(DependencyError, match=r'no_such_module is not installed.*pip install "\.\[cpu\]"') as caught:
        require("no_such_module")
    assert "\n" not in str(caught.value)
    with pytest.raises(DependencyError, match=r"prompt-kit\[gpu\]"):
        require("no_such_module", "gpu")


def test_quiet_keeps_stray_lines_and_warnings_but_not_errors(capsys):
    with pytest.raises(RuntimeError), warnings.catch_warnings(record=True) as caught, quiet():
        warnings.simplefilter("default")
        print("noise", file=sys.stderr)
        raise RuntimeError
    with quiet(), warnings.catch_warnings(record=False):
        warnings.warn("noise", stacklevel=1)
    assert caught == []
    assert capsys.readouterr().err == ""
    print("heard", file=sys.stderr)
    assert capsys.readouterr().err == "heard\n"


def test_paddlenlps_log_is_silent_unless_asked_for():
    log = logging.getLogger("PaddleNLP")
    try:
        set_verbosity(True)
        assert log.isEnabledFor(logging.INFO)
        set_verbosity(False)
        assert not log.isEnabledFor(logging.WARNING) and log.isEnabledFor(logging.ERROR)
    finally:
        set_verbosity(False)


FAULTS = """
import resource, sys
import numpy as np
from prompt_kit.training import runtime
kept = runtime.keep_freed_memory()
def step():
    held = [np.ones(1 << 21, "float32") for _ in range(8)]
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
@pytest.mark.slow
def test_freed_memory_is_kept_unless_the_user_has_a_say(root, tmp_path, monkeypatch):
    """Ten steps that each free 64 MB, which would be 16,384 pages: none has to be fetched again."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    environment["PYTHONPATH"] = str(root)

    done = subprocess.run(
        [sys.executable, "-c", FAULTS], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    kept, faults = done.stdout.split()
    assert kept == "True" and int(faults) < 1000
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert runtime.keep_freed_memory() is False


PROGRAM = """
import os, sys
import prompt_kit.training, prompt_kit.training.loop.trainer, prompt_kit.training.loop.session
import paddle
from prompt_kit.training.pretraining import masking  # jieba's own start logs, and caches in the temporary folder
assert len(masking.word_of_each_character("手机公司")) == 4
sys.exit(0 if paddle.get_device() and int(os.environ["OMP_NUM_THREADS"]) >= 1 else 1)
"""


@pytest.mark.slow
def test_importing_the_training_modules_says_nothing_and_leaves_nothing(root, tmp_path):
    """In a fresh environment: no advice on ccache, no count of threads, no deprecation, no cache of jieba's."""
    environment = {
        "TMPDIR": str(tmp_path),
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(root),
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.glob("jieba*"))
