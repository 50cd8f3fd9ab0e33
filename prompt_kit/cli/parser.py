"""What the commands share: an argument parser that fails in one line, and the guard around main()."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Callable, NoReturn, Optional

from prompt_kit.errors import PromptKitError

USER_ERROR = 2  # the exit code that argparse uses for a wrong command line


class ArgumentParser(argparse.ArgumentParser):
    """argparse with one-line errors, no abbreviated flags, and help that keeps the examples' line breaks."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("allow_abbrev", False)  # --eval must never silently mean --eval_steps
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"{self.prog}: error: {message} (see {typed(self.prog)} --help)\n")


def typed(prog: str) -> str:
    """How a program is called: `python train.py`, `prompt-kit train`."""
    return f"python {prog}" if prog.endswith(".py") else prog


def run(main: Callable[[Optional[Sequence[str]]], Optional[int]]) -> NoReturn:
    """Call `main(None)` with UTF-8 output; a PromptKitError becomes one line on stderr and exit code 2, Ctrl-C exit code 130."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(
            stream, "reconfigure"
        ):  # help and labels are Chinese whatever the locale; odd bytes leave as they came
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        code = main(None)
        sys.stdout.flush()  # a closed pipe must surface here, not at interpreter shutdown
    except PromptKitError as error:
        print(f"{os.path.basename(sys.argv[0])}: error: {' '.join(str(error).splitlines())}", file=sys.stderr)
        code = USER_ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # the reader of our stdout (head, less) has gone: not an error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code or 0)
