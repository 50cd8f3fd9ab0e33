"""Batches for distillation: lines in the forms of prompts, with their teacher's vectors."""

from __future__ import annotations

import numpy as np
import pytest
from taught import taught
from tiny import tiny_tokenizer

from prompt_kit.training.pretraining.taught_batches import FORMS, TaughtCollator


def test_a_batch_by_hand(tmp_path):
    dataset, collator = taught(tmp_path)
    tokenizer = tiny_tokenizer()
    pad, cls, sep, mask = tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id
    a, b = tokenizer.encode("手机公司"), tokenizer.encode("体育")
    items = [dataset[3, 0], dataset[3, 1]]
    colon, so = tokenizer.encode("："), tokenizer.encode("。总之，")
    front = collator.in_form(items, FORMS[0], clean=True)
    assert front["input_ids"].tolist() == [
        [cls, mask, mask, *colon, *a, sep], [cls, mask, mask, *colon, *b, sep, pad, pad],
    ]  # fmt: skip
    assert front["read"].tolist() == [[1, 2], [1, 2]] and "targets" not in front
    back = collator.in_form(items, FORMS[3], clean=True)
    assert back["input_ids"][1].tolist() == [cls, *b, *so, mask, mask, sep, pad, pad]
    for row, columns in zip(back["input_ids"], back["read"]):
        assert row[columns].tolist() == [mask, mask] and row[columns[1] + 1] == sep
    assert collator.in_form(items, FORMS[-1], clean=True)["read"].tolist() == [[0], [0]]
    np.testing.assert_array_equal(front["teacher"], dataset.teacher[[2, 0]])  # the rows that the lines have


@pytest.mark.parametrize("form", FORMS)
def test_what_is_hidden_is_of_the_line_alone(tmp_path, form):
    dataset, collator = taught(tmp_path)
    items = [dataset[0, 0], dataset[0, 1]]
    clean, hidden = (collator.in_form(items, form, clean=way) for way in (True, False))
    columns = hidden["columns"].reshape(-1)[hidden["rows"]]
    lines = hidden["rows"] // hidden["columns"].shape[1]
    assert clean["input_ids"][lines, columns].tolist() == hidden["targets"].tolist()
    assert not set(columns) & set(hidden["read"].reshape(-1).tolist())
    assert clean["input_ids"].shape[1] <= 2 + 4 + collator.longest_form


def test_forms_are_a_function_of_the_seed_and_the_first_item(tmp_path):
    dataset, collator = taught(tmp_path)

    def batches(one):
        return [one([dataset[epoch, 0]]) for epoch in range(60)]

    first, again = batches(collator), batches(TaughtCollator(tiny_tokenizer(), 1))
    assert all(np.array_equal(a["input_ids"], b["input_ids"]) for a, b in zip(first, again))
    assert {tuple(map(tuple, batch["read"])) for batch in first} >= {((0,),), ((1, 2),), ((1,),)}
    assert 0 < sum("targets" in batch for batch in first) < 60
    other = batches(TaughtCollator(tiny_tokenizer(), 2))
    assert not all(np.array_equal(a["input_ids"], b["input_ids"]) for a, b in zip(first, other))
