"""Contextual calibration: the bias by hand, what it makes of a content-free input, and that it is kept and exported."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from eager import predict
from runs import trainer
from tiny import EXAMPLES, FAMILIES, HARD, tiny_model
from train_script import SHORT, results

from prompt_kit.data.dataset import Example
from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.inference.predictor import Predictor
from prompt_kit.metrics import softmax
from prompt_kit.training.export.exporter import export_bundle
from prompt_kit.training.models.calibration import CONTENT_FREE, calibrate, calibration_bias
from prompt_kit.training.models.prompt_model import PromptModel

TEXTS = [example.text_a for example in EXAMPLES]
TWO_MASKS = "{'text': 'text_a'}主题是{'mask'}{'mask'}"


def test_the_bias_by_hand():
    """Probabilities 1/4, 3/4 and 1/2, 1/2: the mean logarithms are -(ln 4 + ln 2) / 2 and -(ln 4/3 + ln 2) / 2."""
    logits = np.array([[5.0, 5.0 + np.log(3)], [-2.0, -2.0]], "float32")
    np.testing.assert_allclose(calibration_bias(logits), [np.log(8) / 2, np.log(8 / 3) / 2], atol=1e-6)


def test_the_bias_of_large_logits_is_finite():
    np.testing.assert_allclose(calibration_bias(np.array([[1e4, 0.0]])), [0.0, 1e4])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", ["soft", "manual"])
@pytest.mark.parametrize("prompt", [HARD, TWO_MASKS, "这条新闻的主题是"])
def test_a_content_free_input_is_predicted_uniformly(family, head, prompt):
    model = tiny_model(prompt, family, head)
    before = predict(model)
    assert np.ptp(softmax(predict(model, [""]))) > 0.01, "uniform anyway"
    calibrate(model, [""])
    np.testing.assert_allclose(softmax(predict(model, [""])), 1 / 3, atol=1e-6)
    np.testing.assert_allclose(predict(model) - before, np.tile(model.config.calibration, (8, 1)), atol=1e-5)
    once = softmax(predict(model))
    calibrate(model, [""])  # there is nothing left to take away
    np.testing.assert_allclose(softmax(predict(model)), once, atol=1e-6)


def test_texts_are_averaged_whatever_their_order_and_batches():
    texts = TEXTS * 9  # three batches, with padding
    model, other = tiny_model(HARD), tiny_model(HARD)
    expected = calibration_bias(predict(model, texts))
    calibrate(model, texts)
    calibrate(other, texts[::-1])
    np.testing.assert_allclose(model.config.calibration, expected, atol=1e-5)
    np.testing.assert_allclose(other.config.calibration, expected, atol=1e-5)


def test_dropout_is_off_while_calibrating_and_on_again_after():
    model = tiny_model(HARD, dropout=0.5)
    expected = calibration_bias(predict(model, [""]))
    model.train()
    calibrate(model, [""])
    assert model.training and model.backbone.training
    np.testing.assert_allclose(model.config.calibration, expected, atol=1e-6)


def test_no_texts():
    with pytest.raises(ConfigError, match="at least one text"):
        calibrate(tiny_model(), [])


@pytest.mark.parametrize("head", ["soft", "manual"])
def test_a_saved_model_is_calibrated(tmp_path, head):
    model = tiny_model(HARD, head=head)
    calibrate(model, [""])
    calibrate(model, TEXTS)
    model.save_pretrained(tmp_path / "model")
    loaded = PromptModel.from_pretrained(tmp_path / "model")
    np.testing.assert_array_equal(predict(loaded), predict(model))
    assert loaded.config == model.config


@pytest.mark.parametrize("bias", [[0.1, 0.2], "high", [1, 2, "3"], {}])
def test_a_damaged_calibration(tmp_path, bias):
    model = tiny_model(HARD, head="manual")
    model.save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "prompt_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "calibration": bias}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"prompt_config.json is damaged: calibration .* expected 3 numbers"):
        PromptModel.from_pretrained(tmp_path / "model")


@pytest.mark.parametrize(("head", "prompt"), [("soft", "这条新闻的主题是"), ("manual", HARD), ("manual", TWO_MASKS)])
def test_the_exported_graph_is_calibrated(tmp_path, head, prompt):
    model = tiny_model(prompt, head=head)
    calibrate(model, [""])
    export_bundle(model, tmp_path / "export")  # compares the graph with the model
    predictor = Predictor(tmp_path / "export", device="cpu", num_threads=1)
    features = predictor.prompt_tokenizer.encode_many([Example(text) for text in TEXTS])
    np.testing.assert_allclose(predictor.logits(features), predict(model), atol=1e-4)
    empty = predictor.logits(predictor.prompt_tokenizer.encode_many([Example("")]))[0]
    assert np.ptp(empty) == pytest.approx(0, abs=3e-4)  # what it was calibrated on says nothing


@pytest.mark.parametrize("head", ["soft", "manual"])
def test_training_starts_from_the_calibrated_prediction_and_keeps_it(tmp_path, head):
    model = tiny_model(HARD, head=head)
    calibrate(model, TEXTS)
    start = model.config.calibration
    run = trainer(tmp_path / "run", model, max_steps=2, do_eval=False)
    run.train()
    run.save_model()
    loaded = PromptModel.from_pretrained(tmp_path / "run")
    np.testing.assert_array_equal(predict(loaded), predict(model))
    assert loaded.config.calibration == start


# -- train.py ---------------------------------------------------------------------------------------------------------


def test_a_zero_shot_run(train, tiny_data, tmp_path, caplog):
    caplog.set_level("INFO")
    train(f"--verbalizer soft --do_eval --output_dir {tmp_path / 'plain'}")
    train(f"--verbalizer soft --do_eval --do_export --calibrate --output_dir {tmp_path / 'data'}")
    assert "calibrated on 8 texts of data.txt" in caplog.messages
    plain, calibrated = results(tmp_path / "plain"), results(tmp_path / "data")
    assert "calibrated" not in plain and calibrated["calibrated"] is True
    assert calibrated["eval_loss"] != plain["eval_loss"] and calibrated["mode"] == "zero-shot"
    assert calibrated["data"] != plain["data"], "data.txt is part of what the results depend on"
    expected = PromptModel.build(
        tiny_data / "label.txt", model_name_or_path=calibrated["base_model"], max_seq_length=32, head="soft"
    )
    calibrate(expected, (tiny_data / "data.txt").read_text("utf-8").split())
    predictor = Predictor(tmp_path / "data" / "export", device="cpu", num_threads=1)
    best = [expected.verbalizer.labels[row] for row in predict(expected).argmax(axis=1)]
    assert [one.label for one in predictor.predict(TEXTS)] == best


def test_without_unlabelled_texts_content_free_ones_are_used(train, tiny_data, tmp_path, caplog):
    caplog.set_level("INFO")
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "data.txt").unlink()
    train(f"--verbalizer soft --do_export --calibrate --output_dir {tmp_path / 'zero'}", data=data)
    assert "calibrated on 3 content-free texts" in caplog.messages
    predictor = Predictor(tmp_path / "zero" / "export", device="cpu", num_threads=1)
    features = predictor.prompt_tokenizer.encode_many([Example(text) for text in CONTENT_FREE])
    mean = calibration_bias(predictor.logits(features))
    assert np.ptp(mean) < 0.05, "the mean log-probabilities are nearly equal now"


def test_results_of_both_kinds_do_not_mix(train, tmp_path):
    train(f"--do_eval --output_dir {tmp_path / 'zero'}")
    train(f"--do_predict --calibrate --output_dir {tmp_path / 'zero'}")
    assert "eval_accuracy" not in results(tmp_path / "zero")


def test_a_trained_model(train, resume, tmp_path):
    """It may be calibrated too, but not in its own folder; one that was calibrated to begin with goes on as it is."""
    plain, other = tmp_path / "plain", tmp_path / "other"
    train(f"{SHORT} --output_dir {plain}")
    resume(f"--do_eval --calibrate --resume_from_checkpoint {plain} --output_dir {other}")
    assert results(other)["calibrated"] is True and results(other)["mode"] == "prompt"
    with pytest.raises(ConfigError, match="results do not belong beside it; choose another --output_dir"):
        resume(f"--do_eval --calibrate --resume_from_checkpoint {plain} --output_dir {plain}")
    train(f"{SHORT} --save_steps 2 --calibrate --output_dir {tmp_path / 'start'}")
    again = f"--do_train --max_steps 3 --resume_from_checkpoint {tmp_path / 'start'} --output_dir {tmp_path / 'start'}"
    before = PromptModel.from_pretrained(tmp_path / "start").config.calibration
    resume(f"{again} --calibrate")
    assert PromptModel.from_pretrained(tmp_path / "start").config.calibration == before is not None
    assert results(tmp_path / "start")["calibrated"] is True


def test_going_on_with_a_run_that_began_without(train, resume, tmp_path):
    folder = tmp_path / "run"
    train(f"{SHORT} --save_steps 2 --output_dir {folder}")
    with pytest.raises(CheckpointError, match="--calibrate contradicts the checkpoint .*; drop --calibrate"):
        resume(f"--do_train --calibrate --resume_from_checkpoint {folder} --output_dir {folder}")
