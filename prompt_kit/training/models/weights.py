"""Tensors to and from safetensors: names, shapes and numbers, nothing that could run."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import paddle
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from prompt_kit.errors import CheckpointError, ConfigError


def save_safetensors(tensors: dict[str, paddle.Tensor], path: Path, dtype: str = "float32") -> None:
    """Write the tensors as `dtype` (floating) or as they are."""
    arrays = {name: _to_numpy(tensor, dtype) for name, tensor in tensors.items()}
    save_file(arrays, str(path), metadata={"format": "np"})


def _to_numpy(tensor: paddle.Tensor, dtype: str) -> np.ndarray:
    tensor = tensor.astype(dtype) if tensor.is_floating_point() else tensor
    return np.ascontiguousarray(tensor.numpy())


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a file; CheckpointError if it is missing or damaged."""
    try:
        return load_file(str(path))
    except FileNotFoundError:
        raise CheckpointError(f"{Path(path).absolute()} is missing: the training folder is incomplete") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{Path(path).absolute()} cannot be read: {error}; it is damaged or half-copied"
        ) from error


def load_safetensors(tensors: dict[str, paddle.Tensor], path: Path) -> None:
    """Set every tensor to the array of its name; CheckpointError lists all that is missing, extra or of another shape."""
    arrays = read_safetensors(path)
    missing = sorted(tensors.keys() - arrays.keys())
    extra = sorted(arrays.keys() - tensors.keys())
    wrong = [
        f"{name} {list(arrays[name].shape)}, expected {list(tensors[name].shape)}"
        for name in sorted(tensors.keys() & arrays.keys())
        if list(arrays[name].shape) != list(tensors[name].shape)
    ]
    if missing or extra or wrong:
        raise CheckpointError(
            f"{Path(path).absolute()} does not fit the model: missing {missing or 'none'}; extra {extra or 'none'}; "
            f"of another shape {wrong or 'none'}"
        )
    for name, tensor in tensors.items():
        tensor.set_value(arrays[name].astype(str(tensor.dtype).replace("paddle.", "")))


_INDEX_FILE = "model.safetensors.index.json"


@contextlib.contextmanager
def safe_model_folder(folder: Path, trust_pickle: bool = False) -> Iterator[Path]:
    """A folder with config.json and safetensors alone, links to those of `folder`, for PaddleNLP to load.

    PaddleNLP unpickles a weights file of any other kind that it finds, and any file that an index names. With
    `trust_pickle` a `folder` that has no safetensors is given as it is.

    Raises:
        ConfigError: the folder holds no safetensors, or an index names something else than safetensors in the folder.
    """
    names = _safetensors_of(folder)
    if not names:
        if not any(folder.glob("*.pdparams")):
            raise ConfigError(f"{folder} holds no weights; expected model.safetensors")
        if not trust_pickle:
            raise ConfigError(
                f"{folder} holds weights as .pdparams alone, a pickle, which can run any code when it is loaded; convert it to "
                "model.safetensors, or add --trust_pickle if you trust where it comes from"
            )
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="prompt-kit-") as links:
        for name in ("config.json", *names):
            os.symlink(folder / name, os.path.join(links, name))
        yield Path(links)


def _safetensors_of(folder: Path) -> list[str]:
    """model.safetensors, or the index and what it names; [] if there is neither. An index is read wherever it is."""
    index = folder / _INDEX_FILE
    found = ["model.safetensors"] if (folder / "model.safetensors").is_file() else []
    if not index.exists():
        return found
    try:
        with open(index, encoding="utf-8-sig") as file:
            shards = json.load(file)["weight_map"].values()
        names = sorted(set(shards))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f'{index} is damaged: {type(error).__name__}; expected {{"weight_map": {{weight: file}}}}'
        ) from error
    for name in names:
        plain = isinstance(name, str) and name.endswith(".safetensors") and os.path.basename(name) == name
        if not plain or "\\" in name:
            raise ConfigError(f"{index} names {name!r}; expected a *.safetensors file in the same folder")
        if not (folder / name).is_file():
            raise ConfigError(
                f"{index} names {name!r}, which is not in the folder; copy the folder again, all its files"
            )
    return found or [_INDEX_FILE, *names]
