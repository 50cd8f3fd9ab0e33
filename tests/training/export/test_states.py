"""An export with states: they are the model's, and its own labels and those of a support set stand on one scale."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from eager import inputs
from tiny import EXAMPLES, tiny_finetune, tiny_model, tiny_rtd

from prompt_kit.data.dataset import Example
from prompt_kit.errors import BundleError, ConfigError
from prompt_kit.inference.predictor import Predictor
from prompt_kit.inference.prototypes import expected_gain
from prompt_kit.metrics import softmax
from prompt_kit.training.export import onnx_parity
from prompt_kit.training.export.exporter import export_bundle, export_checkpoint

TEXTS = [example.text_a for example in EXAMPLES]
TWO_MASKS = "{'mask'}{'mask'}{'soft': '新闻'}{'text': 'text_a'}"
MODELS = {
    "cosine": lambda: tiny_model(head="cosine"),
    "soft": lambda: tiny_model(TWO_MASKS, head="soft"),
    "prototype": lambda: tiny_model(head="prototype", encoder="mlp"),
    "manual": lambda: tiny_model(family="bert", head="manual"),
    "finetune": tiny_finetune,
}


def eager(model) -> tuple[np.ndarray, np.ndarray]:
    """(logits, unit states) of TEXTS."""
    model.eval()
    with paddle.no_grad():
        logits, states = model(**inputs(model, TEXTS), return_mask_states=True)
        return logits.numpy(), model.unit_states(states).numpy()


@pytest.mark.parametrize("name", MODELS)
def test_states_are_the_models(tmp_path, name):
    model = MODELS[name]()
    config = export_bundle(model, tmp_path / "export", states=True)
    predictor = Predictor(tmp_path / "export", device="cpu", num_threads=1)
    logits, states = eager(model)
    assert np.linalg.norm(states, axis=1) == pytest.approx(1, abs=1e-5)
    assert predictor.states(TEXTS, batch_size=3) == pytest.approx(states, abs=1e-3)
    assert predictor.probabilities([Example(text) for text in TEXTS]) == pytest.approx(softmax(logits), abs=1e-4)
    assert config.format_version == 3 and config.outputs["states"] == ("batch", states.shape[1])
    assert (config.scale is None) == (name != "cosine")


def test_the_prototype_of_a_labels_own_direction_gets_the_logit_of_the_label(tmp_path):
    """A support set whose prototypes are the head's directions gives the head's own logits, times the gain of few examples."""
    model = MODELS["cosine"]()
    model.start_from_examples(model.prompt_tokenizer.encode_many(EXAMPLES), np.array([0, 1, 2, 0, 2, 1, 0, 2]))
    export_bundle(model, tmp_path / "export", states=True)
    _, states = eager(model)
    directions = np.stack([states[rows].mean(axis=0) for rows in ([0, 3], [1, 5])])
    model.head.weight.set_value(np.concatenate([directions, model.head.weight.numpy()[2:]]))
    logits, _ = eager(model)
    predictor = Predictor(tmp_path / "export", device="cpu", num_threads=1)
    support = [(TEXTS[0], "a"), (TEXTS[3], "a"), (TEXTS[1], "b"), (TEXTS[5], "b")]
    found = predictor.with_support(support).probabilities([Example(text) for text in TEXTS])
    assert found.shape == (len(TEXTS), 5)
    logits[:, :2] *= expected_gain(np.array([3.0]))  # which two examples do not exceed
    assert found[:, [3, 4, 2]] / found[:, [3, 4, 2]].sum(axis=1, keepdims=True) == pytest.approx(
        softmax(logits), abs=1e-4
    )


def test_without_states_the_folder_is_what_it_was(tmp_path):
    config = export_bundle(MODELS["cosine"](), tmp_path / "export", fp16=False)
    assert config.format_version == 1 and list(config.outputs) == ["logits"] and config.scale is None


def test_rtd_has_no_states(tmp_path):
    with pytest.raises(ConfigError, match="--method rtd"):
        export_bundle(tiny_rtd(), tmp_path / "export", states=True)
    assert not (tmp_path / "export").exists()


def test_states_that_differ_are_not_written(tmp_path, monkeypatch):
    real = onnx_parity.open_onnx

    def wrong(path, *output):
        run = real(path, *output)
        return (lambda arrays: run(arrays) + np.float32(1e-3)) if output else run

    monkeypatch.setattr(onnx_parity, "open_onnx", wrong)
    with pytest.raises(BundleError, match="states differ from the model's by 0.001"):
        export_bundle(MODELS["cosine"](), tmp_path / "export", fp16=False, states=True)
    assert not (tmp_path / "export").exists()


def test_a_training_folder_with_states(tmp_path):
    MODELS["cosine"]().save_pretrained(tmp_path / "trained")
    config = export_checkpoint(tmp_path / "trained", tmp_path / "export", states=True)
    assert config.has_states and "fp16" in config.parity
