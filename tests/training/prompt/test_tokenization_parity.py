"""Tokenizer against PaddleNLP itself: golden texts, all code points of the BMP and many beyond, real lines.

The corpora beside the clone are sampled; PROMPT_KIT_FULL_PARITY=1 compares every line of them (some minutes).
"""

from __future__ import annotations

import gzip
import json
import os
import random
import unicodedata
from itertools import chain
from pathlib import Path

import pytest

pytest.importorskip("paddlenlp")

from golden.make_tokenization import ENGLISH, GOLDEN, MINI_ZH, SPECIAL, build, dumps, peer_ids
from paddlenlp.transformers import BertTokenizer, ElectraTokenizer, ErnieTokenizer, RobertaChineseTokenizer

from prompt_kit.prompt.tokenization import Tokenizer

FULL = os.environ.get("PROMPT_KIT_FULL_PARITY") == "1"
CORPUS_STEP = 1 if FULL else 101  # every so many lines
PEERS = {
    "ernie": ErnieTokenizer,
    "bert": BertTokenizer,
    "roberta": RobertaChineseTokenizer,
    "electra": ElectraTokenizer,
}

# Beyond the BMP: ancient and musical signs, mathematical letters, emoji, ends of the CJK extensions, tags, private use.
ASTRAL = (
    *(
        range(first, first + 0x800)
        for first in (0x10000, 0x10800, 0x11000, 0x11800, 0x1D000, 0x1D400, 0x1E800, 0x1F000, 0x1F800)
    ),
    *(range(first, first + 0x20) for first in (0x1B000, 0x20000, 0x2A6D0, 0x2A730, 0x2B810, 0x2CEA0, 0x30000, 0x3134A)),
    *(range(0x2F800, 0x2FA20), range(0xE0000, 0xE0200), range(0xF0000, 0xF0010), range(0x10FFF0, 0x110000)),
)
POINTS = [chr(point) for point in chain(range(0x10000), *ASTRAL) if not 0xD800 <= point < 0xE000]


def pair(vocab: Path, lowercase: bool, family: str = "bert") -> tuple:
    ours = "ernie" if family == "ernie" else "bert"
    return Tokenizer.from_vocab(vocab, lowercase, ours), PEERS[family](str(vocab), do_lower_case=lowercase)


def assert_equal(ours: Tokenizer, peer, texts: list[str]) -> None:
    wrong = []
    for text, ids in zip(texts, ours.encode_batch(texts)):
        expected = peer_ids(peer, text)
        if ids != expected:
            wrong.append((text, ids, expected))
    assert not wrong, f"{len(wrong)} of {len(texts)} texts differ, the first of them: {wrong[:5]}"


@pytest.fixture(scope="module")
def english(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("english") / "vocab.txt"
    path.write_bytes("".join(piece + "\n" for piece in ENGLISH).encode("utf-8"))
    return path


@pytest.fixture(scope="module")
def every_character(tmp_path_factory) -> Path:
    """A vocabulary in which no character is unknown, at the start of a word or within: ids show each cut and change."""
    path = tmp_path_factory.mktemp("every_character") / "vocab.txt"
    characters = [c for c in POINTS if c not in "\r\n"]
    pieces = chain(SPECIAL, characters, ("##" + c for c in characters))
    path.write_bytes("".join(piece + "\n" for piece in pieces).encode("utf-8"))
    return path


@pytest.mark.skipif(unicodedata.unidata_version < "14.0.0", reason="the golden file has Unicode 14, of Python 3.11")
def test_golden_file_is_what_paddlenlp_gives():
    assert dumps(build()) == GOLDEN.read_text(encoding="utf-8")
    assert len(json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]) > 40


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.slow
def test_every_code_point_inside_a_word_and_beside_a_cjk_character(every_character, lowercase):
    ours, peer = pair(every_character, lowercase)
    # Eight code points to a text keeps the peer's time in bounds; the context cuts them apart.
    texts = ["".join(f"x{c}y 中{c}z " for c in POINTS[at : at + 8]) for at in range(0, len(POINTS), 8)]
    assert_equal(ours, peer, texts)


@pytest.mark.parametrize("lowercase", [True, False])
def test_random_neighbours(every_character, lowercase):
    """Sampled: neighbours change nothing but through combining order, which random strings of marks try."""
    ours, peer = pair(every_character, lowercase)
    generator = random.Random(0)
    marks = [c for c in POINTS if unicodedata.combining(c) or unicodedata.category(c)[0] in "MCZ"]
    pools = [POINTS, marks, list("aÉİΣς中國 .,\u3000")]
    texts = ["".join(generator.choice(generator.choice(pools)) for _ in range(20)) for _ in range(2000)]
    assert_equal(ours, peer, texts)


def test_repeated_and_empty_lines_of_a_vocabulary(tmp_path):
    vocab = tmp_path / "vocab.txt"
    vocab.write_bytes("\n".join([*SPECIAL, "a", "", "b", "a", " ", "##b", "##", ""]).encode("utf-8"))
    assert_equal(*pair(vocab, True), ["a b ab ba aa", "a ## b", "  "])


def test_lone_surrogates(english):
    assert_equal(*pair(english, True), ["the ba\ud83dnk", "\udc00", "super\ud83d\ude00ly"])


@pytest.mark.parametrize("family", sorted(PEERS))
@pytest.mark.parametrize("name", ["headlines", "general"])
def test_real_lines(root, shared, family, name):
    """Sampled unless PROMPT_KIT_FULL_PARITY=1. No line there spells a special token in capitals, but one might."""
    with gzip.open(shared / "corpus" / f"{name}.txt.gz", "rt", encoding="utf-8", newline="\n") as stream:
        lines = [line.rstrip("\n") for number, line in enumerate(stream) if number % CORPUS_STEP == 0]
    lines = [line for line in lines if line and not any(token in line for token in SPECIAL)]
    ours, peer = pair(root / MINI_ZH, family != "bert", family)  # PaddleNLP's Chinese BERTs are cased
    assert_equal(ours, peer, lines)
