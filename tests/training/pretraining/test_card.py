"""The card of a language model: each number of the recipe where it belongs, and only what there is."""

from __future__ import annotations

from types import SimpleNamespace

from prompt_kit.training.pretraining.card import card, write_card

RECIPE = {
    "base_model": "base", "files": {"a.txt": 12}, "excluded_files": [], "lines": 10, "tokens": 70, "held_out_lines": 2,
    "steps": 6, "epochs": 3, "batch_tokens": 128, "processes": 2, "gradient_accumulation_steps": 3, "seed": 7,
    "mask_probability": 0.15, "learning_rate": 1e-4, "warmup_ratio": 0.06, "adam_beta2": 0.98, "weight_decay": 0.01,
    "max_grad_norm": 1.0, "versions": {"paddlepaddle": "3.3.1"},
    "before": {"eval_loss": 2.5, "eval_accuracy": 0.25}, "after": {"eval_loss": 1.25, "eval_accuracy": 0.5},
}  # fmt: skip


class Backbone:
    config = SimpleNamespace(num_hidden_layers=2, hidden_size=32)

    def parameters(self):
        return [SimpleNamespace(size=1_000_000), SimpleNamespace(size=540_000)]


def text(**changes) -> str:
    tokenizer = SimpleNamespace(vocab_size=60)
    return card(SimpleNamespace(recipe={**RECIPE, **changes}, backbone=Backbone(), tokenizer=tokenizer))


def test_what_was_measured():
    found = text()
    assert "2 layers, width 32, 60 word pieces, 1.5 million parameters." in found
    assert "On 2 held-out lines" in found and "| before | 2.5000 | 25.00% |\n| after | 1.2500 | 50.00% |" in found
    assert "in batches of 128 tokens at most, 6 of them a step; seed 7." in found and "those of no file were" in found
    assert "rate 0.0001 after 6% of warm-up" in found and "distillation" not in found.lower() and "ROC" not in found


def test_nothing_is_said_of_what_was_not_done():
    found = text(before=None, after=None, base_model=None, processes=1, gradient_accumulation_steps=1)
    assert "held-out" not in found and "a step" not in found and "Trained from nothing" in found


def test_a_discriminator_and_a_teacher():
    after = {**RECIPE["after"], "eval_auc": 0.875, "eval_cosine": 0.5}
    teacher = {"weights": {"teacher": 6.0, "mlm": 0.5}, "file": "v.npy", "width": 6}
    found = text(objective="rtd", generator_width=16, detection_weight=50.0, after=after, teacher=teacher)
    assert found.startswith("# ELECTRA\n") and "--method rtd" in found and "AutoDiscriminator" in found
    assert "a generator of width 16" in found and "weight 50; area under its ROC curve 0.875 on held-out lines" in found
    assert (
        "`v.npy`, 6 numbers" in found and "weights teacher 6, mlm 0.5; cosine to it on held-out lines 0.500." in found
    )


def test_it_is_written_into_the_folder(tmp_path):
    model = SimpleNamespace(recipe=RECIPE, backbone=Backbone(), tokenizer=SimpleNamespace(vocab_size=60))
    write_card(tmp_path, model)
    assert (tmp_path / "README.md").read_text("utf-8") == text()
