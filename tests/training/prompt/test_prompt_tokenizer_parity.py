"""Features equal those of the installed PaddleNLP on random texts, wherever it is right (cases: tests/golden)."""

from __future__ import annotations

import random

import pytest
from scripts import load_script

from prompt_kit.data.dataset import Example
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.tokenization import Tokenizer


@pytest.fixture(scope="module")
def maker():
    """The program that made the golden file: it holds the templates and knows how to ask PaddleNLP."""
    pytest.importorskip("paddlenlp")
    return load_script("tests/golden/make_prompt_tokenizer")


def test_random_texts(root, maker):
    folder = root / "prompt_kit" / "models" / "mini_zh"
    theirs, ours = maker.ErnieTokenizer.from_pretrained(str(folder)), Tokenizer.from_pretrained(folder)
    with open(folder / "vocab.txt", encoding="utf-8") as file:
        characters = [line.rstrip("\n") for line in file if len(line) == 2]
    draw = random.Random(0)
    for name, source, max_seq_length, _, text_b in maker.CASES:
        if "truncate" in source:
            continue  # a text that is not cut and too long is an error here
        tokenizer = PromptTokenizer(Template.parse(source), ours, max_seq_length)
        for _ in range(5):
            texts = ["".join(draw.choices(characters, k=draw.randint(1, 40))) for _ in range(2)]
            example = {"text_a": texts[0], "text_b": texts[1]} if text_b else {"text_a": texts[0]}
            expected = maker.peer_features(source, max_seq_length, example, theirs)
            features = tokenizer.encode(Example(**example))
            if text_b and len(expected["input_ids"]) == max_seq_length - 1:
                continue  # two texts are cut and PaddleNLP leaves the odd token of room unused
            hidden = [None if one is None else mine for one, mine in zip(expected["input_ids"], features.input_ids)]
            assert len(features.input_ids) == len(expected["input_ids"]), name
            assert hidden == expected["input_ids"], name
            assert features.token_type_ids == expected["token_type_ids"], name
            assert features.mask_columns == expected["mask_columns"], name
            assert features.soft_ids == expected["soft_ids"], name
