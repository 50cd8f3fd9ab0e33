"""The files of a folder of several tasks: what a task adds to the shared graph, written and read back, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from toy_bundle import toy_config

from prompt_kit.errors import BundleError
from prompt_kit.inference.tasks import TASK_FILE, check_task_files, default_task_name, read_task, task_file, write_task
from prompt_kit.prompt_config.tasks import TasksConfig, graph_inputs

# 1 soft token of width 2, a head of 4 features for the toy's 3 labels
SIZES = {"soft_table": [1, 2], "head_weight": [4, 3], "head_bias": [3], "head_center": [4], "head_directions": [4, 3]}
PREFIX = {"prefix_keys": [2, 1, 5, 2], "prefix_values": [2, 1, 5, 2]}


def config(with_prefix: bool = False) -> TasksConfig:
    return TasksConfig({"news": toy_config()}, {"fp32": "model.onnx"}, inputs=graph_inputs(with_prefix))


def arrays(**changed) -> dict:
    sizes = {**SIZES, **changed}
    return {name: np.arange(np.prod(size), dtype="float32").reshape(size) for name, size in sizes.items()}


@pytest.mark.parametrize("more", [{}, PREFIX])
def test_what_is_written_is_read_back(tmp_path, more):
    write_task(tmp_path / "task-news.npz", arrays(**more))
    found = read_task(tmp_path, "news", config(bool(more)))
    assert found.keys() == arrays(**more).keys()
    assert all(np.array_equal(found[name], array) for name, array in arrays(**more).items())


def test_file_names():
    assert task_file("news") == "task-news.npz"
    assert TASK_FILE.fullmatch("task-新闻.v-2.npz") and not TASK_FILE.fullmatch("task-a b.npz")
    assert not TASK_FILE.fullmatch("task-.npy") and not TASK_FILE.fullmatch("task-a/b.npz")


@pytest.mark.parametrize(
    ("folder", "name"),
    [("runs/news", "news"), ("runs/news/", "news"), ("新闻 2.0!", "新闻-2.0-"), ("/x/.hidden", "hidden"), ("/", "task"),
     ("a" * 99, "a" * 64)],
)  # fmt: skip
def test_a_task_is_called_as_its_folder(folder, name):
    assert default_task_name(folder) == name


def test_every_file_must_be_there(tmp_path):
    for name in ("tokenizer.json", "model.onnx", "task-news.npz"):
        with pytest.raises(BundleError, match=f"{name} is missing"):
            check_task_files(tmp_path, config())
        (tmp_path / name).touch()
    check_task_files(tmp_path, config())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"head_bias": [2]}, "head_bias has 2 labels, expected 3: not of this task"),
        ({"head_weight": [5, 3]}, "head_center has 4 features, expected 5"),
        ({"head_bias": [3, 1]}, "expected float32 arrays soft_table, head_weight"),
        (PREFIX, "expected float32 arrays soft_table, head_weight"),
    ],
)
def test_arrays_of_other_sizes(tmp_path, changed, said):
    write_task(tmp_path / "task-news.npz", arrays(**changed))
    with pytest.raises(BundleError, match=said) as caught:
        read_task(tmp_path, "news", config())
    assert str(tmp_path / "task-news.npz") in str(caught.value) and "\n" not in str(caught.value)


def test_the_tokens_of_the_prefix_are_not_the_soft_ones(tmp_path):
    write_task(tmp_path / "task-news.npz", arrays(**{**PREFIX, "prefix_values": [2, 1, 4, 2]}))
    with pytest.raises(BundleError, match="prefix_values has 4 tokens, expected 5"):
        read_task(tmp_path, "news", config(True))


def test_a_damaged_file(tmp_path):
    path = tmp_path / "task-news.npz"
    with pytest.raises(BundleError, match="task-news.npz is missing"):
        read_task(tmp_path, "news", config())
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(BundleError, match="task-news.npz is damaged"):
        read_task(tmp_path, "news", config())
    write_task(path, {**arrays(), "head_bias": np.array([0, np.nan, 0], "float32")})
    with pytest.raises(BundleError, match="head_bias holds what is no number"):
        read_task(tmp_path, "news", config())
    write_task(path, {**arrays(), "head_bias": np.zeros(3)})
    with pytest.raises(BundleError, match=r"head_bias.*float64 \[3\]"):
        read_task(tmp_path, "news", config())
