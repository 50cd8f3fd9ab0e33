"""One task of a folder of several: what its file holds goes into the shared graph with every batch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Optional

import numpy as np

from prompt_kit.errors import BundleError
from prompt_kit.inference.onnx_model import OnnxModel
from prompt_kit.inference.tasks import read_task
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt_config.kinds import OUTPUT_NAME
from prompt_kit.prompt_config.tasks import TasksConfig


class TaskModel(OnnxModel):
    """Examples -> label probabilities of one task.

    Args:
        tasks: what the folder says of all tasks.
        task: the name of this one.
        beside: another task of the folder, whose session and vocabulary it shares; None: it opens them.
        folder: of all tasks; the other arguments are those of OnnxModel.
    """

    def __init__(
        self,
        tasks: TasksConfig,
        task: str,
        beside: Optional[OnnxModel],
        folder: Path,
        device: str,
        device_id: int,
        num_threads: int,
        precision: str,
        max_seq_length: int,
        engine: str,
    ):
        self._tasks = tasks
        self._given = read_task(folder, task, tasks)
        if beside is None:
            super().__init__(
                folder, tasks.tasks[task], device, device_id, num_threads, precision, max_seq_length, engine
            )
            return
        self.folder, self.config = folder, tasks.tasks[task]
        self.device_id, self.num_threads, self.notices = beside.device_id, beside.num_threads, []
        self.engine, self.device, self.precision, self.path = (
            beside.engine,
            beside.device,
            beside.precision,
            beside.path,
        )
        self._session = beside._session
        prompt = {**self.config.prompt, "max_seq_length": max_seq_length}
        self.prompt_tokenizer = PromptTokenizer.from_config(prompt, beside.prompt_tokenizer.tokenizer)

    def _feed(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return {"soft_ids": np.zeros_like(arrays["input_ids"]), **arrays, **self._given}

    def _check_graph(self) -> None:
        """The graph must have the inputs that prompt_config.json declares."""
        wanted = sorted(self._tasks.inputs)
        if sorted(self._session.inputs) != wanted or OUTPUT_NAME not in self._session.outputs:
            raise BundleError(
                f"{self.path} does not belong to its prompt_config.json: expected inputs {wanted} and output {OUTPUT_NAME}, got "
                f"{sorted(self._session.inputs)} and {sorted(self._session.outputs)}; export again"
            )
