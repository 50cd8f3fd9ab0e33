"""Tensors to and from safetensors: names, shapes and numbers, nothing that could run."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np
import paddle
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.json_file import Shape, read_object


def save_safetensors(tensors: dict[str, paddle.Tensor], path: Path, dtype: str = "float32") -> None:
    """Write the tensors as `dtype` (floating) or as they are."""
    arrays = {name: _to_numpy(tensor, dtype) for name, tensor in tensors.items()}
    write_arrays(arrays, path, {"format": "np"})


def write_arrays(arrays: dict[str, np.ndarray], path: Path, metadata: Optional[dict[str, str]] = None) -> None:
    """Write a safetensors file. Raises OSError when it cannot be written, ENOSPC for a full disk."""
    try:
        save_file(arrays, str(path), metadata=metadata)
    except SafetensorError as error:  # of an operating system's error the library tells the number in its text
        found = re.search(r"code: (\d+)|os error (\d+)", str(error))
        number = int(found[1] or found[2]) if found else errno.EIO
        raise OSError(number, os.strerror(number), str(path)) from error


def _to_numpy(tensor: paddle.Tensor, dtype: str) -> np.ndarray:
    tensor = tensor.astype(dtype) if tensor.is_floating_point() else tensor
    return np.ascontiguousarray(tensor.numpy())


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a file; CheckpointError if it is missing or damaged."""
    try:
        return load_file(str(path))
    except FileNotFoundError:
        raise CheckpointError(f"{Path(path).absolute()} is missing: the training folder is incomplete") from None
    except (TypeError, AttributeError) as error:  # numbers that NumPy does not have
        raise CheckpointError(
            f"{Path(path).absolute()} holds numbers of a kind that prompt-kit does not write ({error}); expected float32"
        ) from error
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{Path(path).absolute()} cannot be read: {error}; it is damaged or half-copied"
        ) from error


def load_safetensors(tensors: dict[str, paddle.Tensor], path: Path) -> None:
    """Set every tensor to the array of its name; CheckpointError names what is missing, extra or of another shape."""
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
            f"{Path(path).absolute()} does not fit the model: missing {_few(missing)}; extra {_few(extra)}; of another "
            f"shape {_few(wrong)}"
        )
    for name, tensor in tensors.items():
        tensor.set_value(arrays[name].astype(str(tensor.dtype).replace("paddle.", "")))


def _few(names: list[str]) -> str:
    """The first names of a list, and how many it has if these are not all."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{names[:_SHOWN]}{more}" if names else "none"


_SHOWN = 5
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
    shapes = {"weight_map": Shape("{weight: file}", _names_files)}
    shards = read_object(index, ConfigError, "copy the folder again, all its files", shapes)["weight_map"].values()
    names = sorted(set(shards), key=str)
    for name in names:
        plain = isinstance(name, str) and name.endswith(".safetensors") and os.path.basename(name) == name
        if not plain or "\\" in name:
            raise ConfigError(f"{index} names {name!r}; expected a *.safetensors file in the same folder")
        if not (folder / name).is_file():
            raise ConfigError(
                f"{index} names {name!r}, which is not in the folder; copy the folder again, all its files"
            )
    return found or [_INDEX_FILE, *names]


def _names_files(value: Any) -> bool:
    return isinstance(value, dict) and not any(isinstance(name, (dict, list)) for name in value.values())
