"""checkpoint-N folders: everything that a resumed run needs, as safetensors and JSON, written whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

import numpy as np
import paddle
from paddlenlp.trainer.trainer_callback import TrainerState

from prompt_kit.atomic import remove_folder, replace_folder
from prompt_kit.errors import CheckpointError
from prompt_kit.json_file import OBJECT, TEXT, Shape, Shapes, list_of, number, read_object, whole, write_json
from prompt_kit.prompt_config import CONFIG_FILE
from prompt_kit.training.loop.averaging import LIVE_FILE
from prompt_kit.training.loop.run_record import RUN_FILE, read_record
from prompt_kit.training.models.base import WEIGHTS_FILE
from prompt_kit.training.models.weights import read_safetensors, write_arrays

if TYPE_CHECKING:
    from paddlenlp.trainer import Trainer

    from prompt_kit.training.loop.averaging import WeightAverage

OPTIMIZER_FILE = "optimizer.safetensors"
SCHEDULER_FILE = "scheduler.json"
STATE_FILE = "trainer_state.json"
START = "start"  # of a self-training run: the model before its first step, which every generation starts from
_SEPARATOR = "|"  # between a parameter's name in the model and the name of its accumulator
_MASTER = "master_weight"
_COPY = "copy the checkpoint again, or resume from another one"
_STEPS = 10**12  # more than anybody trains


def _is_log_entry(entry: Any) -> bool:
    """A line of the log; that of an evaluation tells its step and its loss, which the best one is chosen by."""
    if not isinstance(entry, dict) or not all(isinstance(entry[name], (int, float, str)) for name in entry):
        return False
    scores = [name for name in entry if name.startswith("eval_")]
    return not scores or all(_is_score(entry.get(name)) for name in (*scores, "eval_loss", "step"))


def _is_score(value: Any) -> bool:
    """A number, which may be infinite: so is the loss of a model that is sure of what is wrong."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_STATE: Shapes = {
    "global_step": whole(0, _STEPS),
    "log_history": list_of("entries of the log", _is_log_entry),
    "epoch": number(0, _STEPS).or_null().optional(),
    "best_metric": Shape("a number", _is_score).or_null().optional(),
    "total_flos": number().optional(),
    "best_model_checkpoint": TEXT.or_null().optional(),
}
_SCHEDULER: Shapes = {
    "scheduler": {"last_epoch": whole(0, _STEPS), "last_lr": number(0)},
    "scaler": OBJECT.or_null(),
}


def write_checkpoint(folder: Path, trainer: Trainer, average: Optional[WeightAverage] = None) -> None:
    """Model, optimizer, scheduler and trainer state into `folder`, which appears by a rename when it is whole.

    With `average` the model that is saved has the averaged weights, and its own lie beside it.
    """
    with replace_folder(folder) as staging:
        if average is not None:
            average.save_live(staging)
        with contextlib.nullcontext() if average is None else average.applied():
            trainer.model.save_pretrained(staging)
        write_arrays(_optimizer_arrays(trainer), staging / OPTIMIZER_FILE)
        scaler = trainer.scaler.state_dict() if trainer.do_grad_scaling else None
        write_json(
            staging / SCHEDULER_FILE, {"scheduler": _plain(trainer.lr_scheduler.state_dict()), "scaler": _plain(scaler)}
        )
        trainer.state.save_to_json(str(staging / STATE_FILE))
        if trainer.record is not None:
            write_json(staging / RUN_FILE, trainer.record)


def check_checkpoint(folder: Path) -> None:
    """Raise CheckpointError, naming the file, where a checkpoint-N lacks something that a resumed run needs.

    The Trainer would take a missing or empty trainer_state.json for step 0 and train on from there with trained weights.
    """
    folder = Path(folder)
    record = read_record(folder)
    averaged = record is not None and record["settings"].get("ema_decay")
    needed = (WEIGHTS_FILE, OPTIMIZER_FILE, SCHEDULER_FILE, STATE_FILE)
    for name in (*needed, LIVE_FILE) if averaged else needed:
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{(folder / name).absolute()} is missing, so the run cannot be resumed as it was; copy the checkpoint again, "
                "all its files, or resume from another checkpoint-N"
            )
    state = read_object(folder / STATE_FILE, CheckpointError, _COPY, _STATE)
    if unknown := sorted(state.keys() - {field.name for field in dataclasses.fields(TrainerState)}):
        raise CheckpointError(
            f"{(folder / STATE_FILE).absolute()} is damaged: unknown entry {unknown[0][:60]!r}; {_COPY}"
        )
    step = state["global_step"]
    named = re.fullmatch(r"checkpoint-(\d+)", folder.name)
    if named and int(named[1]) != step:
        raise CheckpointError(
            f"{(folder / STATE_FILE).absolute()} is damaged: global_step is {step}, expected {named[1]}; {_COPY}"
        )
    read_object(folder / SCHEDULER_FILE, CheckpointError, _COPY, _SCHEDULER)


def load_training_state(folder: Path, trainer: Trainer) -> None:
    """Optimizer, scheduler and loss scaler as `write_checkpoint` left them."""
    moments = read_safetensors(folder / OPTIMIZER_FILE)
    if moments:  # there are none before the first step
        _load_optimizer_arrays(moments, trainer)
    state = read_object(folder / SCHEDULER_FILE, CheckpointError, _COPY, _SCHEDULER)
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


def find_best(best: str, resumed_from: str) -> str:
    """The best checkpoint of a run that is gone on with: beside the resumed one, since a run may have been moved.

    Raises CheckpointError if it is neither there nor where it was written.
    """
    beside = Path(resumed_from).absolute().parent / Path(best).name
    for path in (beside, Path(best)):
        if (path / CONFIG_FILE).is_file():
            return str(path)
    raise CheckpointError(
        f"{resumed_from} says that the best model so far is in {Path(best).name}, which is neither {beside} nor {best}; "
        "copy that folder there too, or resume from another checkpoint"
    )


def rotate_checkpoints(last: Path, limit: Optional[int], best: Optional[str]) -> None:
    """Delete the oldest checkpoints beside `last`, which was just written, until `limit` are left; never the best one.

    Later steps than `last`'s were left by an earlier run from which this one was resumed: they go first.
    """
    if not limit or limit <= 0:
        return
    found = checkpoints(last.parent)
    ahead = found[found.index(last) + 1 :]
    by_age = [*ahead, *(path for path in found if path not in ahead)]
    for path in by_age[:-limit]:
        if not best or path.name != Path(best).name:
            remove_folder(path)


def is_run(folder: Path) -> Optional[str]:
    """'finished' if the folder holds a trained model, 'unfinished' if only checkpoints, else None."""
    folder = Path(folder)
    if (folder / CONFIG_FILE).is_file():
        return "finished"
    return "unfinished" if checkpoints(folder) or is_self_training(folder) else None


def is_self_training(folder: Path) -> bool:
    """Whether the folder holds a self-training run, finished or not."""
    return (Path(folder) / START / CONFIG_FILE).is_file()


def generation_folder(folder: Path, number: int) -> Path:
    """Where generation `number` of a self-training run has its own run."""
    return Path(folder) / f"generation-{number}"


def teacher_folder(folder: Path, number: int) -> Path:
    """Where teacher `number` of a self-training run has its own run."""
    return Path(folder) / f"teacher-{number}"


def run_folders(folder: Path) -> list[Path]:
    """All folders that a run leaves in its output_dir, but logs and the export."""
    generations = [path for path in Path(folder).glob("*-*") if re.fullmatch(r"(generation|teacher)-\d+", path.name)]
    return [*checkpoints(folder), *generations, *([Path(folder) / START] if is_self_training(folder) else [])]


def _optimizer_arrays(trainer: Trainer) -> dict[str, np.ndarray]:
    """Accumulators and master weights, under the parameter's name in the model and theirs."""
    names, optimizer = _parameter_names(trainer), trainer.optimizer
    states = {**optimizer._accumulators, _MASTER: optimizer._master_weights}
    whole = _of_rows(trainer, "expand")
    return {
        f"{names[name]}{_SEPARATOR}{kind}": np.ascontiguousarray(whole(name, tensor.numpy()))
        for kind, tensors in states.items()
        for name, tensor in tensors.items()
    }


def _load_optimizer_arrays(arrays: dict[str, np.ndarray], trainer: Trainer) -> None:
    # Not by Optimizer.set_state_dict: it goes by names that count the layers and optimizers made in a process.
    optimizer = trainer.optimizer
    for group in optimizer._param_groups:
        optimizer._create_accumulators(paddle.static.default_main_program().global_block(), group)
    names = _parameter_names(trainer)
    states = {**optimizer._accumulators, _MASTER: optimizer._master_weights}
    rows = _of_rows(trainer, "select")
    tensors = {
        f"{names[name]}{_SEPARATOR}{kind}": (name, tensor)
        for kind, held in states.items()
        for name, tensor in held.items()
    }
    if missing := sorted(tensors.keys() ^ arrays.keys()):
        raise CheckpointError(
            f"{OPTIMIZER_FILE} does not fit what is trained, they differ in {', '.join(missing[:3])}"
            f"{' …' if len(missing) > 3 else ''}; resume with the --freeze_plm and --freeze_dropout of the first run"
        )
    for key, (name, tensor) in tensors.items():
        array = rows(name, arrays[key])
        if list(array.shape) != list(tensor.shape):
            raise CheckpointError(
                f"{OPTIMIZER_FILE} does not fit the model: {key} is {list(array.shape)}, expected {list(tensor.shape)}; {_COPY}"
            )
        tensor.set_value(array.astype(str(tensor.dtype).replace("paddle.", "")))


def _of_rows(trainer: Trainer, way: str) -> Callable[[str, np.ndarray], np.ndarray]:
    """A file always holds the moments of all word embeddings, whether or not only some rows of them are trained."""
    rows = getattr(trainer.optimizer, "rows", None)
    if rows is None:
        return lambda name, array: array
    return lambda name, array: getattr(rows, way)(array) if name == rows.parameter.name else array


def _parameter_names(trainer: Trainer) -> dict[str, str]:
    """Paddle's name of a parameter, or of its float32 master weight -> its name in the model."""
    names = {parameter.name: name for name, parameter in trainer.model.named_parameters()}
    if (rows := getattr(trainer.optimizer, "rows", None)) is not None:
        names[rows.parameter.name] = names[rows.table.name]
    masters = {weight.name: names[name] for name, weight in trainer.optimizer._master_weights.items()}
    return {**names, **masters}


def _plain(state):
    """Numbers and lists of a Paddle state dictionary, for JSON."""
    if state is None:
        return None
    return {k: v.tolist() if isinstance(v, (np.ndarray, np.generic, paddle.Tensor)) else v for k, v in state.items()}
