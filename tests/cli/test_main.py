"""prompt-kit: the subcommands are the scripts' own functions; a mistake is one line and exit code 2."""

from __future__ import annotations

import pytest

from prompt_kit.cli import main as command
from prompt_kit.cli import parser, predict
from prompt_kit.versions import __version__


def test_a_subcommand_gets_the_arguments_behind_it(monkeypatch):
    seen = []
    monkeypatch.setattr(predict, "main", seen.append)
    command.main(["predict", "--text", "球队"])
    assert seen == [["--text", "球队"]]


def test_help_names_every_subcommand(capsys):
    for arguments in ([], ["--help"]):
        assert command.main(arguments) is None
        shown = capsys.readouterr().out
        assert all(f"prompt-kit {name} " in shown for name in ("train", "export", "predict"))


def test_version(capsys):
    command.main(["--version"])
    assert capsys.readouterr().out == f"{__version__}\n"


def test_an_unknown_subcommand(capsys):
    assert command.main(["tarin"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and "'tarin'" in captured.err


@pytest.mark.parametrize(("called", "shown"), [("/bin/prompt-kit", "prompt-kit predict"), ("infer.py", "infer.py")])
def test_usage_names_what_was_called(monkeypatch, called, shown):
    monkeypatch.setattr("sys.argv", [called])
    assert parser.program("infer.py", "predict") == shown
