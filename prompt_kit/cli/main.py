"""The console command `prompt-kit`: train, export and predict, with the flags of train.py, export.py and infer.py, and more."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn, Optional

from prompt_kit.cli.parser import ArgumentParser, run
from prompt_kit.versions import __version__

COMMANDS = {
    "train": "train, evaluate, predict with and export a prompt model",
    "try": "show what a language model makes of a template, before anyone trains",
    "export": "write the exported folder of a trained model",
    "predict": "label texts with an exported folder, without Paddle",
    "serve": "answer requests over HTTP with exported folders, and a page to try them",
    "import": "turn exports of annotation tools, and tables, into a data folder",
    "report": "write a page about how a model does on labelled texts, without Paddle",
    "explain": "say what each character does for the label, without Paddle",
    "completion": "print a script of tab completion, for bash or zsh",
}
MODULES = {"import": "import_data"}  # of commands whose names Python keeps for itself


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Run the command that the first word names with the rest of the words."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in COMMANDS:
        name = words[0]
        importlib.import_module(f"prompt_kit.cli.{MODULES.get(name, name)}").main(words[1:], prog=f"prompt-kit {name}")
    else:
        build_parser().parse_args(words[:1])


def build_parser() -> ArgumentParser:
    """The parser of the first word alone: each command has its own for what follows."""
    listed = "\n".join(f"  {name:10} {what}" for name, what in COMMANDS.items())
    parser = ArgumentParser(
        prog="prompt-kit",
        usage="prompt-kit COMMAND [flags]",
        description="Few-shot text classification by prompts.",
        epilog=f"commands:\n{listed}\n\nprompt-kit COMMAND --help shows the flags of a command.",
    )
    parser.add_argument("command", metavar="COMMAND", choices=tuple(COMMANDS), help="one of the commands below")
    parser.add_argument("--version", action="version", version=f"prompt-kit {__version__}")
    return parser


def console() -> NoReturn:
    """What the installed command calls."""
    run(main)
