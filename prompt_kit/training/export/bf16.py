"""Does a model keep its labels in bfloat16? Nothing is written for it: OpenVINO rounds the graph of fp32 as it runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import BundleError, DependencyError
from prompt_kit.inference.cores import physical_cores
from prompt_kit.inference.engines import openvino
from prompt_kit.prompt_config import BundleConfig
from prompt_kit.prompt_config.kinds import LEAST_AGREEMENT
from prompt_kit.training.export.onnx_graph import open_onnx


@dataclass(frozen=True)
class Bf16:
    """Ask for the comparison on the texts of `data_dir`: dev.txt, and test.txt and data.txt; too few labels kept is an error.

    force  record what is found whatever it is; the bundle refuses bf16 then

    Raises DependencyError when OpenVINO is absent, or this processor has no bfloat16 products to compare with.
    """

    data_dir: PathLike
    force: bool = False

    def __post_init__(self) -> None:
        if not openvino.computes_in_bf16():
            raise DependencyError(
                "--check bf16: this processor has no bfloat16 products (AVX-512 BF16 or AMX); export on one that has"
            )

    def accept(self, found: dict[str, float]) -> None:
        """Raises BundleError when too few labels are those of fp32."""
        least = LEAST_AGREEMENT["bf16"]
        if found["share"] < least and not self.force:
            raise BundleError(
                f"bf16 gives only {found['share']:.2%} of {found['texts']} texts of {os.fspath(self.data_dir)} the label that "
                f"fp32 gives, less than {least:.1%} (largest difference of a probability {found['probability']:.3f}): export "
                "without --check bf16, and bf16 is not used; or with --force; nothing was written"
            )


def can_compare() -> bool:
    """Whether OpenVINO is there and this processor has bfloat16 products."""
    return openvino.is_installed() and openvino.computes_in_bf16()


def compare_bf16(path: Path, batches: Sequence[dict[str, np.ndarray]], config: BundleConfig) -> dict[str, float]:
    """What the bundle says of bf16 beside fp32 for the graph `path`: {"share", "texts", "probability"}.

    share        of texts with the same answer
    texts        how many there were
    probability  the largest difference of a label's probability
    """
    expected = open_onnx(path)
    session = openvino.open_on_cpu(path, physical_cores(), "bf16")
    logits = [np.concatenate([run(batch) for batch in batches]) for run in (expected, session.run)]
    wanted, got = (config.task.probabilities(one, config.labels) for one in logits)
    same = (config.task.chosen(wanted) == config.task.chosen(got)).all(axis=1)
    return {"share": float(same.mean()), "texts": len(same), "probability": float(np.abs(wanted - got).max())}
