#!/usr/bin/env python
"""What reads strangers' bytes, one target each: whatever the bytes are, an answer or an error of ours, of one line.

The tests run every target on examples that hypothesis makes. With atheris (pip install atheris; it is no part of any extra) this
program runs one for as long as it is told, led by the branches that an input reaches for the first time:

    python tools/fuzz.py template -max_total_time=120 -max_len=4096

What follows the target goes to libFuzzer. A finding ends the program with a traceback and leaves the bytes in a file crash-…,
which `python tools/fuzz.py template crash-…` runs again.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

TARGETS: dict[str, Callable[[bytes], None]] = {}


class Broken(AssertionError):
    """A promise that a target makes does not hold."""


def target(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
    TARGETS[run.__name__] = run
    return run


@target
def template(data: bytes) -> None:
    """A template is parsed, and its canonical string is read back as the same template; or TemplateError."""
    from prompt_kit.errors import TemplateError
    from prompt_kit.prompt.template import Template

    source = data.decode("utf-8", "surrogatepass" if data[:1] == b"\xed" else "replace")
    for read in (Template.parse, Template.from_prompt):
        try:
            found = read(source)
        except TemplateError as error:
            check_line(error)
            continue
        check(Template.parse(str(found)) == found, f"{found} is read back as another template")


@target
def lines(data: bytes) -> None:
    """Lines are numbered and hold no line break, their texts are the file's; or DataError with the file's name."""
    from prompt_kit.data.lines import number_lines
    from prompt_kit.errors import DataError

    try:
        found = list(number_lines(io.BytesIO(data), "some.txt"))
    except DataError as error:
        check_line(error, "some.txt")
        return
    check([number for number, _ in found] == list(range(1, len(found) + 1)), "lines are missing")
    check(all(line and "\n" not in line and "\r" not in line for _, line in found), "a line is none")
    whole = data.decode("utf-8-sig")
    check(all(line in whole for _, line in found), "a line is not in the file")


@target
def labels(data: bytes) -> None:
    """label.txt gives labels and words that are read back from JSON as they are; or VerbalizerError."""
    from prompt_kit.data.lines import number_lines
    from prompt_kit.errors import VerbalizerError
    from prompt_kit.prompt.verbalizer import Verbalizer

    try:
        found = Verbalizer.from_lines(
            [line for _, line in number_lines(io.BytesIO(data), "label.txt", VerbalizerError)]
        )
    except VerbalizerError as error:
        check_line(error)
        return
    check(len(set(found.labels)) == len(found) >= 2 and all(map(all, found.words)), "labels repeat, or a word is empty")
    check(Verbalizer.from_dict(json.loads(json.dumps(found.to_dict()))) == found, "JSON gives other labels")


@target
def objects(data: bytes) -> None:
    """Exports of annotation tools: objects with the lines on which they begin; or DataError."""
    from prompt_kit.data.importers.json_objects import read_objects
    from prompt_kit.errors import DataError

    try:
        found = list(read_objects("export.json", data.decode("utf-8", "replace")))
    except DataError as error:
        check_line(error, "export.json")
        return
    places = [int(where.rpartition(":")[2]) for where, _ in found]
    check(places == sorted(places) and all(isinstance(one, dict) for _, one in found), "objects are out of order")


@target
def bundle(data: bytes) -> None:
    """prompt_config.json of an exported folder, one model's or an ensemble's: what is read is written and read alike."""
    from prompt_kit.errors import PromptKitError
    from prompt_kit.prompt_config.kinds import BundleConfig, EnsembleConfig

    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(content, dict):
        return
    for kind in (BundleConfig, EnsembleConfig):
        try:
            found = kind.from_dict(content)
        except PromptKitError as error:
            check_line(error)
            continue
        again = kind.from_dict(json.loads(json.dumps(found.to_dict())))
        check(again == found or again.to_dict() == found.to_dict(), "what was written is read otherwise")


@target
def request(data: bytes) -> None:
    """The bodies of both requests of a service: texts to label, within the limits; or a refusal 4xx with a code."""
    from prompt_kit.serving.bodies import parse_predict, parse_simple_server
    from prompt_kit.serving.limits import Limits
    from prompt_kit.serving.refusals import Refusal, error_body

    limits = Limits(body_bytes=1 << 16, texts=8, characters=64)
    for read in (lambda: parse_predict(data, limits, lambda name: 3), lambda: parse_simple_server(data, limits)):
        try:
            found = read()
        except Refusal as refusal:
            check(400 <= refusal.status < 500 and bool(refusal.code), f"refused with {refusal.status}")
            json.loads(error_body(refusal.status, refusal.code, refusal.message))
            continue
        check(1 <= len(found.examples) <= 8 and 1 <= found.top_k <= 3, "beyond the limits")
        for one in found.examples:
            check(0 < len(one.text_a) <= 64 and one.text_a.encode("utf-8") is not None, "no text that can be written")


def check(holds: bool, otherwise: str) -> None:
    """Broken unless it holds."""
    if not holds:
        raise Broken(otherwise)


def check_line(error: Exception, start: str = "") -> None:
    """Our errors are one line that can be printed, and short enough for a terminal."""
    text = str(error)
    check(
        text.startswith(start) and len(text) < 5000 and not set(text) & set("\n\r\x1b\x00"), f"no plain line: {text!r}"
    )


def main() -> None:
    if sys.argv[1:2] == ["--help"] or sys.argv[1:2] == [] or sys.argv[1] not in TARGETS:
        print(f"{__doc__}\ntargets: {', '.join(TARGETS)}")
        sys.exit(0 if sys.argv[1:2] == ["--help"] else 2)
    import atheris

    run = TARGETS[sys.argv.pop(1)]
    with atheris.instrument_imports(include=["prompt_kit", "json"]):
        run(b"{}")  # imports what it needs
    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
