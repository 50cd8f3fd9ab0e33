"""Start and train models on examples in memory, as train.py's main() does on files: the training half of PromptClassifier."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import logging
import random
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, get_type_hints

import numpy as np
import paddle
from paddlenlp.trainer import set_seed

from prompt_kit.data.dataset import AText, Dataset, Example
from prompt_kit.errors import ConfigError, shown
from prompt_kit.metrics import wilson_interval
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.loop.arguments import ModelArguments, PromptTrainingArguments
from prompt_kit.training.loop.callbacks import ProgressCallback
from prompt_kit.training.loop.command_line import set_what_follows
from prompt_kit.training.loop.data_report import report as report_texts
from prompt_kit.training.loop.device import choose_device, use_device
from prompt_kit.training.loop.new_model import start_model
from prompt_kit.training.loop.task_rules import check_task
from prompt_kit.training.loop.trainer import PromptTrainer
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.models.calibration import CONTENT_FREE, calibrate
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.versions import installed_versions

logger = logging.getLogger(__name__)

_LENGTH = ("num_train_epochs", "max_steps")  # settings that say how long to train
# what the classifier decides itself, or what is for a run with a folder of its own
_NOT_SETTINGS = {
    "output_dir", "overwrite_output_dir", "do_train", "do_eval", "do_predict", "do_export", "resume_from_checkpoint",
    "unlabeled_file", "teacher", "num_teachers", "num_generations", "pseudo_label_selection", "pseudo_labels_per_class",
    "pseudo_label_threshold", "preset", "verbose", "export_type", "save_plm", "disable_tqdm", "cross_validation",
}  # fmt: skip
_MODEL = tuple(item.name for item in dataclasses.fields(ModelArguments) if item.name not in _NOT_SETTINGS)
_TRAINING = tuple(item.name for item in dataclasses.fields(PromptTrainingArguments) if item.name not in _NOT_SETTINGS)
_CHOICES = {
    item.name: item.metadata["choices"] for kind in (ModelArguments, PromptTrainingArguments)
    for item in dataclasses.fields(kind) if "choices" in item.metadata and item.name not in _NOT_SETTINGS
}  # fmt: skip
_TEXTS = {
    name for kind in (ModelArguments, PromptTrainingArguments) for name, hint in get_type_hints(kind).items()
    if hint in (str, Optional[str])
}  # fmt: skip
_LOCK = threading.RLock()  # the device and the random states are the process's, and a model's pass is not reentrant


@contextlib.contextmanager
def borrowed(device: Optional[str]) -> Iterator[None]:
    """Work on `device` (None: a GPU if there is one) and leave the caller's device and random states as they were.

    One thread at a time.
    """
    with _LOCK:
        before, cpu = paddle.get_device(), paddle.get_rng_state("cpu")
        gpu = paddle.get_cuda_rng_state() if paddle.is_compiled_with_cuda() else []
        python, numpy = random.getstate(), np.random.get_state()
        try:
            use_device(choose_device(device))
            yield
        finally:
            paddle.set_device(before)
            paddle.set_rng_state(cpu, "cpu")
            if gpu:
                paddle.set_cuda_rng_state(gpu)
            random.setstate(python)
            np.random.set_state(numpy)


@contextlib.contextmanager
def log_shown(verbose: bool) -> Iterator[None]:
    """Show what the package's log says on stderr, or only its warnings; the log's own settings come back afterwards."""
    log = logging.getLogger("prompt_kit")
    level, handler = log.level, None
    log.setLevel(logging.INFO if verbose else max(log.getEffectiveLevel(), logging.WARNING))
    if verbose and not log.hasHandlers():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
    try:
        yield
    finally:
        log.setLevel(level)
        if handler is not None:
            log.removeHandler(handler)


def check_settings(settings: Mapping[str, Any]) -> None:
    """ConfigError for a name that is no setting of a model or of training, or a value that is none of its choices."""
    for name, value in settings.items():
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ConfigError(f"{name} {value!r}: expected one of {', '.join(_CHOICES[name])}")
        if name not in _MODEL and name not in _TRAINING:
            near = difflib.get_close_matches(str(name), [*_MODEL, *_TRAINING], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            why = "is no flag of train.py" if name not in _NOT_SETTINGS else "is for train.py, not for a classifier"
            raise ConfigError(f"options: {name!r} {why}{hint}")
        if name in _TEXTS and not isinstance(value, (str, type(None))):
            raise ConfigError(f"{name} must be a string, got {shown(value)}, a {type(value).__name__}")
    seed = settings.get("seed", 0)
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ConfigError(f"seed must be a whole number from 0 to 4294967295, got {seed!r}")


def starts_well(settings: Mapping[str, Any]) -> bool:
    """Whether the model of these settings classifies well before the first step: it has a cosine head."""
    model_args = _model_arguments(settings)
    return model_args.method == PromptModel.method and model_args.verbalizer == "cosine"


def start(settings: Mapping[str, Any], verbalizer: Verbalizer, pairs: bool = False) -> TextClassifier:
    """A model that was not trained: the label words and the pretrained head decide."""
    model_args = _model_arguments(settings)
    set_seed(settings["seed"])
    model = start_model(model_args, verbalizer, Dataset(Path()), False, reads_texts=False, pairs=pairs)
    if model_args.calibrate:
        calibrate(model, CONTENT_FREE)
    model.eval()
    return model


def train(
    settings: Mapping[str, Any],
    verbalizer: Verbalizer,
    train: Optional[list[Example]],
    dev: Optional[list[Example]],
    unlabelled: Optional[Sequence[AText]],
    verbose: bool = False,
    pairs: bool = False,
) -> tuple[TextClassifier, dict[str, Any]]:
    """A trained model, in evaluation mode, and what all_results.json would say of it.

    Without dev examples a cosine head is started from the examples, which is all, and judged by leave-one-out; if the
    settings say how long to train, or the head is another one, it is trained so long and not judged. Nothing is left on
    disk. `settings` are flags of train.py that are given, `seed` among them.
    """
    check_task(settings)
    model_args = _model_arguments(settings)
    well = starts_well(settings)
    if unlabelled is not None and not (well or model_args.calibrate):
        raise ConfigError(
            "unlabeled_data starts a cosine head, or calibrates; this model has neither: leave it out, or use "
            "verbalizer='cosine' or calibrate=True"
        )
    long = any(settings.get(name) is not None for name in _LENGTH)
    with tempfile.TemporaryDirectory(prefix="prompt-kit-") as folder:
        args = _training_arguments(settings, folder, dev is not None, verbose)
        set_seed(args.seed)
        dataset = Dataset(Path(folder), train, dev, None, list(unlabelled) if unlabelled else None)
        model = start_model(model_args, verbalizer, dataset, True, reads_texts=well, pairs=pairs)
        report_texts(model.prompt_tokenizer, dataset, {"train": "the texts of fit", "dev": "eval_data"})
        if model_args.calibrate:
            calibrate(model, dataset.unlabelled or CONTENT_FREE)
        metrics: dict[str, Any] = {}
        if train is not None:
            metrics = _train(PromptTrainer(model, args, train, dev), well and not long, verbose)
    model.eval()
    return model, {
        **metrics,
        "mode": model.config.mode,
        "seed": args.seed,
        "base_model": model.config.base_model,
        "template": str(model.template),
        "versions": installed_versions(),
        **({"calibrated": True} if model_args.calibrate else {}),
    }


def _train(trainer: PromptTrainer, starts_are_enough: bool, verbose: bool) -> dict[str, Any]:
    if not verbose:
        trainer.pop_callback(ProgressCallback)  # which writes a line an evaluation, with a bar or without
    if trainer.eval_dataset is not None:
        metrics = trainer.train().metrics
        return {**metrics, **trainer.evaluate()}
    if not starts_are_enough:
        return trainer.train().metrics
    trainer.start()
    right, scores = trainer.leave_one_out()
    low, high = wilson_interval(int(right.sum()), len(right))
    logger.info(
        "no eval_data to say when training helps no more: the head is started from the %d examples, and that is all; "
        "leave-one-out accuracy %.4f, 95 %% interval %.4f to %.4f",
        len(right), right.mean(), low, high,
    )  # fmt: skip
    measured = {f"eval_{name}": value for name, value in scores.items()}
    return {**measured, "eval_interval": [low, high], "eval_by": "leave-one-out"}


def _model_arguments(settings: Mapping[str, Any]) -> ModelArguments:
    given = {name: value for name, value in settings.items() if name in _MODEL}
    return ModelArguments(**given)


def _training_arguments(
    settings: Mapping[str, Any], folder: str, evaluates: bool, verbose: bool
) -> PromptTrainingArguments:
    given = dict(settings)
    set_what_follows(given)
    given = {name: value for name, value in given.items() if name in _TRAINING}
    given.setdefault("report_to", "none")
    given.setdefault("device", paddle.get_device())  # the one that is borrowed
    try:
        return PromptTrainingArguments(
            output_dir=folder, do_train=True, do_eval=evaluates, disable_tqdm=None if verbose else True, **given
        )
    except TypeError as error:
        raise ConfigError(f"a setting of training has the wrong type: {' '.join(str(error).split())}") from error
