"""The flag --text of the commands that read texts, which takes UTF-8 whatever the locale."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from prompt_kit.data.encoding import command
from prompt_kit.errors import DataError


def add_text_flag(parser: argparse.ArgumentParser, about: str) -> None:
    """Add it, and the flag of the second texts; `about` is its help."""
    parser.add_argument("--text", nargs="+", metavar="TEXT", action=Utf8Texts, help=about)
    parser.add_argument(
        "--text_pair", nargs="+", metavar="TEXT", action=Utf8Texts,
        help="the second text of each of --text, for a model that reads two; in files a tab stands between them",
    )  # fmt: skip


class Utf8Texts(argparse.Action):
    """Keeps the texts as `_as_utf8` reads them."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        texts: Sequence[str] = values
        flag = self.option_strings[0]
        setattr(namespace, self.dest, [_as_utf8(text, f"{flag}:{place}") for place, text in enumerate(texts, start=1)])


def _as_utf8(text: str, where: str) -> str:
    """A text of the command line, whose bytes are UTF-8 whatever the locale; DataError where they are not."""
    if not any(
        "\udc80" <= char <= "\udcff" for char in text
    ):  # how Python shows bytes that the locale has no letter for
        return text
    raw = os.fsencode(text)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise DataError(
            f"{where}: not UTF-8: byte 0x{raw[problem.start]:02x} at byte offset {problem.start} of the text; the "
            "terminal or script sends another encoding, perhaps GBK: set it to UTF-8, or pipe the text: "
            f"{command('iconv -f GB18030 -t UTF-8', '<stdin>')}"
        ) from None
