"""An exponential moving average of the trained weights: what is evaluated, saved and exported instead of the last ones.

With 16 examples a class the last weights are a matter of which batch came last. Their average over some two epochs is
not, so the dev score chooses between better models, and less at random.

Source: Polyak & Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim. 30 (1992); the
exponential form and its warm-up as in Tarvainen & Valpola, Mean teachers, NeurIPS 2017 (arXiv:1703.01780).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import paddle
from paddle import nn
from paddlenlp.trainer import TrainerCallback

from prompt_kit.training.cpu.trained_rows import TrainedRows
from prompt_kit.training.models.weights import load_safetensors, save_safetensors

LIVE_FILE = (
    "live.safetensors"  # in a checkpoint: the weights that training goes on from; model.safetensors is their average
)


class WeightAverage(TrainerCallback):
    """Averages the trainable parameters of `model` in float32, one update after each optimizer step.

    Args:
        model: whose parameters are trained.
        decay: weight of the old average, below 1; after step n it is min(decay, n / (n + 1)), a plain mean at
            first. About the last 1 / (1 - decay) steps count.
    """

    def __init__(self, model: nn.Layer, decay: float):
        self.decay = decay
        self.rows: Optional[TrainedRows] = None  # of the word embeddings, if training moves no others
        self._live = {name: p for name, p in model.named_parameters() if not p.stop_gradient}
        self._average: dict[str, paddle.Tensor] = {}

    def restart(self) -> None:
        """Forget the past: the average is the weights as they are now."""
        self._average = {name: p.detach().astype("float32").clone() for name, p in self._live.items()}

    def on_train_begin(self, args, state, control, **kwargs):
        if not state.global_step:  # else `resume` has been called
            self.restart()

    def on_step_end(self, args, state, control, **kwargs):
        rate = 1.0 - min(self.decay, state.global_step / (state.global_step + 1.0))
        with paddle.no_grad():
            for name, parameter in self._live.items():
                average = self._average[name]
                if self.rows is not None and parameter is self.rows.table:  # the other rows are their average
                    moved = paddle.gather(average, self.rows.rows)
                    moved.add_((self.rows.parameter - moved) * rate)
                    paddle.scatter_(average, self.rows.rows, moved)
                else:
                    average.add_((parameter.detach().astype("float32") - average) * rate)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """The model has the averaged weights inside this context, and its own again after it."""
        live = {name: p.detach().clone() for name, p in self._live.items()}
        self.apply()
        try:
            yield
        finally:
            for name, parameter in self._live.items():
                parameter.set_value(live[name])

    def apply(self) -> None:
        """Give the model the averaged weights for good."""
        for name, parameter in self._live.items():
            parameter.set_value(self._average[name].astype(parameter.dtype))

    def save_live(self, folder: Path) -> None:
        """Write the model's weights, which must be its own, not the average, as LIVE_FILE."""
        save_safetensors(self._live, folder / LIVE_FILE)

    def resume(self, folder: Path) -> None:
        """Go on from a checkpoint whose model.safetensors, the average, has just been loaded into the model."""
        self.restart()
        load_safetensors(self._live, folder / LIVE_FILE)
