"""Another process that works in a folder."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_OWNER = (
    "import sys\n"
    "from prompt_kit.locks import own_folder\n"
    "with own_folder(sys.argv[1]):\n"
    "    print('mine', flush=True)\n"
    "    sys.stdin.read()\n"
)


@contextlib.contextmanager
def owner_of(folder):
    """The process, which owns the folder until it is killed; at the latest at the end of the context."""
    process = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout.readline() == "mine\n"
            yield process
        finally:
            process.kill()
