"""The clone's scripts as modules, whether or not the clone is on Python's path, and as programs."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple


def load_script(name: str) -> ModuleType:
    """Import NAME.py from the clone's top folder, or a path below it."""
    path = Path(__file__).resolve().parent.parent / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name.replace("/", "_"), path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look their module up
    spec.loader.exec_module(module)
    return module


class Answer(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


_IN_TURN = """
import json, os, runpy, sys
sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[1]))
commands = json.loads(sys.argv[2])
for sys.argv in [[sys.argv[1], *words] for words in commands]:
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code or 0
    print(f"\\0{code}\\0", end="", flush=True)
    print("\\0", end="", file=sys.stderr, flush=True)
"""


def run_in_turn(script: Path, commands: list[list], cwd: Path, **environment: str) -> list[Answer]:
    """What `python SCRIPT words` answers for each command's words, all in one new process, which imports Paddle once.

    So what the imports say belongs to the first one.
    """
    words = json.dumps([list(map(str, command)) for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", _IN_TURN, str(script), words], cwd=cwd, env={**os.environ, **environment},
        capture_output=True, text=True, encoding="utf-8", timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outs, errs = done.stdout.split("\0"), done.stderr.split("\0")
    return [Answer(int(code), out, err) for out, code, err in zip(outs[::2], outs[1::2], errs)]
