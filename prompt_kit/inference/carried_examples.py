"""The training examples that an exported folder may carry: their texts, and the states by which a text is compared with them.

    examples.npz   states [N, D] float16   examples: the bytes of a JSON list of N [text, label]

Written on request alone (`export.py --with_examples`), because whoever gets the folder gets the texts. Nothing in it is pickled.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np

from prompt_kit.atomic import replace_file
from prompt_kit.data.dataset import Example
from prompt_kit.data.line_format import label_text
from prompt_kit.data.lines import PathLike
from prompt_kit.errors import BundleError, DataError
from prompt_kit.inference.prediction_table import text_of
from prompt_kit.inference.prototypes import unit

EXAMPLES_FILE = "examples.npz"
_ROWS = 64  # texts that are compared with all examples at a time, so that memory is bounded
_AGAIN = "export it again with --with_examples --data_dir FOLDER"


class Neighbour(NamedTuple):
    """A training example near a text: its text, its label, and the cosine of the two mask states about their mean."""

    text: str
    label: str
    similarity: float


@dataclass(frozen=True)
class TrainingExamples:
    """N texts, their labels, and their states [N, D] float32."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    states: np.ndarray

    @classmethod
    def of(cls, examples: Sequence[Example], states: np.ndarray) -> TrainingExamples:
        """Of N labelled examples and their states [N, D]."""
        labels = tuple(label_text(one.label) for one in examples)
        return cls(tuple(map(text_of, examples)), labels, np.asarray(states, dtype=np.float32))

    def nearest(self, states: np.ndarray, count: int = 3) -> list[tuple[Neighbour, ...]]:
        """The `count` nearest examples of each of B texts, the nearest first, by the cosine about the examples' mean.

        states: [B, D] of the texts.
        """
        center, known = self._directions
        found = []
        for start in range(0, len(states), _ROWS):
            cosines = unit(states[start : start + _ROWS] - center) @ known.T
            best = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
            found += [
                tuple(Neighbour(self.texts[place], self.labels[place], float(row[place])) for place in places)
                for row, places in zip(cosines, best)
            ]
        return found

    @cached_property
    def _directions(self) -> tuple[np.ndarray, np.ndarray]:
        """The examples' mean [D], and the directions [N, D] in which they lie from it."""
        center = self.states.mean(axis=0)
        return center, unit(self.states - center)


def write_examples(folder: PathLike, examples: Sequence[Example], states: np.ndarray) -> int:
    """Write examples.npz into an exported folder; the number of bytes.

    states: [N, D], `Predictor.states` of the N examples. Raises DataError where an example has no label, or there is none.
    """
    if not examples or any(one.label is None for one in examples):
        raise DataError(
            "training examples need labels, expected text<TAB>label on every line; label them, or leave them out"
        )
    known = TrainingExamples.of(examples, states)
    raw = json.dumps(list(zip(known.texts, known.labels)), ensure_ascii=False).encode("utf-8", "replace")
    path = Path(folder) / EXAMPLES_FILE
    with replace_file(path) as staging, open(staging, "wb") as file:
        np.savez(file, states=known.states.astype(np.float16), examples=np.frombuffer(raw, dtype=np.uint8))
    return os.path.getsize(path)


def read_examples_file(folder: PathLike, width: int) -> Optional[TrainingExamples]:
    """The examples of an exported folder, None where it has none.

    width: D of the folder's graph. Raises BundleError for a file that is damaged or of another export.
    """
    path = Path(folder) / EXAMPLES_FILE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as content:
            states, raw = content["states"], content["examples"]
        found = json.loads(raw.tobytes().decode("utf-8"))
        if states.ndim != 2 or states.dtype.kind != "f" or not np.isfinite(states).all():
            raise ValueError("states are no rows of numbers")
        if not isinstance(found, list) or not all(map(_is_pair, found)):
            raise ValueError("examples are no pairs of text and label")
        if not len(states) == len(found) > 0 or states.shape[1] != width:
            raise ValueError(f"states {list(states.shape)} of {len(found)} texts, expected [{len(found)}, {width}]")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, RecursionError, MemoryError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BundleError(f"{path.absolute()} is damaged ({reason}); {_AGAIN}, or delete the file") from None
    texts, labels = zip(*found)
    return TrainingExamples(tuple(texts), tuple(labels), states.astype(np.float32))


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)
