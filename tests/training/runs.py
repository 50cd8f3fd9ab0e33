"""Short training runs of the tiny model, and what they leave behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tiny import EXAMPLES, tiny_model

from prompt_kit.training.loop.arguments import PromptTrainingArguments
from prompt_kit.training.loop.trainer import PromptTrainer


def arguments(folder, **options) -> PromptTrainingArguments:
    """Quiet arguments for a CPU; rates that move the tiny model."""
    settings = dict(
        output_dir=str(folder), device="cpu", report_to="none", do_train=True, do_eval=True, learning_rate=1e-3,
        per_device_train_batch_size=4, disable_tqdm=True, early_stopping_patience=0, save_total_limit=None,
        ema_decay=0.0, use_rdrop=False,  # most tests are of the weights themselves, and of plain cross-entropy
    )  # fmt: skip
    return PromptTrainingArguments(**{**settings, **options})


def trainer(folder, model=None, train=EXAMPLES, dev=EXAMPLES, callbacks=None, **options) -> PromptTrainer:
    """A trainer of the model, a fresh tiny one if none is given."""
    return PromptTrainer(model or tiny_model(), arguments(folder, **options), train, dev, callbacks)


def weights(model) -> dict[str, np.ndarray]:
    """Name -> array, a copy."""
    return {name: parameter.numpy().copy() for name, parameter in model.named_parameters()}


def saved_weights(folder) -> dict[str, np.ndarray]:
    """What a training folder holds."""
    return load_file(str(Path(folder) / "model.safetensors"))


def same(left: dict, right: dict) -> bool:
    """Equal bit for bit."""
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


def contents(folder) -> dict[str, bytes]:
    """Path below a folder -> what the file holds."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def names(folder) -> list:
    """The names of everything in a folder, hidden ones too."""
    return sorted(path.name for path in Path(folder).iterdir())
