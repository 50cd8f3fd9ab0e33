"""The Dockerfile's own words: what it copies is there and not ignored, what it starts parses, and it is no root."""

from __future__ import annotations

import json
import re

from prompt_kit.cli.serve import model_folders, parse


def test_it_copies_what_is_there_and_starts_what_parses(root):
    lines = (root / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    kept = {line[1:] for line in (root / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    assert copied and {name for names in copied for name in names} == kept
    assert all((root / name).exists() for name in kept)
    words = {
        key: json.loads(line[len(key) :]) for line in lines for key in ("ENTRYPOINT ", "CMD ") if line.startswith(key)
    }
    command, *flags = words["ENTRYPOINT "][1:] + words["CMD "]
    assert words["ENTRYPOINT "][0] == "prompt-kit" and command == "serve"
    args = parse(flags)
    assert (args.host, args.port, model_folders(args)) == ("0.0.0.0", 8189, {"default": "/model"})
    assert lines.index("USER serve") < next(place for place, line in enumerate(lines) if line.startswith("ENTRYPOINT"))


def test_its_extras_are_ours(root):
    setup = (root / "setup.py").read_text("utf-8")
    (extras,) = re.findall(r"whl\)\[([\w,-]+)\]", (root / "Dockerfile").read_text("utf-8"))
    for extra in extras.split(","):
        assert f'"{extra}": ' in setup or f'EXTRAS["{extra}"]' in setup
