"""Bring Paddle up: check that it is there, give it the cores and the fast CPU path, keep its import noise away.

Imported first by `prompt_kit.training`: OMP_NUM_THREADS and MKL's path are read once, when Paddle's library is loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import io
import logging
import os
import sys
import warnings

from prompt_kit.errors import DependencyError
from prompt_kit.inference.cores import physical_cores

logger = logging.getLogger(__name__)

# <malloc.h>: below 32 MB (the most that glibc allows) blocks come from the heap, which grows by 64 MB and never shrinks
_MALLOPT = {-3: 32 << 20, -1: 2**31 - 1, -2: 64 << 20}


def _is_amd() -> bool:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return "AuthenticAMD" in file.read(4096)
    except OSError:
        return False


def set_cpu_environment() -> dict:
    """Set what Paddle's CPU libraries read at load time, where the user has not. Returns what was set."""
    chosen = {}
    processes = max(1, int(os.environ.get("PADDLE_TRAINERS_NUM", "1") or 1))
    if "OMP_NUM_THREADS" not in os.environ:  # Paddle would pin itself to one thread
        chosen["OMP_NUM_THREADS"] = str(max(1, physical_cores() // processes))
    if _is_amd() and "MKL_DEBUG_CPU_TYPE" not in os.environ:  # MKL takes a slow path on AMD unless told otherwise
        chosen["MKL_DEBUG_CPU_TYPE"] = "5"
    chosen.setdefault("GLOG_minloglevel", os.environ.get("GLOG_minloglevel", "2"))
    os.environ.update(chosen)
    return chosen


def keep_freed_memory() -> bool:
    """Have glibc keep what is freed for the next step, instead of handing it to the system and clearing it again.

    A training step frees and asks for some hundred MB in buffers of some MB. Returns False, and does nothing, where the
    C library is another one, or the user has set its own variables.
    """
    if any(name.startswith("MALLOC_") for name in os.environ) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  raises where the C library is another one
        return all(library.mallopt(option, size) == 1 for option, size in _MALLOPT.items())
    except (AttributeError, OSError, TypeError):
        return False


def require(module: str, extra: str = "cpu") -> None:
    """Raise DependencyError, naming the extra to install, if `module` is not installed."""
    if importlib.util.find_spec(module) is None:
        raise DependencyError(
            f"{module} is not installed; training and export need the extra '{extra}': "
            f'pip install ".[{extra}]" in the clone, or pip install "prompt-kit[{extra}]" (GPU: see docs/install.md)'
        )


@contextlib.contextmanager
def quiet():
    """Keep warnings and stray prints of an import (ccache, distutils, thread count) from the user.

    And the log handlers that an import installs: ours would add none then, and our lines would go where theirs go.
    """
    handlers, level = logging.root.handlers[:], logging.root.level
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.root.handlers[:] = handlers
            logging.root.setLevel(level)


def start_paddle() -> None:
    """Import paddle and paddlenlp quietly, with the CPU environment set, and hold PaddleNLP's logger at warnings."""
    if "paddle" not in sys.modules:
        chosen = set_cpu_environment()
        logger.debug("CPU environment: %s; freed memory is kept: %s", chosen, keep_freed_memory())
    require("paddle")
    require("paddlenlp")
    try:
        with quiet():
            import paddle  # noqa: F401
            import paddlenlp  # noqa: F401
            from paddlenlp.utils.log import logger as paddlenlp_logger
    except (ImportError, OSError) as error:  # a library of the system (libgomp), or versions that do not go together
        raise DependencyError(
            f"paddle and paddlenlp are installed but cannot be imported ({' '.join(str(error).split())}); "
            'install the versions that go together: pip install ".[cpu]" in the clone, or pip install "prompt-kit[cpu]"'
        ) from error
    set_verbosity(False)
    paddlenlp_logger.logger.propagate = False


def set_verbosity(verbose: bool) -> None:
    """Show PaddleNLP's own log (its configuration banner, every log line), or only its errors."""
    from paddlenlp.utils.log import logger as paddlenlp_logger

    paddlenlp_logger.set_level("INFO" if verbose else "ERROR")


start_paddle()
