"""The installed command: `prompt-kit train | export | predict`, with the flags of train.py, export.py and infer.py."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Optional

from prompt_kit.cli.parser import COMMAND, USER_ERROR, run
from prompt_kit.versions import __version__

SUBCOMMANDS = {
    "train": "train, evaluate, predict with and export a prompt model (needs the extra cpu or gpu)",
    "export": "write a trained model as a folder that runs without Paddle (needs the extra cpu or gpu)",
    "predict": "label texts with an exported model (needs the extra infer)",
}


def main(argv: Optional[Sequence[str]] = None) -> Optional[int]:
    """Hand the arguments behind the subcommand to its main()."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else "--help"
    if name in SUBCOMMANDS:
        return importlib.import_module(f"prompt_kit.cli.{name}").main(arguments[1:])
    if name in ("-h", "--help"):
        rows = "".join(f"  {COMMAND} {each:8} {about}\n" for each, about in SUBCOMMANDS.items())
        print(
            f"usage: {COMMAND} {{{','.join(SUBCOMMANDS)}}} [flags]\n\n{rows}\n{COMMAND} SUBCOMMAND --help lists the flags"
        )
        return None
    if name == "--version":
        print(__version__)
        return None
    print(f"{COMMAND}: error: no subcommand {name!r}; expected one of {', '.join(SUBCOMMANDS)}", file=sys.stderr)
    return USER_ERROR


def console() -> None:
    """The entry point of the installed command."""
    run(main)
