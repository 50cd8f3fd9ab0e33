"""checkpoint-N folders: everything that a resumed run needs, as safetensors and JSON, written whole or not at all."""

from __future__ import annotations

import json
import logging
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np
import paddle
from safetensors.numpy import save_file

from prompt_kit.atomic import replace_folder
from prompt_kit.errors import CheckpointError
from prompt_kit.training.modeling import CONFIG_FILE, write_json
from prompt_kit.training.weights import read_safetensors

if TYPE_CHECKING:
    from prompt_kit.training.trainer import PromptTrainer

logger = logging.getLogger(__name__)

OPTIMIZER_FILE = "optimizer.safetensors"
SCHEDULER_FILE = "scheduler.json"
STATE_FILE = "trainer_state.json"
_SEPARATOR = "|"  # between a parameter's name in the model and the name of its accumulator


def write_checkpoint(folder: Path, trainer: PromptTrainer) -> None:
    """Model, optimizer, scheduler and trainer state into `folder`, which appears by a rename when it is whole."""
    with replace_folder(folder) as staging:
        trainer.model.save_pretrained(staging)
        save_file(_optimizer_arrays(trainer), str(staging / OPTIMIZER_FILE))
        scaler = trainer.scaler.state_dict() if trainer.do_grad_scaling else None
        write_json(
            staging / SCHEDULER_FILE, {"scheduler": _plain(trainer.lr_scheduler.state_dict()), "scaler": _plain(scaler)}
        )
        trainer.state.save_to_json(str(staging / STATE_FILE))


def load_training_state(folder: Path, trainer: PromptTrainer) -> None:
    """Optimizer, scheduler and loss scaler as `write_checkpoint` left them."""
    trainer.optimizer.set_state_dict(_optimizer_state(read_safetensors(folder / OPTIMIZER_FILE), trainer))
    try:
        with open(folder / SCHEDULER_FILE, encoding="utf-8-sig") as file:
            state = json.load(file)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{(folder / SCHEDULER_FILE).absolute()} cannot be read: {error}") from error
    trainer.lr_scheduler.set_state_dict(state["scheduler"])
    if trainer.do_grad_scaling and state["scaler"]:
        trainer.scaler.load_state_dict(
            {k: np.asarray(v) if isinstance(v, list) else v for k, v in state["scaler"].items()}
        )


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint-N folders in `folder`, by N."""
    found = [(int(match.group(1)), path) for path in Path(folder).glob("checkpoint-*")
             if (match := re.fullmatch(r"checkpoint-(\d+)", path.name))]  # fmt: skip
    return [path for _, path in sorted(found)]


def last_checkpoint(path: Path) -> Path:
    """`path` if it is a checkpoint-N, else the last one in it; CheckpointError if there is none."""
    path = Path(path)
    if (path / OPTIMIZER_FILE).is_file():
        return path
    found = checkpoints(path)
    if not found:
        raise CheckpointError(
            f"--resume_from_checkpoint {path}: no checkpoint-N with {OPTIMIZER_FILE} in {path.absolute()}; to train on, "
            "give the folder of a run, or a checkpoint-N in it"
        )
    return found[-1]


def rotate_checkpoints(folder: Path, limit: Optional[int], best: Optional[str]) -> None:
    """Delete the oldest checkpoints beyond `limit`, never the best and never the last."""
    if not limit or limit <= 0:
        return
    found = checkpoints(folder)
    kept = {path.name for path in found[-limit:]} | ({Path(best).name} if best else set())
    if limit == 1 and best:
        kept |= {found[-1].name}
    for path in found:
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def is_run(folder: Path) -> Optional[str]:
    """'finished' if the folder holds a trained model, 'unfinished' if only checkpoints, else None."""
    folder = Path(folder)
    if (folder / CONFIG_FILE).is_file():
        return "finished"
    return "unfinished" if checkpoints(folder) else None


def _optimizer_arrays(trainer: PromptTrainer) -> dict[str, np.ndarray]:
    """Accumulators under the parameter's name in the model: Paddle's own names count the layers made in a process."""
    names = {p.name: n for n, p in trainer.model.named_parameters()}
    arrays = {}
    for key, value in trainer.optimizer.state_dict().items():
        if key == "master_weights":
            for name, weight in value.items():
                arrays[_SEPARATOR.join((names[name], "master_weight"))] = np.ascontiguousarray(weight.numpy())
        elif isinstance(value, paddle.Tensor):
            name, accumulator = _split(key, names)
            arrays[_SEPARATOR.join((names[name], accumulator))] = np.ascontiguousarray(value.numpy())
    return arrays


def _optimizer_state(arrays: dict[str, np.ndarray], trainer: PromptTrainer) -> dict:
    parameters = {n: p.name for n, p in trainer.model.named_parameters()}
    state: dict = {}
    for key, array in arrays.items():
        name, accumulator = key.rsplit(_SEPARATOR, 1)
        if name not in parameters:
            raise CheckpointError(f"{OPTIMIZER_FILE} has state of '{name}', which the model does not have")
        if accumulator == "master_weight":
            state.setdefault("master_weights", {})[parameters[name]] = paddle.to_tensor(array)
        else:
            tensor = paddle.to_tensor(array)
            tensor.name = f"{parameters[name]}_{accumulator}"
            state[tensor.name] = tensor
    return state


def _split(key: str, names: dict[str, str]) -> tuple[str, str]:
    """'linear_1.w_0_moment1_0' -> ('linear_1.w_0', 'moment1_0')."""
    name = max((name for name in names if key.startswith(f"{name}_")), key=len)
    return name, key[len(name) + 1 :]


def _plain(state):
    """Numbers and lists of a Paddle state dictionary, for JSON."""
    if state is None:
        return None
    return {k: v.tolist() if isinstance(v, (np.ndarray, np.generic, paddle.Tensor)) else v for k, v in state.items()}
