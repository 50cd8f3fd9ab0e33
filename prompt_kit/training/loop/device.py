"""The device that a process works on, and the other processes of a launch: chosen with the arguments, taken by whoever trains."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Optional

import paddle
from paddle import nn

from prompt_kit.errors import ConfigError, shown


def choose_device(device: Optional[str]) -> str:
    """`device`, or a GPU if there is one, else cpu. Changes nothing.

    Raises ConfigError for a name that Paddle does not know, and for a GPU where there is none.
    """
    gpus = paddle.device.cuda.device_count() if paddle.is_compiled_with_cuda() else 0
    if device is None:
        return "gpu" if gpus else "cpu"
    if not isinstance(device, str):
        raise ConfigError(f"--device {shown(device)}: expected a name, such as cpu, gpu or gpu:0")
    if device.startswith("gpu") and not gpus:
        why = "no GPU is visible" if paddle.is_compiled_with_cuda() else "the installed paddlepaddle is the CPU build"
        raise ConfigError(
            f"--device {device}: {why}; use --device cpu, or install the GPU build (docs/install.md, GPU)"
        )
    with _told(device):
        paddle.device._convert_to_place(device)  # what set_device does before it sets anything
    return device


def use_device(device: Optional[str]) -> None:
    """Make `device` (None: what it is) the one that this process works on, and join the others of a launch, if there are any."""
    if device is not None:
        with _told(device):
            paddle.set_device(device)
    if paddle.distributed.get_world_size() > 1 and not paddle.distributed.is_initialized():
        paddle.distributed.init_parallel_env()


def move(model: nn.Layer) -> None:
    """Bring a model to the process's device if it was made on another one."""
    device = paddle.get_device()
    if any(str(parameter.place) != f"Place({device})" for parameter in model.parameters()):
        model.to(device=device)


@contextlib.contextmanager
def not_joining() -> Iterator[None]:
    """Keep PaddleNLP's TrainingArguments from joining the other processes, which wait for this one: `use_device` does it."""
    join, paddle.distributed.init_parallel_env = paddle.distributed.init_parallel_env, lambda: None
    try:
        yield
    finally:
        paddle.distributed.init_parallel_env = join


@contextlib.contextmanager
def _told(device: str) -> Iterator[None]:
    """What Paddle raises for a device, which goes by its kind, as one line."""
    try:
        yield
    except (ValueError, RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {device}: {' '.join(str(error).split())}") from error
