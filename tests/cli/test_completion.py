"""Tab completion: what a real bash offers at the tab key, with the script that `prompt-kit completion` prints."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import sys

import pytest

from prompt_kit.cli import completion
from prompt_kit.cli import main as command
from prompt_kit.errors import DependencyError

# As bash-completion does: find the function that is registered for the word, and call it with the words of the line.
PRESS_TAB = """
source "$1"; shift
registered=$(complete -p prompt-kit)
function=${registered##*-F }; function=${function%% *}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
$function prompt-kit "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The script for bash, in a file."""
    pytest.importorskip("shtab")
    path = tmp_path_factory.mktemp("completion") / "prompt-kit.bash"
    with open(path, "w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        completion.main(["bash"])
    return path


@pytest.fixture
def tab(script, tmp_path):
    """What bash offers after these words, of which the last one is begun, in a folder with a file and a folder in it."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    (tmp_path / "exported").mkdir()
    (tmp_path / "export.txt").write_text("", encoding="utf-8")

    def press(*words) -> set[str]:
        call = [bash, "--norc", "-c", PRESS_TAB, "bash", str(script), "prompt-kit", *words]
        done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return set(done.stdout.split())

    return press


def test_commands(tab):
    assert set(command.COMMANDS) <= tab("")
    assert tab("ex") == {"export", "explain"}


def test_flags_are_those_of_the_command(tab):
    assert tab("predict", "--output_") == {"--output_file", "--output_format"}
    assert tab("explain", "--output_") == {"--output_format"}
    assert tab("import", "csv", "--no_") == {"--no_header", "--no_quotes"}


def test_choices(tab):
    assert tab("predict", "--precision", "f") == {"fp32", "fp16"}
    assert tab("completion", "") >= {"bash", "zsh"}


def test_paths(tab):
    assert tab("predict", "--output_file", "exp") == {"exported", "export.txt"}
    assert tab("predict", "--data_dir", "exp") == {"exported"}
    assert tab("predict", "--top_k", "exp") == set()


def test_the_flags_of_train(tab):
    pytest.importorskip("paddlenlp")
    assert tab("train", "--do_") == {"--do_train", "--do_eval", "--do_predict", "--do_export"}
    assert tab("train", "--verbalizer", "c") == {"cosine"}
    assert tab("train", "--data_dir", "exp") == {"exported"}


def test_where_train_has_no_paddle_its_flags_alone_are_missing(monkeypatch):
    def refuse(prog):
        raise DependencyError("paddle is not installed")

    monkeypatch.setattr("prompt_kit.cli.train.build_parser", refuse)
    parser, left_out = completion.all_commands()
    (commands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    assert set(commands.choices) == set(command.COMMANDS)
    assert left_out == ["the flags of train are left out: paddle is not installed"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh_reads_its_script(capsys, tmp_path):
    pytest.importorskip("shtab")
    completion.main(["zsh"])
    (tmp_path / "_prompt-kit").write_text(capsys.readouterr().out, encoding="utf-8")
    done = subprocess.run(["zsh", "-n", str(tmp_path / "_prompt-kit")], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_shtab_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(DependencyError, match=r'pip install "prompt-kit\[completion\]"'):
        completion.main(["bash"])
