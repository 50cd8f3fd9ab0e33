"""The console command: it hands the rest of the line to the command that is named, and speaks in its own name."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from prompt_kit.cli import main as command
from prompt_kit.cli import predict
from prompt_kit.versions import __version__


def exit_code(*words):
    with pytest.raises(SystemExit) as stopped:
        command.main(words)
    return stopped.value.code


def test_predict_is_infer(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    from toy_bundle import write_toy_bundle

    flags = ["--model_path_prefix", str(write_toy_bundle(tmp_path / "bundle")), "--text", "球", "车"]
    command.main(["predict", *flags])
    ours = capsys.readouterr()
    predict.main(flags)
    theirs = capsys.readouterr()
    assert ours.out == theirs.out == "sports\ncar\n"
    assert ours.err == theirs.err.replace("infer.py: ", "prompt-kit predict: ") != theirs.err


@pytest.mark.parametrize(
    ("name", "script", "flag"), [("predict", "infer.py", "--output_file"), ("export", "export.py", "--int8")]
)
def test_help_names_the_command_and_not_the_script(name, script, flag, capsys):
    assert exit_code(name, "--help") == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: prompt-kit {name} ") and flag in shown
    assert f"\n  prompt-kit {name}" in shown and f"python {script}" not in shown


def test_every_command_is_listed_and_has_a_module(capsys):
    assert exit_code("--help") == 0
    shown = capsys.readouterr().out
    folder = os.path.dirname(command.__file__)
    for name in command.COMMANDS:
        assert f"\n  {name} " in shown and os.path.isfile(os.path.join(folder, f"{command.MODULES.get(name, name)}.py"))


def test_version(capsys):
    assert exit_code("--version") == 0
    assert capsys.readouterr().out == f"prompt-kit {__version__}\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "prompt-kit: error: the following arguments are required: COMMAND (see prompt-kit --help)\n"),
        (("predict", "--tx"), "prompt-kit predict: error: unrecognized arguments: --tx (see prompt-kit predict --help)\n"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_one_line(words, error, capsys):
    assert exit_code(*words) == 2
    assert capsys.readouterr() == ("", error)


def test_an_unknown_command_names_those_there_are(capsys):
    assert exit_code("classify", "--text", "车") == 2
    error = capsys.readouterr().err
    assert (
        error.startswith("prompt-kit: error: argument COMMAND: invalid choice: 'classify'") and error.count("\n") == 1
    )
    assert all(name in error for name in command.COMMANDS)


def test_as_a_program_without_paddle(root, tmp_path):
    """A mistake of the user is one line and exit code 2; train names what to install."""
    code = (
        "import sys; sys.modules.update(paddle=None, paddlenlp=None); sys.argv[0] = '/bin/prompt-kit'\n"
        "from prompt_kit.cli.main import console\nconsole()"
    )
    environment = {**os.environ, "PYTHONPATH": str(root)}

    def call(*words):
        return subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, env=environment, capture_output=True,
                              timeout=120, encoding="utf-8")  # fmt: skip

    done = call("predict", "--text", "车", "--model_path_prefix", "nowhere/model")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("prompt-kit: error: no exported model at ") and done.stderr.count("\n") == 1
    done = call("train", "--do_train")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("prompt-kit: error: paddle is not installed; ") and "[cpu]" in done.stderr
