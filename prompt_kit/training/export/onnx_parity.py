"""The ONNX files of an export, run and compared: with the model, and model_int8.onnx with model.onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from prompt_kit.errors import BundleError
from prompt_kit.prompt_config.kinds import OUTPUT_NAME, STATES_NAME
from prompt_kit.training.export.export_folder import ONNX_FILES
from prompt_kit.training.export.onnx_graph import open_onnx
from prompt_kit.training.export.parity import (
    FP16_TOLERANCE,
    TOLERANCE,
    Batches,
    Decisions,
    compare_labels,
    largest_difference,
    largest_difference_of_states,
)

_PAIR = ("fp32", "int8")


def check_onnx(path: Path, expected: Mapping[str, Sequence[np.ndarray]], batches: Batches, precision: str) -> float:
    """The largest difference of a logit; BundleError where an output is not the model's."""
    run = open_onnx(path)
    actual = [run(batch) for batch in batches]
    tolerance = TOLERANCE if precision == "fp32" else FP16_TOLERANCE
    try:
        if STATES_NAME in expected:
            run = open_onnx(path, STATES_NAME)
            states = [run(batch) for batch in batches]
            largest_difference_of_states(expected[STATES_NAME], states, tolerance, path.name)
        return largest_difference(expected[OUTPUT_NAME], actual, tolerance, path.name, near_ties=precision != "fp32")
    except BundleError as error:
        if precision == "fp32":
            raise
        raise BundleError(f"{error}; this model does not survive half precision: export with --no_fp16") from error


def compare_int8(folder: Path, texts: Batches, decisions: Decisions) -> tuple[float, dict[str, float]]:
    """(largest difference of a logit, what the bundle says of the agreement) of model_int8.onnx and model.onnx."""
    wanted, got = ([run(batch) for batch in texts] for run in map(open_onnx, (folder / ONNX_FILES[p] for p in _PAIR)))
    difference, share = compare_labels(wanted, got, decisions)
    return difference, {"share": share, "texts": sum(map(len, wanted))}
