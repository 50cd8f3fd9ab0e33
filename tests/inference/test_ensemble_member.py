"""Members of an ensemble: which folders are, what they say of themselves, and their probabilities by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from toy_bundle import LABELS, TEMPLATE, toy_config, write_toy_bundle

from prompt_kit.data.dataset import Example
from prompt_kit.errors import BundleError, ConfigError
from prompt_kit.inference.ensemble_export import copy_bundle, write_ensemble
from prompt_kit.inference.ensemble_member import Member, open_member
from prompt_kit.prompt.task import MULTI_LABEL, Task
from prompt_kit.prompt_config import ModelConfig, write_prompt_config


class Trained(Member):
    """What a training folder is opened as, in the place of the class that needs Paddle."""


def never():
    raise AssertionError("no training folder is opened")


@pytest.fixture
def folder(tmp_path):
    return write_toy_bundle(tmp_path / "export", mode="prompt")


def test_an_exported_folder(folder):
    member = open_member("member", str(folder), never)
    assert type(member) is Member and (member.folder, member.verbalizer) == (folder, LABELS)
    assert member.about == {"mode": "prompt", "base_model": "toy", "template": TEMPLATE}


def test_a_training_folder_is_opened_by_the_class_that_is_given(tmp_path):
    config = ModelConfig("prompt", "prompt", "toy", "cosine", toy_config().prompt, LABELS)
    write_prompt_config(tmp_path, config)
    member = open_member("member", str(tmp_path), lambda: Trained)
    assert type(member) is Trained and member.about["base_model"] == "toy"


def test_probabilities_by_hand(folder):
    """球 scores 2 for sports, 车 3 for car."""
    pytest.importorskip("onnxruntime")
    found = open_member("member", str(folder), never).probabilities([Example("球"), Example("车")], 1)
    rows = np.array([[math.exp(2), 1, 1], [1, math.exp(3), 1]])
    np.testing.assert_allclose(found, rows / rows.sum(axis=1, keepdims=True), atol=1e-6)


def test_it_is_exported_as_it_is(folder, tmp_path):
    open_member("member", str(folder), never).export(tmp_path / "copy")
    assert (tmp_path / "copy" / "model.onnx").read_bytes() == (folder / "model.onnx").read_bytes()
    assert open_member("member", str(tmp_path / "copy"), never).verbalizer == LABELS


def test_folders_that_are_no_members(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "absent"):
        with pytest.raises(
            ConfigError, match=f"^--candidate {path}: no prompt_config.json in {path}; expected a folder"
        ):
            open_member("candidate", str(path), never)
    both = [(lambda to: copy_bundle(folder, to), 1.0)] * 2
    write_ensemble(tmp_path / "both", LABELS.labels, both)
    with pytest.raises(ConfigError, match=f"^--candidate {tmp_path / 'both'} is an ensemble itself; name the folders"):
        open_member("candidate", str(tmp_path / "both"), never)
    several = write_toy_bundle(tmp_path / "several", task=Task(MULTI_LABEL))
    with pytest.raises(BundleError, match="several is multi-label, but an ensemble's members have one label a text"):
        open_member("candidate", str(several), never)
