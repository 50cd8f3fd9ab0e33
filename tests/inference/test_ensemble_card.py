"""The README.md of an ensemble: Hugging Face's own reader finds its fields."""

from __future__ import annotations

import pytest
from toy_bundle import LABELS, write_toy_bundle

from prompt_kit.inference.ensemble_export import write_ensemble


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
