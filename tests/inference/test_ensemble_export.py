"""An ensemble is written whole or not at all, with the files that it needs, and a card that Hugging Face's reader reads."""

from __future__ import annotations

import pytest
from toy_bundle import LABELS, write_toy_bundle, write_toy_ensemble

from prompt_kit.errors import BundleError
from prompt_kit.inference.ensemble import read_models
from prompt_kit.inference.ensemble_export import copy_bundle, write_ensemble
from prompt_kit.inference.predictor import Predictor
from prompt_kit.prompt.verbalizer import Verbalizer


@pytest.mark.parametrize("metrics", [{"eval_accuracy": 0.59123, "eval_macro_f1": 0.5}, {}])
def test_its_front_matter_is_read(tmp_path, metrics):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    write_ensemble(tmp_path / "both", LABELS.labels, [(write_toy_bundle, 1.0), (write_toy_bundle, 3.0)], metrics)
    card = huggingface_hub.ModelCard.load(tmp_path / "both" / "README.md")
    found = card.data.to_dict()
    assert found["library_name"] == "prompt-kit" and found["pipeline_tag"] == "text-classification"
    assert "ensemble" in found["tags"] and "# Text classifier" in card.text
    results = card.data.eval_results or []
    assert [(one.metric_type, one.metric_value) for one in results] == (
        [("accuracy", 0.5912), ("f1", 0.5)] if metrics else []
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return write_toy_bundle(folder / "a"), write_toy_bundle(folder / "b")


@pytest.fixture
def own(bundles, tmp_path):
    """An ensemble to damage."""
    return write_toy_ensemble(tmp_path / "export", bundles)


def test_whole_or_not_at_all(bundles, own):
    before = sorted(own.rglob("*"))

    def breaks(folder):
        raise BundleError("this member cannot be exported")

    for target in (own, own.parent / "new"):
        with pytest.raises(BundleError, match="cannot be exported"):
            write_ensemble(target, LABELS.labels, [(lambda to: copy_bundle(bundles[0], to), 1.0), (breaks, 1.0)])
    other = Verbalizer.from_lines(["a==球", "b==车", "c==股"]).labels
    with pytest.raises(BundleError, match="number 1 differs"):
        write_toy_ensemble(own, bundles, labels=other)
    assert sorted(own.rglob("*")) == before and list(own.parent.iterdir()) == [own]


def test_only_an_ensemble_is_replaced(own, bundles, tmp_path):
    pytest.importorskip("onnxruntime")
    write_toy_ensemble(own, bundles, (1.0, 7.0))
    assert read_models(own)[0].members["member-1"] == 7.0
    single = write_toy_bundle(tmp_path / "single")
    with pytest.raises(BundleError, match="neither empty nor an exported ensemble"):
        write_toy_ensemble(single, bundles)
    assert Predictor(single, "cpu").predict(["球"])
    (tmp_path / "empty").mkdir()
    write_toy_ensemble(tmp_path / "empty", bundles)


def test_only_what_a_bundle_needs_is_copied(tmp_path):
    weights = {"fp32": "model.onnx.data", "fp16": "model_fp16.onnx.data"}
    source = write_toy_bundle(tmp_path / "source", weights=weights)  # names fp16 files that are not there
    (source / "model.onnx.data").write_bytes(b"")
    (source / "model.pdiparams").write_bytes(b"1")
    (source / "secret.txt").write_text("x", encoding="utf-8")
    copy_bundle(source, tmp_path / "copy")
    found = sorted(path.name for path in (tmp_path / "copy").iterdir())
    assert found == ["model.onnx", "model.onnx.data", "model.pdiparams", "prompt_config.json", "tokenizer.json"]


def test_a_file_in_the_way(bundles, tmp_path):
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    with pytest.raises(BundleError, match="out is a file; expected a folder for the export"):
        write_toy_ensemble(tmp_path / "out", bundles)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


def test_the_card_by_hand(bundles, tmp_path):
    card = (write_toy_ensemble(tmp_path / "export", bundles, (3.0, 1.0)) / "README.md").read_text("utf-8").splitlines()
    assert "| [`member-0`](member-0) | 0.7500 |" in card and "| [`member-1`](member-1) | 0.2500 |" in card
    assert card[-1] == "- eval_accuracy: 0.5000"
    assert "Sorts a text into one of 3 labels: 2 models, the weighted mean of whose" in card
    assert not any(line.startswith("language:") for line in card), "no label is Chinese"
