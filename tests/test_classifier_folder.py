"""classifier.json: what is kept of a classifier's parameters, and what is said of a folder that has a damaged one."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from prompt_kit.classifier_folder import CLASSIFIER_FILE, read_classifier, read_json, settings_of, settings_to_json
from prompt_kit.errors import CheckpointError


def test_what_is_kept_of_the_parameters():
    parameters = {
        "labels": {"a": "甲"}, "prompt": None, "seed": np.int64(7), "learning_rate": np.float32(0.5), "device": "gpu",
        "model_name_or_path": Path("models") / "mine", "verbose": False,
        "options": {"ema_decay": 0.0, "trust_pickle": True},
    }  # fmt: skip
    kept = settings_to_json(parameters)
    assert kept == {
        "seed": 7, "learning_rate": 0.5, "model_name_or_path": str(Path("models") / "mine"), "options": {"ema_decay": 0.0},
    }  # fmt: skip
    assert parameters["options"] == {"ema_decay": 0.0, "trust_pickle": True}, "the caller's own stay as they are"
    assert settings_to_json({"options": {}}) == {"options": {}} and settings_to_json({"options": None}) == {}


@pytest.mark.parametrize("method", ["prompt", "finetune"])
def test_the_parameters_of_a_folder_of_train_py(method):
    model = SimpleNamespace(
        method=method, task=SimpleNamespace(kind="multi-label"), reads_pairs=True, template="{'mask'}",
        config=SimpleNamespace(base_model="mini_zh", head="soft", calibration=None),
        prompt_tokenizer=SimpleNamespace(max_seq_length=64),
    )  # fmt: skip
    shared = {"method": method, "task_type": "multi-label", "text_pairs": True, "model_name_or_path": "mini_zh",
              "max_seq_length": 64}  # fmt: skip
    own = {"prompt": "{'mask'}", "verbalizer": "soft", "calibrate": False} if method == "prompt" else {}
    assert settings_of(model) == {**shared, **own}


def test_a_folder_of_train_py_has_none(tmp_path):
    assert read_classifier(tmp_path) is None


def test_what_is_there_is_read(tmp_path):
    content = {"format_version": 1, "settings": {"seed": 7}, "classes": ["a"]}
    (tmp_path / CLASSIFIER_FILE).write_text(json.dumps(content), encoding="utf-8-sig")
    assert read_classifier(tmp_path) == content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is damaged; copy the folder again"),
        ("[]", "is damaged"),
        ('{"format_version": 1}', "is damaged"),
        ('{"format_version": 1, "settings": {"labels": []}}', "is damaged"),
        ('{"format_version": 2, "settings": {}}', "has format 2, but this prompt-kit reads 1"),
        ('{"format_version": 1, "settings": {"options": {"trust_pickle": true}}}', "asks for trust_pickle"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, content, said):
    (tmp_path / CLASSIFIER_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=said) as caught:
        read_classifier(tmp_path)
    assert str(tmp_path / CLASSIFIER_FILE) in str(caught.value)


@pytest.mark.parametrize("name", ["model.onnx", "model.pdiparams"])
def test_an_exported_folder(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match="is an exported folder, which Predictor opens"):
        read_classifier(tmp_path)


def test_json_that_cannot_be_read_is_none(tmp_path):
    path = tmp_path / "a.json"
    assert read_json(path) is None
    for content in (b"", b"\xff", b"[1]", b"[" * 100_000):
        path.write_bytes(content)
        assert read_json(path) is None
