"""Every command in the READMEs and docs/ is parsed by the script's own parser; the twins have the same ones."""

from __future__ import annotations

import importlib
import re
import runpy
import shlex

import pytest

from prompt_kit.cli.main import COMMANDS, MODULES

PAGES = ("README*.md", "CONTRIBUTING.md", "data/tnews/README.md", "docs/*.md")


def commands(root):
    """(file, argv) of every `python <script>.py …` and `prompt-kit <command> …` in code, pipes cut off."""
    for path in sorted(path for pattern in PAGES for path in root.glob(pattern)):
        name, text = path.relative_to(root).as_posix(), path.read_text("utf-8").replace("\\\n", " ")
        for line in re.findall(r"python (?:-m paddle[\w., -]*? )?((?:tools/|benchmarks/)?\w+\.py[^`\n|]*)", text):
            argv = shlex.split(re.split(r" (?:[#<>] |&$)", line)[0].rstrip(".,;:，。； "))
            yield pytest.param(argv, id=f"{name}: {' '.join(argv)[:60]}")
        for line in re.findall(rf"(?:^|`)prompt-kit ((?:{'|'.join(COMMANDS)}) [^`\n|]*)", text, re.M):
            argv = ["prompt-kit", *shlex.split(re.split(r" (?:[#<>] |&$)", line)[0])]
            if "…" in argv:  # says what goes where
                continue
            yield pytest.param(argv, id=f"{name}: {' '.join(argv)[:60]}")


def pytest_generate_tests(metafunc):
    if "command" in metafunc.fixturenames:
        metafunc.parametrize("command", list(commands(metafunc.config.rootpath)))


def test_parses(root, command, monkeypatch):
    script, argv = command[0], command[1:]
    if script == "prompt-kit":
        name, argv = argv[0], argv[1:]
        if name != "train":
            module = importlib.import_module(f"prompt_kit.cli.{MODULES.get(name, name)}")
            module.parse(argv, f"prompt-kit {name}")
            return
        script = "train.py"
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


def test_the_twins_have_the_same_commands(root):
    found: dict[str, list] = {}
    for command in commands(root):
        found.setdefault(command.id.split(": ")[0], []).append(command.values[0])
    english = [name for name in found if not name.endswith("_zh.md") and (root / f"{name[:-3]}_zh.md").exists()]
    assert len(english) > 5
    for name in english:
        assert sorted(found[name]) == sorted(found[f"{name[:-3]}_zh.md"]), name
