"""A pretraining that is killed."""

from __future__ import annotations

import contextlib

import pytest

from prompt_kit.training.pretraining.session import PretrainingTrainer


@contextlib.contextmanager
def killed_at(step: int):
    """Context in which a run ends before it has taken one step more than these."""
    real = PretrainingTrainer.training_step

    def stop(self, model, inputs):
        if self.state.global_step == step:
            raise KeyboardInterrupt
        return real(self, model, inputs)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(PretrainingTrainer, "training_step", stop)
        yield
