"""What an engine makes of a graph: something that runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np


class Session(Protocol):
    """A loaded graph. Threads may share it; it is not pickled.

    inputs   names of the graph's inputs
    outputs  name -> shape of the graph's outputs; a dimension that is free is anything but an int
    """

    @property
    def inputs(self) -> Sequence[str]: ...

    @property
    def outputs(self) -> Mapping[str, Sequence[Any]]: ...

    def run(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """Label logits [B, C] float32 of one batch; raises whatever the engine raises."""

    def fetch(self, names: Sequence[str], arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of these names of one batch; raises whatever the engine raises."""


def first_line(error: BaseException) -> str:
    """An engine's message as one line of at most 300 characters."""
    return " ".join((str(error) or type(error).__name__).split())[:300]
