"""bfloat16 beside fp32: what is recorded at export, what is refused, and what the bundle then does."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import HARD, tiny_model

pytest.importorskip("openvino")

from prompt_kit.data.dataset import Example
from prompt_kit.errors import BundleError, DependencyError
from prompt_kit.inference.bundle import read_bundle
from prompt_kit.inference.engines import openvino
from prompt_kit.inference.predictor import Predictor
from prompt_kit.training.export import exporter
from prompt_kit.training.export.bf16 import Bf16
from prompt_kit.training.export.exporter import Int8, export_bundle

on_a_bf16_cpu = pytest.mark.skipif(not openvino.computes_in_bf16(), reason="needs a CPU with bfloat16 products")


@on_a_bf16_cpu
def test_what_is_recorded_is_what_runs(tmp_path, tiny_data):
    config = export_bundle(tiny_model(HARD), tmp_path / "export", fp16=False, bf16=Bf16(tiny_data, force=True))
    assert config == read_bundle(tmp_path / "export") and list(config.models) == ["fp32"]
    found = config.agreement["bf16"]
    read = [tiny_data / f"{name}.txt" for name in ("dev", "test", "data")]
    texts = sorted({line.split("\t")[0] for path in read for line in path.read_text("utf-8").splitlines()})
    predictors = [Predictor(tmp_path / "export", "cpu", engine="openvino", precision=one) for one in ("fp32", "bf16")]
    wanted, got = (one.probabilities([Example(text) for text in texts]) for one in predictors)
    assert found["texts"] == len(texts)
    assert found["share"] == pytest.approx((wanted.argmax(axis=1) == got.argmax(axis=1)).mean())
    assert 0 < found["probability"] < 0.05
    assert found["probability"] == pytest.approx(np.abs(wanted - got).max(), rel=0.5)  # other batches round otherwise
    card = (tmp_path / "export" / "README.md").read_text(encoding="utf-8")
    assert f"`model.onnx` in bf16 (OpenVINO) gives {found['share']:.2%} of {len(texts)} texts the label" in card
    assert f"the largest difference of a probability is {found['probability']:.4f}" in card


@on_a_bf16_cpu
def test_int8_compares_bf16_too_and_refuses_nothing_for_it(tmp_path, tiny_data, monkeypatch):
    monkeypatch.setattr(exporter, "compare_bf16", lambda *_: {"share": 0.5, "texts": 8, "probability": 0.25})
    config = export_bundle(tiny_model(HARD), tmp_path / "export", fp16=False, int8=Int8(tiny_data, force=True))
    assert config.agreement["bf16"]["share"] == 0.5
    with pytest.raises(BundleError, match="bf16 changes more labels than a bundle may"):
        Predictor(tmp_path / "export", "cpu", precision="bf16")


def test_too_few_labels_kept_are_refused(tmp_path, tiny_data, monkeypatch):
    monkeypatch.setattr(openvino, "computes_in_bf16", lambda: True)
    monkeypatch.setattr(exporter, "compare_bf16", lambda *_: {"share": 0.9949, "texts": 8, "probability": 0.25})
    with pytest.raises(BundleError, match=r"only 99.49% of 8 texts of .*less than 99.5% .* 0.250.*nothing was written"):
        export_bundle(tiny_model(HARD), tmp_path / "export", fp16=False, bf16=Bf16(tiny_data))
    assert not (tmp_path / "export").exists()
    config = export_bundle(tiny_model(HARD), tmp_path / "export", fp16=False, bf16=Bf16(tiny_data, force=True))
    assert not config.agrees("bf16") and Predictor(tmp_path / "export", device="cpu").precision == "fp32"


def test_a_processor_without_bf16(tmp_path, monkeypatch):
    monkeypatch.setattr(openvino, "computes_in_bf16", lambda: False)
    with pytest.raises(DependencyError, match="no bfloat16 products"):
        Bf16(tmp_path)
