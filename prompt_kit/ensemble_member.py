"""One of several models that decide together: a folder of a trained or an exported model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prompt_kit.bundle import CONFIG_FILE, bundle_folder, read_bundle, read_config_file
from prompt_kit.data import Example
from prompt_kit.ensemble import is_ensemble
from prompt_kit.ensemble_export import copy_bundle
from prompt_kit.errors import BundleError, ConfigError, VerbalizerError
from prompt_kit.verbalizer import Verbalizer


@dataclass(frozen=True)
class Member:
    """A folder that can classify: `exported`, by ONNX Runtime, or trained, by Paddle."""

    folder: Path
    exported: bool
    verbalizer: Verbalizer
    about: dict[str, Any]

    def probabilities(self, examples: Sequence[Example], batch_size: int) -> np.ndarray:
        """[N, C], of the model itself: an int8 or fp16 file in an exported folder is left alone."""
        if self.exported:
            from prompt_kit.predictor import Predictor

            return Predictor(self.folder, precision="fp32").probabilities(examples, batch_size)
        from prompt_kit.training.modeling import PromptModel
        from prompt_kit.training.prediction import predict_probabilities

        return predict_probabilities(PromptModel.from_pretrained(self.folder), examples, batch_size)

    def export(self, folder: Path) -> None:
        """Write it as an exported folder."""
        if self.exported:
            return copy_bundle(self.folder, folder)
        from prompt_kit.training.exporter import export_checkpoint

        export_checkpoint(self.folder, folder)


def open_member(flag: str, path: str) -> Member:
    """What the folder that `flag` names says of its model, which is not loaded yet."""
    folder = bundle_folder(path) if Path(path).exists() else Path(path)
    if not (folder / CONFIG_FILE).is_file():
        raise ConfigError(
            f"--{flag} {path}: no {CONFIG_FILE} in {folder.absolute()}; expected a folder that train.py finished, a "
            "checkpoint-N in it, or an exported folder"
        )
    content = read_config_file(folder)
    if is_ensemble(content):
        raise ConfigError(
            f"--{flag} {path} is an ensemble itself; name the folders of its members: {folder}/member-0 …"
        )
    exported = "models" in content
    try:
        verbalizer = read_bundle(folder).verbalizer if exported else Verbalizer.from_dict(content.get("verbalizer"))
        about = {key: content.get(key) for key in ("mode", "base_model")}
        return Member(folder, exported, verbalizer, {**about, "template": content["prompt"]["template"]})
    except (VerbalizerError, KeyError, TypeError) as error:
        raise BundleError(f"{folder / CONFIG_FILE} is damaged: {error}") from None
