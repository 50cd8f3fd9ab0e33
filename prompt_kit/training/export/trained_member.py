"""A training folder as one of several models that decide together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.inference.ensemble_member import Member
from prompt_kit.training.export.exporter import export_checkpoint
from prompt_kit.training.loop.prediction import predict_probabilities
from prompt_kit.training.models.prompt_model import PromptModel


class TrainedMember(Member):
    """A folder that train.py finished, run by Paddle."""

    def probabilities(self, examples: Sequence[Example], batch_size: int) -> np.ndarray:
        return predict_probabilities(PromptModel.from_pretrained(self.folder), examples, batch_size)

    def export(self, folder: Path) -> None:
        export_checkpoint(self.folder, folder)
