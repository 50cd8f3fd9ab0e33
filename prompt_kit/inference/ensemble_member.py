"""One of several models that decide together: a folder of a trained or an exported model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError
from prompt_kit.inference.bundle import bundle_folder, read_bundle
from prompt_kit.inference.ensemble import check_one_label
from prompt_kit.inference.ensemble_export import copy_bundle
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.prompt_config import CONFIG_FILE, BundleConfig, EnsembleConfig, ModelConfig, kind_of, read_prompt_config


@dataclass(frozen=True)
class Member:
    """A folder that can classify: an exported one, by ONNX Runtime."""

    folder: Path
    verbalizer: Verbalizer
    about: dict[str, Any]

    def probabilities(self, examples: Sequence[Example], batch_size: int) -> np.ndarray:
        """[N, C], of the model itself: an int8 or fp16 file in an exported folder is left alone."""
        from prompt_kit.inference.predictor import Predictor

        return Predictor(self.folder, precision="fp32").probabilities(examples, batch_size)

    def export(self, folder: Path) -> None:
        """Write it as an exported folder."""
        copy_bundle(self.folder, folder)


def open_member(flag: str, path: str, trained: Callable[[], type[Member]]) -> Member:
    """What the folder that `flag` names says of its model, which is not loaded yet.

    Args:
        trained: gives the class for a training folder, whose modules need Paddle; called for such a folder alone.
    """
    folder = bundle_folder(path) if Path(path).exists() else Path(path)
    if not (folder / CONFIG_FILE).is_file():
        raise ConfigError(
            f"--{flag} {path}: no {CONFIG_FILE} in {folder.absolute()}; expected a folder that train.py finished, a "
            "checkpoint-N in it, or an exported folder"
        )
    kind = kind_of(folder)
    if kind == EnsembleConfig.kind:
        raise ConfigError(
            f"--{flag} {path} is an ensemble itself; name the folders of its members: {folder}/member-0 …"
        )
    config: Union[ModelConfig, BundleConfig]
    if kind == ModelConfig.kind:
        config, member = read_prompt_config(folder, ModelConfig), trained()
    else:
        config, member = read_bundle(folder), Member
    check_one_label(config.task, str(folder))
    about = {"mode": config.mode, "base_model": config.base_model, "template": config.prompt["template"]}
    return member(folder, config.verbalizer, about)
