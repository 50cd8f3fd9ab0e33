"""Every command in the READMEs is parsed by the script's own parser, and what they link to is there."""

from __future__ import annotations

import importlib
import re
import runpy
import shlex

import pytest

READMES = (
    "README.md",
    "README_zh.md",
    "data/tnews/README.md",
    "CONTRIBUTING.md",
    "docs/scale.md",
    "docs/methods.md",
    "docs/speed.md",
)


def commands(root):
    """(file, argv) of every `python <script>.py …` in code spans and blocks, pipes cut off."""
    for name in READMES:
        text = (root / name).read_text("utf-8").replace("\\\n", " ")
        for line in re.findall(r"python (?:-m paddle[\w., -]*? )?((?:tools/|benchmarks/)?\w+\.py[^`\n|]*)", text):
            argv = shlex.split(re.split(r" (?:[#<>] |&$)", line)[0].rstrip(".,;:，。； "))
            yield pytest.param(argv, id=f"{name}: {' '.join(argv)[:60]}")


def pytest_generate_tests(metafunc):
    if "command" in metafunc.fixturenames:
        metafunc.parametrize("command", list(commands(metafunc.config.rootpath)))


def test_parses(root, command, monkeypatch):
    script, argv = command[0], command[1:]
    assert (root / script).is_file(), f"{script} is not in the project"
    if "--help" in argv:
        return
    if script == "train.py":
        from prompt_kit.training.loop.command_line import build_parser

        build_parser().parse_args(argv)  # not parse_arguments: a GPU command must parse here too
        return
    command = {"export.py": "export", "infer.py": "predict"}.get(script)
    if command:
        importlib.import_module(f"prompt_kit.cli.{command}").parse(argv)
        return
    module = runpy.run_path(str(root / script), run_name="imported")
    module["parse"](argv) if "parse" in module else module["build_parser"]().parse_args(argv)


def test_links_lead_somewhere(root):
    for name in READMES:
        folder = (root / name).parent
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", (root / name).read_text("utf-8")):
            assert (folder / target).exists(), f"{name} links to {target}"


def test_the_two_readmes_have_the_same_commands(root):
    def found(name):
        return [c.values[0] for c in commands(root) if c.id.startswith(f"{name}: ")]

    assert found("README.md") == found("README_zh.md")
