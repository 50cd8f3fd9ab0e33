"""Named sets of flags of train.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prompt_kit.training.models.prompt_choice import PLAIN_PROMPT

# example: the settings of PaddleNLP's few-shot example, as its article runs it.
# best: what docs/methods.md found best for one model, which learns from five on the unlabelled texts of the data folder.
PRESETS: dict[str, dict[str, Any]] = {
    "example": dict(
        prompt=PLAIN_PROMPT,
        verbalizer="soft",
        soft_encoder="lstm",
        encoder_hidden_size=200,
        max_seq_length=128,
        learning_rate=3e-5,
        ppt_learning_rate=3e-4,
        use_rdrop=True,
        max_steps=1000,
        eval_steps=10,
        logging_steps=5,
        per_device_train_batch_size=8,
        per_device_eval_batch_size=32,
    ),
    "best": dict(num_teachers=5),
}


def preset_values(given: dict[str, Any], data_dir: str) -> dict[str, Any]:
    """What the preset in `given` sets, beside the flags that are given; they win."""
    preset = given.get("preset") or ""
    values = dict(PRESETS.get(preset, {}))
    if preset == "best":
        values["unlabeled_file"] = str(Path(data_dir) / "data.txt")
        if "teacher" in given:
            del values["num_teachers"]
    if "num_train_epochs" in given:
        values.pop("max_steps", None)  # which would win over the epochs that are asked for
    return values
