"""ResumableTrainer: PaddleNLP's Trainer with checkpoints that can be trusted and resumed runs that are the same runs."""

from __future__ import annotations

import contextlib
import copy
import time
from pathlib import Path
from typing import Any, Optional

import numpy as np
import paddle
from paddle import nn
from paddlenlp.trainer import Trainer, TrainerControl, TrainingArguments
from paddlenlp.trainer.trainer_callback import PrinterCallback, ProgressCallback

from prompt_kit.atomic import recover
from prompt_kit.locks import own_folder
from prompt_kit.training.loop.averaging import WeightAverage
from prompt_kit.training.loop.checkpoint import (
    check_checkpoint,
    load_training_state,
    rotate_checkpoints,
    write_checkpoint,
)
from prompt_kit.training.loop.run_record import check_record

# A spare checkpoint is always written where that takes less than this many seconds; else such a share of the time goes by
# first that a large model on a GPU trains at nearly its speed.
_CHEAP = 1.0
_SHARE = 10


class ResumableTrainer(Trainer):
    """A Trainer of a model that has `save_pretrained(folder)` and `load_weights(folder)`.

    What differs from the Trainer: dropout is a function of (seed, step), and the data order is to be one of (seed,
    epoch), so that a resumed run equals an uninterrupted one; a checkpoint appears whole or not at all, and holds
    safetensors and JSON.
    """

    control: TrainerControl
    optimizer: Any  # a paddle.optimizer.Optimizer, from the first step on
    _written, _writing = 0.0, 0.0  # when the last checkpoint was written, and how long that took, in seconds
    _first_step, _last_step, _micro_step = 0, -1, 0
    _average: Optional[WeightAverage] = None  # whose state belongs into the checkpoints
    record: Optional[dict[str, Any]] = None  # of the run's data and settings, which a resumed run must share

    def __init__(self, model: nn.Layer, args: TrainingArguments, **kwargs):
        super().__init__(model, args=copy.deepcopy(args), **kwargs)  # the Trainer writes into what it is given
        for theirs in (ProgressCallback, PrinterCallback):  # ours shows one line an evaluation
            self.pop_callback(theirs)

    def train(self, resume_from_checkpoint: Optional[str] = None, ignore_keys_for_eval=None):
        """Train, from the checkpoint-N if one is given; ConfigError if another process trains in `output_dir`."""
        self._first_step, self._last_step, self._micro_step = 0, -1, 0
        if resume_from_checkpoint is not None:
            check_checkpoint(Path(resume_from_checkpoint))
            if self.record is not None:
                check_record(Path(resume_from_checkpoint), self.record)
        with own_folder(self.args.output_dir) if self.args.should_save else contextlib.nullcontext():
            if self.args.should_save:
                recover(Path(self.args.output_dir))
            output = super().train(resume_from_checkpoint, ignore_keys_for_eval)
        # The Trainer divides the losses of the steps since a resume by the number of all steps.
        share = (self.state.global_step - self._first_step) / self.state.global_step
        output.metrics["train_loss"] /= share or 1.0
        return output._replace(training_loss=output.metrics["train_loss"])

    def training_step(self, model, inputs) -> paddle.Tensor:
        step = self.state.global_step
        if self._last_step < 0:
            self._first_step = step
        self._micro_step = self._micro_step + 1 if step == self._last_step else 0
        self._last_step = step
        key = [self.args.seed, step, self._micro_step, max(0, self.args.process_index)]
        paddle.seed(int(np.random.SeedSequence(key).generate_state(1)[0]))  # dropout: the same at this step in any run
        return super().training_step(model, inputs)

    def _wrap_model(self, model, training=True):
        if training and self.args.world_size > 1 and model is self.model:  # once, before it becomes a DataParallel
            # Paddle averages no gradient that is a view, such as the transposed one of a head, over the processes
            for parameter in model.parameters():
                if not parameter.stop_gradient:
                    parameter.register_hook(lambda gradient: gradient.contiguous())
        return super()._wrap_model(model, training)

    def _save(self, output_dir: Optional[str] = None, state_dict=None, merge_tensor_parallel=False) -> None:
        self.model.save_pretrained(output_dir or self.args.output_dir)

    def _save_checkpoint(self, model, metrics=None) -> None:
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        if self.args.should_save and not self._may_wait():
            begun = time.monotonic()
            write_checkpoint(folder, self, self._average)
            rotate_checkpoints(folder, self.args.save_total_limit, self.state.best_model_checkpoint)
            self._written, self._writing = time.monotonic(), time.monotonic() - begun
        if self.args.world_size > 1:
            paddle.distributed.barrier()  # no process may look for the checkpoint before it is there

    def _may_wait(self) -> bool:
        """Whether the checkpoint is one too many: it only limits what a kill costs, and would take too much of the time."""
        dear = self._writing > _CHEAP and time.monotonic() - self._written < _SHARE * self._writing
        return self._is_spare() and dear

    def _is_spare(self) -> bool:
        """Whether the checkpoint that is to be written only limits what a kill costs."""
        return False

    def _load_from_checkpoint(self, resume_from_checkpoint: Optional[str] = None) -> None:
        if resume_from_checkpoint is not None:
            self.model.load_weights(resume_from_checkpoint)

    def _load_optimizer_and_scheduler(self, checkpoint: Optional[str]) -> None:
        if checkpoint is not None and not self.args.ignore_load_lr_and_optim:
            load_training_state(Path(checkpoint), self)

    def _load_rng_state(self, checkpoint) -> None:
        """Nothing to load: randomness is a function of the seed and the step."""
