"""Tensors to and from safetensors: names, shapes and numbers, nothing that could run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from prompt_kit.errors import CheckpointError


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
