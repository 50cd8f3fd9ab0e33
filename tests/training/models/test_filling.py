"""Filling masks with words of several lengths: against sentences put together by hand."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from tiny import RTD_LABELS, tiny_tokenizer

from prompt_kit.data.dataset import Example
from prompt_kit.errors import TemplateError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer, collate
from prompt_kit.prompt.template import Template
from prompt_kit.training.models.filling import MaskFilling, WordList

WORDS = [word for words in RTD_LABELS.words for word in words]  # of 2, 1, 2, 2, 3 and 1 tokens


def pieces(source: str):
    """The segments of a template whose mask is words; it has one more mask at its end, to be a template."""
    return Template.parse(source + "{'mask'}").segments[:-1]


def word_list() -> WordList:
    return WordList.of(RTD_LABELS.token_table(tiny_tokenizer()))


def test_the_words_and_their_weights():
    words = word_list()
    tokenizer = tiny_tokenizer()
    assert words.longest == 3 and words.lengths.tolist() == [2, 1, 2, 2, 3, 1]
    assert words.labels.tolist() == [0, 0, 1, 1, 1, 2]
    assert [ids[:length].tolist() for ids, length in zip(words.ids, words.lengths)] == list(
        map(tokenizer.encode, WORDS)
    )
    third, half = 1 / 3, 1 / 2
    np.testing.assert_allclose(
        words.weights,
        [
            [half * half, half * half, 0],
            [half, 0, 0],
            [third * half, third * half, 0],
            [third * half, third * half, 0],
            [third * third] * 3,
            [1, 0, 0],
        ],
    )


@pytest.mark.parametrize(
    "template", ["{'mask'}新闻{'text': 'text_a'}", "{'text': 'text_a'}{'sep'}{'mask', 'token_type': 1}上"]
)
def test_every_row_reads_as_the_sentence_with_the_word_in_it(template):
    tokenizer = tiny_tokenizer()
    texts = ["手机公司", "今天汽车发布"]
    prompt_tokenizer = PromptTokenizer(Template.parse(template).with_masks(3), tokenizer, 32)
    batch = collate(prompt_tokenizer.encode_many([Example(text) for text in texts]), tokenizer.pad_id)
    filling = MaskFilling(word_list(), tokenizer.pad_id)
    ids, types, columns = (one.numpy() for one in filling(**{k: paddle.to_tensor(v) for k, v in batch.items()}))
    length = batch["input_ids"].shape[1]
    assert ids.shape == types.shape == (len(texts) * len(WORDS), length) and columns.shape == (12, 3)
    row = 0
    for text in texts:
        for word in WORDS:
            plain = pieces(template.replace("{'mask'", f"{{'hard': '{word}'"))
            expected, kinds, kind = [tokenizer.cls_id], [0], 0
            for segment in plain:
                if segment.token_type is not None:
                    kind = segment.token_type
                name = type(segment).__name__
                if getattr(segment, "text", None) == word:
                    start = len(expected)
                piece = (
                    tokenizer.encode(text) if name == "Text"
                    else [tokenizer.sep_id] if name == "Sep" else tokenizer.encode(segment.text)
                )  # fmt: skip
                expected += piece
                kinds += [kind] * len(piece)
            expected, kinds = [*expected, tokenizer.sep_id], [*kinds, kind]
            padding = [tokenizer.pad_id] * (length - len(expected))
            assert ids[row].tolist() == expected + padding
            assert types[row].tolist() == kinds + [0] * len(padding)
            size = len(tokenizer.encode(word))
            assert columns[row].tolist() == [start + min(place, size - 1) for place in range(3)]
            assert ids[row][columns[row][:size]].tolist() == tokenizer.encode(word)
            row += 1


def test_masks_in_two_parts_are_refused():
    with pytest.raises(TemplateError, match=r"expected one \{'mask'\}, which words of any length fill"):
        Template.parse("{'mask'}新{'mask'}{'text': 'text_a'}").with_masks(2)
