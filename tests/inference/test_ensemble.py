"""Ensembles: their prompt_config.json, and Predictor and infer.py on one, with answers computed by hand.

Member A adds token scores: 球 2 and 队 1 for sports, 车 3 for car, 股 2 and 票 1 for finance. Member B's prompt has a
票 in it, so it sees 1 more for finance, and it cuts texts to fewer tokens.
"""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from refusals import refusal
from scripts import load_script
from toy_bundle import LABELS, TEMPLATE, edit_config, toy_config, write_toy_bundle, write_toy_ensemble

pytest.importorskip("onnxruntime")

from prompt_kit.data.dataset import Example
from prompt_kit.errors import BundleError, ConfigError
from prompt_kit.inference.bundle import read_bundle
from prompt_kit.inference.ensemble import Part, average, read_models
from prompt_kit.inference.predictor import Predictor
from prompt_kit.prompt_config import BundleConfig, EnsembleConfig

B_TEMPLATE = TEMPLATE.replace("是", "票")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    prompt = {**toy_config().prompt, "template": B_TEMPLATE, "max_seq_length": 10}
    return write_toy_bundle(folder / "a"), write_toy_bundle(folder / "b", prompt=prompt)


@pytest.fixture(scope="module")
def ensemble(bundles, tmp_path_factory):
    return write_toy_ensemble(tmp_path_factory.mktemp("ensemble") / "export", bundles, (3.0, 1.0))


@pytest.fixture
def own(bundles, tmp_path):
    """An ensemble to damage."""
    return write_toy_ensemble(tmp_path / "export", bundles)


def softmax(*logits):
    return [math.exp(one) / sum(map(math.exp, logits)) for one in logits]


def fails(folder) -> str:
    return refusal(BundleError, Predictor, folder, device="cpu")


# -- what it computes -------------------------------------------------------------------------------------------------


def test_the_mean_of_the_probabilities_by_hand(ensemble):
    predictor = Predictor(ensemble, device="cpu", num_threads=1)
    a, b = softmax(3, 0, 0), softmax(3, 0, 1)
    expected = [(3 * one + other) / 4 for one, other in zip(a, b)]
    np.testing.assert_allclose(predictor.probabilities([Example("球队")]), [expected], atol=1e-6)
    (prediction,) = predictor.predict(["球队"], top_k=3)
    assert [label for label, _ in prediction.top] == ["sports", "finance", "car"]
    assert prediction.score == pytest.approx(expected[0], abs=1e-6)
    assert sum(score for _, score in prediction.top) == pytest.approx(1)


def test_probabilities_are_averaged_not_logits():
    sure, unsure = softmax(9, 0, 0), softmax(0, 6, 5)  # the mean logits 4.5, 3, 2.5 and the mean of these agree; ...
    surer = softmax(30, 0, 0)  # ... but a member cannot outshout two others: 15 would win as a sum of logits
    assert average([np.array([sure]), np.array([unsure])]).argmax() == 0
    assert average([np.array([surer]), np.array([unsure]), np.array([unsure])]).argmax() == 1
    np.testing.assert_allclose(average([np.array([[0.5, 0.5]]), np.array([[1, 0]])], [1, 3]), [[0.875, 0.125]])


def test_a_weight_decides(engine, bundles, tmp_path):
    text = "队"  # A: 1, 0, 0; B: 1, 0, 1, a tie
    for weights in ((1, 1), (1, 100)):
        folder = write_toy_ensemble(tmp_path / str(weights[1]), bundles, weights)
        (prediction,) = Predictor(folder, device="cpu", engine=engine).predict([text])
        share = weights[0] / sum(weights)
        assert prediction.label == "sports"
        assert prediction.score == pytest.approx(
            share * softmax(1, 0, 0)[0] + (1 - share) * softmax(1, 0, 1)[0], abs=1e-6
        )


def test_batches_and_streams_keep_the_order(engine, ensemble):
    predictor = Predictor(ensemble, device="cpu", num_threads=1, engine=engine)
    texts = ["新新新新新车", "球", "新新股", "车", "新新新新新新新队", "票", "！"] * 5
    expected = [predictor.predict([text])[0] for text in texts]
    for batch_size in (1, 2, 64):
        got = list(predictor.predict_stream(iter(texts), batch_size=batch_size))
        assert [(one.text, one.label) for one in got] == [(one.text, one.label) for one in expected]
        assert np.allclose([one.score for one in got], [one.score for one in expected], atol=1e-6)


def test_each_member_cuts_at_its_own_length(ensemble):
    text = "新" * 7 + "车"  # B has room for 6 of these 8
    a, b = softmax(0, 3, 0), softmax(0, 0, 1)
    (prediction,) = Predictor(ensemble, device="cpu").predict([text])
    assert prediction.score == pytest.approx((3 * a[1] + b[1]) / 4, abs=1e-6)
    lengths = [
        [model.prompt_tokenizer.max_seq_length for model in Predictor(ensemble, "cpu", max_seq_length=n).models]
        for n in (16, 12, 8)
    ]
    assert lengths == [[16, 10], [12, 10], [8, 8]]
    with pytest.raises(ConfigError, match="17 exceeds the exported model's 16"):
        Predictor(ensemble, max_seq_length=17)


def test_pickle_and_what_only_one_model_has(engine, ensemble):
    predictor = Predictor(ensemble, "cpu", num_threads=1, engine=engine)
    again = pickle.loads(pickle.dumps(predictor))  # noqa: S301  our own bytes
    assert again.predict(["球队", "车"], top_k=2) == predictor.predict(["球队", "车"], top_k=2)
    assert (again.engine, again.device, again.precision) == (engine, "cpu", "fp32")
    assert again.labels == LABELS.labels
    for use in (lambda: predictor.logits([]), lambda: predictor.prompt_tokenizer):
        with pytest.raises(ConfigError, match="holds 2 models"):
            use()


def test_precision_of_each_member(own, monkeypatch, caplog):
    monkeypatch.setattr("prompt_kit.inference.onnx_model.multiplies_int8", lambda: True)
    member = own / "member-1"
    (member / "model_int8.onnx").write_bytes((member / "model.onnx").read_bytes())
    models = {"fp32": "model.onnx", "int8": "model_int8.onnx"}
    edit_config(member, models=models, agreement={"int8": {"share": 1.0, "texts": 9}})
    assert Predictor(own, device="cpu").precision == "fp32+int8"
    assert Predictor(own, device="cpu", precision="fp32").precision == "fp32"
    with pytest.raises(BundleError, match="member-0 has no int8 model"):
        Predictor(own, device="cpu", precision="int8")
    assert Predictor(own, device="cpu", precision="fp16").precision == "fp32"
    assert [record.message for record in caplog.records] == ["fp16 is for GPUs: running fp32 on the CPU"]  # once


def test_infer_takes_it_and_resumes(ensemble, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("prompt_kit.inference.text_windows.WINDOW", 2)
    infer = load_script("infer")
    (tmp_path / "data.txt").write_text("球队\n车新新\n股票\n球\n车\n队队\n股\n", encoding="utf-8")
    arguments = ["--model_path_prefix", str(ensemble / "model"), "--data_dir", str(tmp_path), "--device", "cpu"]
    arguments += ["--batch_size", "2", "--output_format", "tsv", "--top_k", "2"]
    infer.main(arguments)
    whole = capsys.readouterr().out.encode()
    assert [line.split("\t")[1] for line in whole.decode().splitlines()][:4] == ["sports", "car", "finance", "sports"]
    output = tmp_path / "out.tsv"
    for cut in (0, 1, len(whole) // 2, len(whole) - 1):
        output.write_bytes(whole[:cut])
        infer.main([*arguments, "--output_file", str(output), "--resume"])
        assert output.read_bytes() == whole


# -- the folder -------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_back(ensemble, bundles):
    config, parts = read_models(ensemble)
    assert config.members == {"member-0": 3.0, "member-1": 1.0} and config.labels == LABELS.labels
    assert config.metrics == {"eval_accuracy": 0.5}
    assert EnsembleConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert parts == [
        Part(ensemble / "member-0", read_bundle(bundles[0]), 3.0), Part(ensemble / "member-1", read_bundle(bundles[1]), 1.0),
    ]  # fmt: skip
    content = json.loads((ensemble / "prompt_config.json").read_text("utf-8"))
    assert list(content.items())[:2] == [("format_version", 2), ("kind", "ensemble")]
    card = (ensemble / "README.md").read_text("utf-8")
    assert "| [`member-0`](member-0) | 0.7500 |" in card and "eval_accuracy: 0.5000" in card


def test_a_folder_of_one_model_stays_as_it_was(bundles):
    config, parts = read_models(bundles[0] / "model")
    assert isinstance(config, BundleConfig) and config == toy_config() and config.format_version == 1
    assert parts == [Part(bundles[0], config, 1.0)]
    one = Predictor(bundles[0], device="cpu")
    features = one.prompt_tokenizer.encode_many([Example("球队")])
    np.testing.assert_array_equal(one.logits(features), [[3, 0, 0]])


def test_a_member_is_a_bundle_of_its_own(ensemble, bundles, tmp_path):
    assert Predictor(ensemble / "member-1", "cpu").predict(["球"]) == Predictor(bundles[1], "cpu").predict(["球"])
    moved = tmp_path / "elsewhere"
    ensemble.rename(moved)
    try:
        assert Predictor(moved, "cpu").predict(["球"])[0].label == "sports"
    finally:
        moved.rename(ensemble)


@pytest.mark.parametrize("name", ["../member-0", "/etc", "a/../b", "a\\b", "", ".", "..", 3, None])
def test_members_outside_the_folder_are_refused(own, name):
    edit_config(own, members=[{"folder": "member-0", "weight": 1.0}, {"folder": name, "weight": 1.0}])
    message = fails(own)
    assert "prompt_config.json" in message and "members" in message and repr(name) in message


@pytest.mark.parametrize("weight", [0, -1, None, "1", True, math.nan, math.inf])
def test_weights(own, weight):
    edit_config(own, members=[{"folder": "member-0", "weight": 1.0}, {"folder": "member-1", "weight": weight}])
    assert "above 0 as weight of member-1" in fails(own)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"members": "member-0"}, "members: expected"),
        ({"members": ["member-0", "member-1"]}, "members: expected"),
        ({"members": [{"folder": "member-0", "weight": 1.0}] * 2}, "another folder"),
        ({"members": [{"folder": "member-0", "weight": 1.0}]}, "two or more, got 1"),
        ({"members": []}, "two or more, got 0"),
        ({"labels": None}, "labels is missing, expected a list of texts"),
        ({"labels": [1, 2, 3]}, r"labels is \[1, 2, 3\], expected a list of texts"),
        ({"format_version": 3}, "update prompt-kit"),
        ({"format_version": 1}, "reads ensembles of 2"),
        ({"labels": ["sports", "finance", "car"]}, r"number 2 differs: .*prompt_config.json has 'finance'.*member-0 has 'car'"),
        ({"labels": ["sports", "car"]}, r"number 3 differs: .*has 2 labels only.*'finance' \(3 labels\)"),
    ],
)  # fmt: skip
def test_damaged(own, changes, says):
    edit_config(own, **changes)
    with pytest.raises(BundleError, match=says):
        Predictor(own, device="cpu")


def test_a_member_is_missing_or_damaged(own, tmp_path):
    (own / "member-1" / "model.onnx").unlink()
    assert "member-1/model.onnx is missing" in fails(own)
    (own / "member-1").rename(tmp_path / "away")
    assert "member-1 is missing" in fails(own)


def test_no_ensemble_of_ensembles(own, ensemble):
    (own / "member-1").rename(own / "member-2")
    ensemble_config = (ensemble / "prompt_config.json").read_bytes()
    (own / "member-1").mkdir()
    (own / "member-1" / "prompt_config.json").write_bytes(ensemble_config)
    assert "an ensemble of several models" in fails(own)
