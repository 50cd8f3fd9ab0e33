"""A model's folder with a vocabulary whose pieces can be told by heart."""

from __future__ import annotations

import json
from pathlib import Path

from prompt_kit.prompt.vocabulary import SPECIAL_TOKENS

PIECES = [*SPECIAL_TOKENS, "[", "]", "mask", "Mask", "a", "b", "##b", "##c", "中", "国", "##国", "e", "é"]


def write_config(folder: Path, **settings) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def write_model_folder(folder: Path) -> Path:
    """Write a vocab.txt and a cased tokenizer_config.json."""
    (folder / "vocab.txt").write_text("".join(piece + "\n" for piece in PIECES), encoding="utf-8")
    write_config(folder, do_lower_case=False, tokenizer_class="BertTokenizer")
    return folder
