"""The steps of a run without dev.txt or train.txt: what is trained, and what it is judged by."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from tiny import LABELS
from train_script import read, without

from prompt_kit.data.dataset import read_examples
from prompt_kit.training.models.prompt_model import PromptModel


def test_without_dev_the_score_is_by_leave_one_out(train, tiny_data, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="prompt_kit")
    data = without(tiny_data, tmp_path, "dev.txt")
    train(f"--do_train --do_eval --do_predict --output_dir {tmp_path / 'out'}", data=data)
    found = read(tmp_path / "out" / "eval_results.json")
    assert found["eval_by"] == "leave-one-out on train.txt"
    assert 0 <= found["eval_interval"][0] <= found["eval_accuracy"] <= found["eval_interval"][1] <= 1
    rows = read_examples(data / "train.txt", LABELS.labels)
    assert any(message.startswith(f"leave-one-out on the {len(rows)} examples") for message in caplog.messages)
    model = PromptModel.from_pretrained(tmp_path / "out")
    labels = np.array([model.verbalizer.label_to_id[row.label] for row in rows])
    model._texts = model.mask_states(model.encode_texts((data / "data.txt").read_text("utf-8").split()))
    scores = model.leave_one_out(model.prompt_tokenizer.encode_many(rows), labels)
    assert (scores.argmax(axis=1) == labels).mean() == pytest.approx(found["eval_accuracy"])


def test_label_words_and_texts_alone_make_a_classifier(train, tiny_data, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="prompt_kit")
    data = without(tiny_data, tmp_path, "train.txt")
    train(f"--do_train --do_eval --do_predict --output_dir {tmp_path / 'out'}", data=data)
    assert any(message.startswith("no train.txt: the label words and 8 texts") for message in caplog.messages)
    assert {"eval_accuracy", "test_accuracy"} <= read(tmp_path / "out" / "all_results.json").keys()
    assert PromptModel.from_pretrained(tmp_path / "out").config.head == "cosine"
