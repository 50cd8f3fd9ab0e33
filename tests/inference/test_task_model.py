"""A task of a shared graph: what goes into it with every batch, by a session that adds the task's bias up by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from toy_bundle import VOCABULARY, toy_config, write_toy_bundle

from prompt_kit.data.dataset import Example
from prompt_kit.errors import BundleError
from prompt_kit.inference.task_model import TaskModel
from prompt_kit.inference.tasks import write_task
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt_config.tasks import TasksConfig, graph_inputs

SIZES = {"soft_table": [1, 2], "head_weight": [4, 3], "head_bias": [3], "head_center": [4], "head_directions": [4, 3]}


class Session:
    """Logits are the bias of the task that is fed, plus 1 for sports where 球 is in the text."""

    inputs = list(graph_inputs(False))
    outputs = {"logits": ["batch", "labels"]}

    def __init__(self):
        self.fed = []

    def fetch(self, names, feed):
        self.fed.append(feed)
        balls = (feed["input_ids"] == VOCABULARY.index("球")).any(axis=1)
        return [(feed["head_bias"] + np.outer(balls, [1, 0, 0])).astype("float32")]


@pytest.fixture
def beside():
    """The first task of the folder, whose session the others share."""
    tokenizer = PromptTokenizer.from_config(toy_config().prompt, Tokenizer.from_vocab(VOCABULARY))
    return SimpleNamespace(
        device_id=0, num_threads=1, engine="onnxruntime", device="cpu", precision="fp32", path="model.onnx",
        prompt_tokenizer=tokenizer, _session=Session(),
    )  # fmt: skip


def make(folder, beside, task="news", length=16):
    tasks = {"news": toy_config(), "mood": toy_config()}
    config = TasksConfig(tasks, {"fp32": "model.onnx"}, inputs=graph_inputs(False))
    options = ("cpu", 0, 1, "fp32", length, "onnxruntime")
    return TaskModel(config, task, beside, folder, *options)


def arrays(bias):
    return {**{name: np.zeros(size, "float32") for name, size in SIZES.items()}, "head_bias": np.array(bias, "float32")}


def test_each_task_feeds_its_own_arrays(tmp_path, beside):
    for name, bias in (("news", [0, 2, 0]), ("mood", [0, 0, 3])):
        write_task(tmp_path / f"task-{name}.npz", arrays(bias))
    news, mood = (make(tmp_path, beside, name) for name in ("news", "mood"))
    assert news._session is mood._session is beside._session
    expected = {"news": [math.e, math.exp(2), 1], "mood": [math.e, 1, math.exp(3)]}
    for name, model in (("news", news), ("mood", mood)):
        (found,) = model.probabilities([Example("球")], 1)
        np.testing.assert_allclose(found, np.array(expected[name]) / sum(expected[name]), rtol=1e-6)


def test_soft_ids_are_zeros_for_a_template_without_soft_tokens(tmp_path, beside):
    write_task(tmp_path / "task-news.npz", arrays([0, 0, 0]))
    make(tmp_path, beside).probabilities([Example("球队车")], 1)
    (feed,) = beside._session.fed
    assert sorted(feed) == sorted(Session.inputs)
    assert feed["soft_ids"].shape == feed["input_ids"].shape and not feed["soft_ids"].any()


def test_texts_are_cut_at_the_length_that_is_asked_for(tmp_path, beside):
    write_task(tmp_path / "task-news.npz", arrays([0, 0, 0]))
    model = make(tmp_path, beside, length=8)
    model.probabilities([Example("车" * 20)], 1)
    assert model.prompt_tokenizer.max_seq_length == 8 and beside._session.fed[0]["input_ids"].shape == (1, 8)


def test_a_graph_of_one_model_is_refused(tmp_path):
    """The first task opens the session, and the toy's graph has no inputs for a task."""
    pytest.importorskip("onnxruntime")
    folder = write_toy_bundle(tmp_path / "export")
    write_task(folder / "task-news.npz", arrays([0, 0, 0]))
    with pytest.raises(BundleError, match="does not belong to its prompt_config.json: expected inputs .*head_bias"):
        make(folder, None)
