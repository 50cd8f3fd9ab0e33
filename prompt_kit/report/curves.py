"""How a run went, from the trainer_state.json that it leaves: losses and dev scores by step."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import CheckpointError

STATE_FILE = "trainer_state.json"

Line = tuple[tuple[float, float], ...]  # (step, value)


@dataclass(frozen=True)
class Curves:
    """Each a line of (step, value): the loss of training steps, and loss and accuracy on dev."""

    train_loss: Line = ()
    dev_loss: Line = ()
    dev_accuracy: Line = ()

    def __bool__(self) -> bool:
        return any(len(line) > 1 for line in (self.train_loss, self.dev_loss, self.dev_accuracy))


def read_curves(folder: PathLike) -> Optional[Curves]:
    """The curves of a training folder; None where it has no trainer_state.json.

    Raises CheckpointError for a file that is damaged.
    """
    path = Path(folder) / STATE_FILE
    if not path.is_file():
        return None
    try:
        with open(path, encoding="utf-8-sig") as file:
            log = json.load(file)["log_history"]
        return curves_of(log)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{path.absolute()} is damaged ({type(error).__name__}); copy it again, or name another --run"
        ) from None


def curves_of(log: list[dict[str, Any]]) -> Curves:
    """The curves in a Trainer's log_history."""

    def line(key: str) -> Line:
        return tuple((float(entry["step"]), float(entry[key])) for entry in log if key in entry and "step" in entry)

    return Curves(line("loss"), line("eval_loss"), line("eval_accuracy"))
