"""Folders of before prompt_config.json had a `kind`: trained, exported and ensembles load as ever, and answer alike."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from eager import predict
from tiny import EXAMPLES, HARD, tiny_finetune, tiny_model, tiny_rtd

from prompt_kit import PromptModel
from prompt_kit.inference.ensemble_export import write_ensemble
from prompt_kit.inference.predictor import Predictor
from prompt_kit.training.export.exporter import export_bundle, is_export

OLD = Path(__file__).parents[2] / "golden" / "prompt_config"
BIAS = np.array([0.5, -0.25, 0.125])
TEXTS = [example.text_a for example in EXAMPLES]


def calibrated():
    model = tiny_model(HARD, head="manual")
    model.add_bias(BIAS)
    return model


MODELS = {
    "model_prompt": tiny_model,
    "model_zero_shot_calibrated": calibrated,
    "model_finetune": tiny_finetune,
    "model_rtd": tiny_rtd,
}


def forget_the_kind(folder: Path) -> None:
    """Take away what an earlier version did not write."""
    path = folder / "prompt_config.json"
    content = json.loads(path.read_text("utf-8"))
    for key in ("kind", "task_type", "weights", "agreement"):
        if key != "weights" or not content.get(key):
            content.pop(key, None)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("name", MODELS)
def test_a_training_folder(tmp_path, name):
    model = MODELS[name]()
    model.save_pretrained(tmp_path)
    new = json.loads((tmp_path / "prompt_config.json").read_text("utf-8"))
    shutil.copyfile(OLD / f"{name}.json", tmp_path / "prompt_config.json")
    loaded = PromptModel.from_pretrained(tmp_path)
    assert type(loaded) is type(model) and loaded.config.mode == json.loads((OLD / f"{name}.json").read_text())["mode"]
    np.testing.assert_array_equal(predict(loaded), predict(model))
    loaded.save_pretrained(tmp_path / "again")  # brought up to date
    assert json.loads((tmp_path / "again" / "prompt_config.json").read_text("utf-8")) == {
        **new,
        "mode": loaded.config.mode,
    }


@pytest.mark.slow
def test_an_exported_folder_and_an_ensemble(tmp_path):
    models = [tiny_model(seed=1), tiny_model(seed=2)]
    parts = [(lambda to, model=model: export_bundle(model, to, fp16=False), 1.0) for model in models]
    write_ensemble(tmp_path / "both", models[0].verbalizer.labels, parts)
    expected = Predictor(tmp_path / "both", device="cpu").probabilities(EXAMPLES)
    alone = Predictor(tmp_path / "both" / "member-0", device="cpu").probabilities(EXAMPLES)
    for folder in (tmp_path / "both", tmp_path / "both" / "member-0", tmp_path / "both" / "member-1"):
        forget_the_kind(folder)
        assert is_export(folder)
    np.testing.assert_array_equal(Predictor(tmp_path / "both", device="cpu").probabilities(EXAMPLES), expected)
    np.testing.assert_array_equal(Predictor(tmp_path / "both/member-0", device="cpu").probabilities(EXAMPLES), alone)
    export_bundle(models[1], tmp_path / "both" / "member-0", fp16=False)  # an old export may be replaced
    assert json.loads((tmp_path / "both/member-0/prompt_config.json").read_text("utf-8"))["kind"] == "bundle"
