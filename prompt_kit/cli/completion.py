"""Print a script with which a shell completes prompt-kit's commands, flags and paths at the tab key."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Any, Callable, Optional, cast

from prompt_kit.cli.parser import ArgumentParser, note
from prompt_kit.errors import DependencyError

SHELLS = ("bash", "zsh")
EXAMPLES = """\
examples:
  prompt-kit completion bash > ~/.local/share/bash-completion/completions/prompt-kit
  prompt-kit completion zsh > ~/.zfunc/_prompt-kit     (a folder of $fpath)
"""
# How a flag says that it takes a path: by its metavar or, where that is a type, as of train's flags, by its name.
_FILES = ("PATH", "PREFIX", "SOURCE"), ("_file", "_or_path")
_FOLDERS = ("FOLDER",), ("_dir", "_from", "_from_checkpoint")


def main(argv: Optional[Sequence[str]] = None, prog: str = "prompt-kit completion") -> None:
    shell = parse(argv, prog).shell
    try:
        import shtab
    except ImportError:
        raise DependencyError(
            'shtab is not installed; completion needs: pip install "prompt-kit[completion]"'
        ) from None
    parser, left_out = all_commands()
    complete_paths(parser, shtab.FILE, shtab.DIRECTORY)
    print(shtab.complete(parser, shell=shell))
    for problem in left_out:
        note(prog, problem)


def build_parser(prog: str = "prompt-kit completion") -> ArgumentParser:
    parser = ArgumentParser(prog=prog, description=__doc__, epilog=EXAMPLES)
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=" or ".join(SHELLS))
    return parser


def parse(argv: Optional[Sequence[str]], prog: str = "prompt-kit completion") -> argparse.Namespace:
    return build_parser(prog).parse_args(argv)


def all_commands() -> tuple[ArgumentParser, list[str]]:
    """A parser whose sub-parsers are those of all commands, and what is to be said of those whose flags are missing."""
    from prompt_kit.cli.main import COMMANDS, MODULES

    parser = ArgumentParser(prog="prompt-kit")
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", parser_class=cast("type[ArgumentParser]", _built)
    )
    left_out = []
    for name, what in COMMANDS.items():
        module = importlib.import_module(f"prompt_kit.cli.{MODULES.get(name, name)}")
        try:
            commands.add_parser(name, help=what, build=module.build_parser)
        except DependencyError as problem:  # train's flags are those of PaddleNLP's Trainer too
            commands.add_parser(name, help=what, build=lambda prog: ArgumentParser(prog=prog))
            left_out.append(f"the flags of {name} are left out: {problem}")
    return parser, left_out


def _built(build: Callable[[str], ArgumentParser], prog: str, **options: Any) -> ArgumentParser:
    """What add_subparsers calls for its class: the parser that a command's own module builds."""
    return build(prog)


def complete_paths(parser: argparse.ArgumentParser, file: Any, directory: Any) -> None:
    """Let the arguments of a parser, and of its sub-parsers, that name files and folders be completed by such."""
    for action in parser._actions:  # argparse has no public list of them
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                complete_paths(inner, file, directory)
        elif action.nargs != 0 and action.choices is None:
            for (metavars, endings), kind in ((_FILES, file), (_FOLDERS, directory)):
                if action.metavar in metavars or action.dest.endswith(endings):
                    action.complete = kind  # type: ignore[attr-defined]
