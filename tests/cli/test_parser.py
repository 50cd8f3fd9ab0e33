"""The guard around every script's main(): one line and an exit code, never a traceback for a user's mistake."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys

import pytest

from prompt_kit.cli.parser import ArgumentParser, run
from prompt_kit.errors import (
    BundleError,
    CheckpointError,
    ConfigError,
    DataError,
    DependencyError,
    PromptKitError,
    TemplateError,
    TokenizationError,
    VerbalizerError,
)


@pytest.fixture
def parser():
    parser = ArgumentParser(prog="tool.py", description="Do a thing.", epilog="examples:\n  python tool.py --count 3")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--counting", action="store_true")
    return parser


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--count", "many"], "argument --count: invalid int value: 'many'"),
        (["--coun", "3"], "unrecognized arguments: --coun 3"),
        (["--count"], "argument --count: expected one argument"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(parser, argv, words, capsys):
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(argv)
    assert caught.value.code == 2
    assert capsys.readouterr() == ("", f"tool.py: error: {words} (see python tool.py --help)\n")


def test_help_keeps_the_lines_of_the_examples(parser):
    assert "examples:\n  python tool.py --count 3" in parser.format_help()


def test_options_of_argparse_can_be_given():
    parser = ArgumentParser(formatter_class=argparse.HelpFormatter, allow_abbrev=True)
    parser.add_argument("--count", type=int)
    assert parser.parse_args(["--cou", "3"]).count == 3


def ended(main, capsys):
    """(exit code, stdout, stderr) of a script with this main."""
    with pytest.raises(SystemExit) as caught:
        run(main)
    return caught.value.code, *capsys.readouterr()


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (3, 3)])
def test_exit_codes(returned, code, capsys):
    assert ended(lambda argv: returned, capsys) == (code, "", "")


def test_main_is_called_without_arguments(capsys):
    seen = []
    ended(lambda argv: seen.append(argv), capsys)
    assert seen == [None]


@pytest.mark.parametrize(
    "error",
    [
        PromptKitError, DataError, TemplateError, VerbalizerError, TokenizationError, BundleError, CheckpointError,
        ConfigError, DependencyError,
    ],
)  # fmt: skip
def test_a_users_mistake_is_one_line(error, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/some/where/train.py"])

    def main(argv):
        raise error("data.txt:3: a line\nand a stray break")

    assert ended(main, capsys) == (2, "", "train.py: error: data.txt:3: a line and a stray break\n")


def test_interrupted(capsys):
    def main(argv):
        raise KeyboardInterrupt

    assert ended(main, capsys) == (130, "", "interrupted\n")


def test_a_mistake_of_ours_keeps_its_traceback():
    def main(argv):
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError):
        run(main)


@pytest.mark.skipif(sys.platform == "win32", reason="needs head")
def test_a_reader_that_goes_away_is_no_error(root):
    """`… | head -1`: no traceback, and the code that a shell shows for a closed pipe."""
    program = (
        "from prompt_kit.cli.parser import run\n"
        "def main(argv):\n"
        "    for number in range(200000):\n"
        "        print(number)\n"
        "run(main)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert writer.stdout.readline() == "0\n"
    writer.stdout.close()
    assert writer.stderr.read() == ""
    assert writer.wait(timeout=30) == 141
    writer.stderr.close()


# --- what a run meets outside of itself ---


def test_an_interrupt_that_a_package_makes_an_import_error_of(root):
    """Packages with C code do: the advice to install them would be wrong. In a process of its own: a signal is real."""
    program = (
        "import os, signal\n"
        "from prompt_kit.cli.parser import run\n"
        "from prompt_kit.errors import DependencyError\n"
        "def main(argv):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n"
        "        raise DependencyError('onnxruntime cannot be imported; install it') from None\n"
        "try:\n"
        "    run(main)\n"
        "except SystemExit as end:\n"
        "    print(end.code, signal.getsignal(signal.SIGINT) is signal.default_int_handler)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "130 True\n", "interrupted\n")


def test_a_long_message_is_cut_and_control_characters_are_spelled(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py"])

    def main(argv):
        raise DataError("start \x1b[31m " + "x" * 100_000 + " end")

    code, _, written = ended(main, capsys)
    assert code == 2 and len(written) < 2200 and written.endswith(" end\n")
    assert written.startswith(r"train.py: error: start \x1b[31m x")


def test_a_long_flag_is_cut(parser, capsys):
    for argv in (["--count", "9" * 100_000], ["--" + "x" * 100_000]):
        with pytest.raises(SystemExit):
            parser.parse_args(argv)
        assert len(capsys.readouterr().err) < 600


def shell(root, program: str, redirections: str) -> tuple:
    """(exit code, stdout, stderr) of a program in `run`, with the shell's redirections."""
    code = f"from prompt_kit.cli.parser import run\ndef main(argv):\n    {program}\nrun(main)"
    done = subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} {redirections}"],
        cwd=root, capture_output=True, text=True, env={**os.environ, "PYTHONUNBUFFERED": ""},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_disk_that_is_full(root):
    says = "-c: error: cannot write to stdout: No space left on device\n"
    assert shell(root, "print(1)", "> /dev/full") == (2, "", says)
    says = "-c: error: cannot write /dev/full: No space left on device\n"
    raises = "raise OSError(28, 'No space left on device', '/dev/full')"
    assert shell(root, raises, "") == (2, "", says)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_streams_that_are_closed(root):
    assert shell(root, "pass", ">&-") == (0, "", "")
    assert shell(root, "import sys; print('x', file=sys.stderr)", "2>&-") == (0, "", "")  # not on stdout
    opened = "import os; print(os.open('/dev/null', os.O_RDONLY))"  # no file gets stdout's number
    assert shell(root, opened, "<&-") == (0, "3\n", "")


def test_what_was_printed_comes_before_the_error(root):
    program = "print('first'); from prompt_kit.errors import DataError; raise DataError('then')"
    assert shell(root, program, "2>&1") == (2, "first\n-c: error: then\n", "")
