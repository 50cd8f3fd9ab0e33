"""run.json: the data and the settings of a run, what a resumed run takes over, and what contradicts them."""

from __future__ import annotations

import hashlib
import json

import pytest
from runs import arguments

from prompt_kit.data.dataset import Example
from prompt_kit.errors import CheckpointError
from prompt_kit.training.loop.run_record import RUN_FILE, SETTINGS, adopt_settings, check_record, read_record, record_of

TRAIN = [Example("一", "a"), Example("二", "b")]


def record(folder, **settings):
    """A checkpoint whose run had these settings."""
    (folder / RUN_FILE).write_text(json.dumps({"settings": settings, "data": {}}), encoding="utf-8")
    return folder


def test_the_record_by_hand(tmp_path):
    found = record_of(arguments(tmp_path, seed=7, lr_scheduler_type="cosine"), TRAIN, None)
    assert list(found["settings"]) == list(SETTINGS)
    assert (found["settings"]["seed"], found["settings"]["lr_scheduler_type"]) == (7, "cosine")
    digest = hashlib.sha256(b'["\\u4e00", null, "a"]["\\u4e8c", null, "b"]').hexdigest()
    assert found["data"] == {"train": digest[:16]}
    assert json.loads(json.dumps(found)) == found


def test_a_text_a_label_and_the_order_count(tmp_path):
    args = arguments(tmp_path)
    sets = [
        TRAIN,
        TRAIN[::-1],
        [Example("一", "b"), TRAIN[1]],
        [Example("一 ", "a"), TRAIN[1]],
        [Example("一", "a", "三"), TRAIN[1]],
    ]
    digests = {record_of(args, TRAIN, dev)["data"]["dev"] for dev in sets}
    assert len(digests) == len(sets)


def test_what_is_not_given_is_taken_over(tmp_path):
    args = arguments(tmp_path, seed=1, learning_rate=0.1)
    found = adopt_settings(record(tmp_path, seed=7, learning_rate=0.5, of_a_later_version=1), args, {"seed"})
    assert (found.seed, found.learning_rate) == (1, 0.5)
    assert args.learning_rate == 0.1, "the caller's arguments stay as they are"
    assert not hasattr(found, "of_a_later_version")


def test_a_setting_that_no_run_has(tmp_path):
    with pytest.raises(CheckpointError, match="run.json is damaged: --learning_rate must be above 0, got -1"):
        adopt_settings(record(tmp_path, learning_rate=-1), arguments(tmp_path), frozenset())
    with pytest.raises(CheckpointError, match="run.json is damaged"):
        read_record(record(tmp_path, use_rdrop="yes"))


def test_contradictions_show_both_values(tmp_path):
    now = {"settings": {"seed": 8, "use_rgl": False}, "data": {"train": "0" * 16}}
    check_record(tmp_path, now)  # a checkpoint without run.json is not compared
    with pytest.raises(CheckpointError, match=f"--seed 8 contradicts the run of {tmp_path}, which has 7"):
        check_record(record(tmp_path, seed=7), now)
    check_record(record(tmp_path, seed=8), now)  # what the record does not speak of is no contradiction
    content = {"settings": {"seed": 8}, "data": {"train": "1" * 16}}
    (tmp_path / RUN_FILE).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CheckpointError, match=f"train.txt has other texts or labels .*{'0' * 16}, then {'1' * 16}"):
        check_record(tmp_path, now)
