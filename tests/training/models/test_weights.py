"""Tensors through safetensors, and every way in which a file may not fit."""

from __future__ import annotations

import errno
import json

import numpy as np
import paddle
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file

from prompt_kit.errors import CheckpointError
from prompt_kit.training.models import weights
from prompt_kit.training.models.weights import load_safetensors, read_safetensors, save_safetensors, write_arrays


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    save_safetensors({"a": paddle.arange(6, dtype="float32").reshape([2, 3]), "b": paddle.to_tensor([7, 8])}, path)
    return path


def test_round_trip(path):
    tensors = {"a": paddle.zeros([2, 3]), "b": paddle.zeros([2], dtype="int64")}
    load_safetensors(tensors, path)
    assert tensors["a"].numpy().tolist() == [[0, 1, 2], [3, 4, 5]]
    assert tensors["b"].numpy().tolist() == [7, 8]


def test_what_is_written_is_float32_and_contiguous(tmp_path):
    """Half precision loses its type, not its numbers: bfloat16 is nothing that numpy could read."""
    transposed = paddle.arange(6, dtype="float32").reshape([2, 3]).t()
    half = paddle.to_tensor([1.5, -2.25]).astype("bfloat16")
    save_safetensors({"t": transposed, "h": half}, tmp_path / "x.safetensors")
    arrays = load_file(str(tmp_path / "x.safetensors"))
    assert arrays["t"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert arrays["h"].dtype == np.float32 and arrays["h"].tolist() == [1.5, -2.25]


def test_loading_keeps_the_models_precision(path):
    tensors = {"a": paddle.zeros([2, 3], dtype="float16"), "b": paddle.zeros([2], dtype="int64")}
    load_safetensors(tensors, path)
    assert tensors["a"].dtype == paddle.float16
    assert tensors["a"].astype("float32").numpy().tolist() == [[0, 1, 2], [3, 4, 5]]


def test_missing_extra_and_misshapen_tensors_are_all_listed_and_nothing_is_set(path):
    tensors = {"a": paddle.zeros([3, 2]), "c": paddle.zeros([1]), "d": paddle.zeros([1])}
    with pytest.raises(CheckpointError) as caught:
        load_safetensors(tensors, path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    assert "missing ['c', 'd']" in message and "extra ['b']" in message and "a [2, 3], expected [3, 2]" in message
    assert tensors["a"].numpy().tolist() == [[0, 0]] * 3


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match=r"/none\.safetensors is missing"):
        read_safetensors(tmp_path / "none.safetensors")


@pytest.mark.parametrize("keep", [0, 4, 60, -1])
def test_a_truncated_file(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="damaged or half-copied") as caught:
        read_safetensors(path)
    assert "\n" not in str(caught.value)


def test_a_file_of_something_else(path):
    path.write_bytes(b"\x80\x04" + b"pickle, or whatever" * 20)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_safetensors(path)


def test_a_folder_in_the_files_place(tmp_path):
    with pytest.raises(CheckpointError):
        read_safetensors(tmp_path)


@pytest.mark.parametrize(
    ("said", "number"),
    [("I/O error: No space left on device (os error 28)", errno.ENOSPC), ("IoError(Os { code: 122 })", errno.EDQUOT),
     ("something else", errno.EIO)],
)  # fmt: skip
def test_a_write_that_fails_is_an_error_of_the_system(tmp_path, monkeypatch, said, number):
    def fail(*args, **kwargs):
        raise SafetensorError(said)

    monkeypatch.setattr(weights, "save_file", fail)
    with pytest.raises(OSError) as caught:
        write_arrays({"a": np.zeros(3)}, tmp_path / "a.safetensors")
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "a.safetensors"))


def test_a_folder_to_write_to_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_arrays({"a": np.zeros(3)}, tmp_path / "absent" / "a.safetensors")


@pytest.mark.parametrize(("kind", "size"), [("BF16", 2), ("F8_E4M3", 1)])
def test_numbers_that_numpy_does_not_have(tmp_path, kind, size):
    header = json.dumps({"a": {"dtype": kind, "shape": [1], "data_offsets": [0, size]}}).encode("ascii")
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    with pytest.raises(
        CheckpointError, match="a.safetensors holds numbers of a kind that prompt-kit does not write"
    ) as caught:
        read_safetensors(path)
    assert "\n" not in str(caught.value)
