"""tools/ensemble.py on trained folders: prompts, soft prompts and fine-tuning, of several language models, as one."""

from __future__ import annotations

import csv
import json
import runpy

import numpy as np
import pytest
from eager import predict
from tiny import EXAMPLES, HARD, LABELS, SOFT, tiny_finetune, tiny_model

from prompt_kit.data.dataset import read_examples
from prompt_kit.errors import CheckpointError
from prompt_kit.inference.predictor import Predictor
from prompt_kit.metrics import softmax
from prompt_kit.training.export.exporter import export_bundle, export_checkpoint
from prompt_kit.training.loop.prediction import predict_probabilities


@pytest.fixture(scope="module")
def models():
    return [tiny_model(HARD, seed=3), tiny_model(SOFT, family="bert", seed=1), tiny_finetune("electra", seed=2)]


@pytest.fixture
def call(root, models, tiny_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, model in enumerate(models):
        model.save_pretrained(tmp_path / f"run-{number}")
    module = runpy.run_path(str(root / "tools" / "ensemble.py"), run_name="imported")

    def main(arguments):
        module["main"]([*arguments.split(), "--data_dir", str(tiny_data)])
        with open("ensemble/ensemble_results.json", encoding="utf-8") as file:
            return json.load(file)

    return main


def test_probabilities_in_the_order_of_the_examples(models):
    for model in models:
        model.train()  # in which dropout is on
        found = predict_probabilities(model, EXAMPLES, 3)
        assert model.training
        np.testing.assert_allclose(found, softmax(predict(model)), atol=1e-5)


def test_the_exported_ensemble_equals_the_averaged_models(call, models, tiny_data):
    found = call("--members run-0 run-1 run-2 --do_eval --do_predict --do_export --batch_size 3")
    test = read_examples(tiny_data / "test.txt", LABELS.labels)
    gold = [LABELS.label_to_id[example.label] for example in EXAMPLES]
    each = [softmax(predict(model)) for model in models]
    accuracies = [float((one.argmax(axis=1) == gold).mean()) for one in each]
    assert [one["eval_accuracy"] for one in found["members"]] == accuracies
    assert [one["mode"] for one in found["members"]] == ["prompt", "prompt", "finetune"]
    whole = (each[0] + each[1] + each[2]) / 3
    labels = [LABELS.labels[best] for best in whole.argmax(axis=1)]
    assert len(set(labels)) > 1 and any((one.argmax(axis=1) != whole.argmax(axis=1)).any() for one in each)
    assert found["ensemble"]["eval_accuracy"] == float((whole.argmax(axis=1) == gold).mean())

    predictor = Predictor("ensemble/export", device="cpu", num_threads=1)
    assert [one.label for one in predictor.predict([example.text_a for example in EXAMPLES])] == labels
    np.testing.assert_allclose(predictor.probabilities(EXAMPLES), whole, atol=1e-4)
    with open("ensemble/test_predictions.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [(row["text"], row["gold"]) for row in rows] == [(example.text_a, example.label) for example in test]
    assert [row["label"] for row in rows] == [one.label for one in predictor.predict([row["text"] for row in rows])]


def test_trained_and_exported_members_mix(call, models):
    export_bundle(models[1], "bundle", fp16=False)
    trained = call("--members run-0 run-1 --do_eval")
    mixed = call("--members run-0 bundle --do_eval --do_export --weights 1 3 --overwrite_output_dir")
    assert [one["eval_accuracy"] for one in mixed["members"]] == [one["eval_accuracy"] for one in trained["members"]]
    expected = (softmax(predict(models[0])) + 3 * softmax(predict(models[1]))) / 4
    found = Predictor("ensemble/export", device="cpu", num_threads=1).probabilities(EXAMPLES)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with pytest.raises(CheckpointError, match="is an exported folder"):
        export_checkpoint("ensemble/export", "again")


def test_a_checkpoint_that_is_incomplete(call, tmp_path):
    (tmp_path / "run-1" / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="model.safetensors missing"):
        call("--members run-0 run-1 --do_eval --do_export")
    assert not (tmp_path / "ensemble").exists()
