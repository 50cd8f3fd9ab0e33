"""What a language model's folder says of its vocabulary: vocab.txt, tokenizer_config.json, and whose tokenizer.json it is."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prompt_kit.errors import TokenizationError

logger = logging.getLogger(__name__)

SPECIAL_TOKENS = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]")
FAMILIES = ("ernie", "bert")

# tokenizer_class (init_class in older files) -> family. Beside a vocab.txt, RobertaTokenizer is the Chinese one.
_CLASSES = {
    "ErnieTokenizer": "ernie",
    "ErnieFastTokenizer": "ernie",
    "BertTokenizer": "bert",
    "BertTokenizerFast": "bert",
    "BertFastTokenizer": "bert",
    "RobertaTokenizer": "bert",
    "RobertaChineseTokenizer": "bert",
    "ElectraTokenizer": "bert",
    "ElectraTokenizerFast": "bert",
}


def read_vocab(path: str) -> list[str]:
    """One word piece per line, whatever the line ends."""
    try:
        with open(path, encoding="utf-8-sig") as stream:
            return [line.rstrip("\n") for line in stream]
    except OSError as error:
        raise TokenizationError(f"cannot read the vocabulary {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise TokenizationError(
            f"{path} is not UTF-8 text (byte {error.start}): expected one word piece per line"
        ) from None


def number_pieces(pieces: Sequence[str]) -> dict[str, int]:
    """Word piece -> id. Of a repeated piece the last id counts, as in PaddleNLP."""
    vocab = {piece: number for number, piece in enumerate(pieces)}
    taken = set(vocab.values())
    # The ids of the earlier ones keep a name, with a space in it so that no text matches: vocab_size must not shrink.
    vocab.update({f"[repeated {number}]": number for number in range(len(pieces)) if number not in taken})
    return vocab


def read_json(path: str) -> tuple[str, dict[str, Any]]:
    """The text of a JSON object and the object."""
    try:
        with open(path, encoding="utf-8-sig") as stream:
            text = stream.read()
        value = json.loads(text)
    except OSError as error:
        raise TokenizationError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:  # of decoding and of JSON
        raise TokenizationError(f"{path} is not valid JSON: {one_line(error)}") from None
    if not isinstance(value, dict):
        raise TokenizationError(f"{path}: expected a JSON object, got {type(value).__name__}")
    return text, value


def matches_special_tokens(path: Path) -> bool:
    """Whether a tokenizer.json would find special tokens inside a text; ours never does."""
    return bool(read_json(str(path))[1].get("added_tokens"))


def read_tokenizer_config(path: Path) -> tuple[bool, str]:
    """(lowercase, family) of a tokenizer_config.json; settings that would cut text in another way are an error."""
    if not path.is_file():
        logger.info("no %s beside the vocabulary in %s: texts are lower-cased", path.name, path.parent)
        return True, "ernie"
    config = read_json(str(path))[1]
    name = config.get("tokenizer_class") or config.get("init_class") or "ErnieTokenizer"
    if name not in _CLASSES:
        raise TokenizationError(f"{path}: {name} is not supported, expected one of {', '.join(_CLASSES)}")
    family = _CLASSES[name]
    lowercase = config.get("do_lower_case", True)
    if not isinstance(lowercase, bool):
        raise TokenizationError(f"{path}: do_lower_case must be true or false, got {lowercase!r}")
    usual: dict[str, Any] = {f"{token.strip('[]').lower()}_token": token for token in SPECIAL_TOKENS}
    if family == "bert":  # ErnieTokenizer takes no notice of these
        usual.update(do_basic_tokenize=True, tokenize_chinese_chars=True, strip_accents=lowercase)
    for key, expected in usual.items():
        value = config.get(key)
        value = value.get("content") if isinstance(value, dict) else value
        if value is not None and value != expected:
            raise TokenizationError(f"{path}: {key} {value!r} is not supported, expected {expected!r}")
    return lowercase, family


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
