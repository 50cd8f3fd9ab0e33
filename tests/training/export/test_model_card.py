"""Model cards, as Hugging Face's own reader takes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prompt_kit.metrics import wilson_interval
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.export.model_card import CardFacts, training_card

huggingface_hub = pytest.importorskip("huggingface_hub")

ABOUT = {
    "eval_accuracy": 0.75, "eval_samples": 240, "eval_macro_f1": 0.7, "test_accuracy": 0.6, "test_samples": 150,
    "data": "0123456789abcdef", "seed": 7, "num_shots": 4,
}  # fmt: skip
FACTS = CardFacts(
    "ernie-3.0-base-zh", "prompt", Verbalizer.from_lines(["car==汽车", "a|b==体育,<b>"]), "{'text': 'text_a'}{'mask'}", 128,
    ABOUT, {"prompt-kit": "1.0"},
)  # fmt: skip


def read(facts):
    text = training_card(facts)
    return text, huggingface_hub.ModelCard(text)


def test_the_front_matter():
    _, card = read(FACTS)
    data = card.data
    assert (data.language, data.library_name, data.pipeline_tag) == (["zh"], "prompt-kit", "text-classification")
    assert data.base_model == "ernie-3.0-base-zh" and "safetensors" in data.tags and data.license is None
    scores = [(one.dataset_name, one.metric_type, one.metric_value) for one in data.eval_results]
    assert scores == [
        ("dev.txt (data fingerprint 0123456789abcdef)", "accuracy", 0.75),
        ("dev.txt (data fingerprint 0123456789abcdef)", "f1", 0.7),
        ("test.txt (data fingerprint 0123456789abcdef)", "accuracy", 0.6),
    ]
    low, high = wilson_interval(180, 240)
    assert data.eval_results[0].metric_name == f"Accuracy on 240 texts, 95 % interval {low:.4f} to {high:.4f}"


def test_the_text():
    text, card = read(FACTS)
    assert card.text.lstrip().startswith("<!-- Written by prompt-kit.")
    assert "| a\\|b | 体育，&lt;b> |" in text and "`0123456789abcdef`, seed 7; 4 examples a label" in text
    assert "| dev.txt | 240 | 0.7500 | 0.6916 to 0.8006 | 0.7000 |" in text and "| test.txt | 150 | 0.6000 |" in text
    assert "--resume_from_checkpoint THIS_FOLDER" in text and "These 2 labels" not in text and "these 2 labels" in text


def test_without_scores_and_with_a_folder_as_base_model():
    facts = replace(
        FACTS, base_model="/home/me/model: `x`", about={}, mode="zero-shot", template="{'text': 'text_a'} it was {'mask'}",
        verbalizer=Verbalizer.from_lines(["good", "bad"]),
    )  # fmt: skip
    text, card = read(facts)
    assert card.data.base_model is None and card.data.language is None and card.data.eval_results is None
    assert "not recorded" in text and "No example has trained it" in text and "`` /home/me/model: `x` ``" in text
