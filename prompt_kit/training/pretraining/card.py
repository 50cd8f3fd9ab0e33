"""The README.md of a language model that tools/pretrain.py made: what it is, how it was trained, how to use it."""

from __future__ import annotations

from pathlib import Path

from prompt_kit.atomic import replace_file
from prompt_kit.training.pretraining.masked_lm import MaskedLanguageModel


def write_card(folder: Path, model: MaskedLanguageModel) -> None:
    """Write the card into `folder`."""
    with replace_file(Path(folder) / "README.md") as staging, open(staging, "w", encoding="utf-8") as file:
        file.write(card(model))


def card(model: MaskedLanguageModel) -> str:
    """Everything in it is from the recipe and the configuration."""
    recipe, config = model.recipe, model.backbone.config
    size = sum(parameter.size for parameter in model.backbone.parameters())
    files = ", ".join(f"`{name}` ({lines} lines)" for name, lines in recipe["files"].items())
    excluded = ", ".join(f"`{name}`" for name in recipe["excluded_files"]) or "no file"
    rows = [
        f"| {when} | {recipe[when]['eval_loss']:.4f} | {recipe[when]['eval_accuracy']:.2%} |"
        for when in ("before", "after")
        if recipe.get(when)
    ]
    measured = [
        f"On {recipe['held_out_lines']} held-out lines, hidden words only:",
        "",
        "| training | loss | masked accuracy |",
        "| --- | --- | --- |",
        *rows,
        "",
    ]
    electra = recipe.get("objective") == "rtd"
    lines = [
        "# ELECTRA" if electra else "# Masked language model",
        "",
        f"`{recipe['base_model']}` trained further by prompt-kit's tools/pretrain.py."
        if recipe["base_model"]
        else "Trained from nothing by prompt-kit's tools/pretrain.py.",
        "",
        "```",
        f"python train.py --do_train --do_eval {'--method rtd ' if electra else ''}--model_name_or_path THIS_FOLDER",
        "```",
        "",
        f"PaddleNLP loads it with `{'AutoDiscriminator' if electra else 'AutoModelForMaskedLM'}.from_pretrained(THIS_FOLDER)`.",
        "",
        f"- `{type(model.backbone).__name__}`: {config.num_hidden_layers} layers, width {config.hidden_size}, "
        f"{model.tokenizer.vocab_size} word pieces, {size / 1e6:.1f} million parameters.",
        f"- Text: {files}; {recipe['lines']} lines and {recipe['tokens']} tokens after repeated lines and those of "
        f"{excluded} were left out. The terms of these texts hold for the model too.",
        f"- {recipe['steps']} steps, {recipe['epochs']} epochs, in batches of {recipe['batch_tokens']} tokens at most"
        f"{_times(recipe)}; seed {recipe['seed']}.",
        f"- Whole words (jieba) hidden with probability {recipe['mask_probability']}: 80 % [MASK], 10 % a random piece, "
        "10 % left as they are.",
        f"- AdamW, rate {recipe['learning_rate']:g} after {recipe['warmup_ratio']:.0%} of warm-up, falling to 0; beta2 "
        f"{recipe['adam_beta2']}, weight decay {recipe['weight_decay']}, gradients clipped at {recipe['max_grad_norm']}.",
        *_taught(recipe),
        *_detected(recipe),
        "",
        *(measured if rows else []),
        f"Made with {', '.join(f'{name} {version}' for name, version in recipe['versions'].items())}.",
    ]
    return "\n".join(lines) + "\n"


def _detected(recipe: dict) -> list[str]:
    if recipe.get("objective") != "rtd":
        return []
    found = [recipe[when]["eval_auc"] for when in ("before", "after") if "eval_auc" in (recipe.get(when) or {})]
    measured = (
        f"; area under its ROC curve {' -> '.join(f'{value:.3f}' for value in found)} on held-out lines"
        if found
        else ""
    )
    return [
        f"- Replaced-token detection: a generator of width {recipe['generator_width']}, in the folder `generator`, fills in the "
        f"hidden words, and this discriminator tells which of its tokens are not the original ones; weight "
        f"{recipe['detection_weight']:g}{measured}. Loss and masked accuracy below are the generator's."
    ]


def _taught(recipe: dict) -> list[str]:
    teacher = recipe.get("teacher")
    if not teacher:
        return []
    weights = ", ".join(f"{name} {value:g}" for name, value in teacher["weights"].items())
    cosines = [recipe[when]["eval_cosine"] for when in ("before", "after") if "eval_cosine" in (recipe.get(when) or {})]
    measured = f"; cosine to it on held-out lines {' -> '.join(f'{value:.3f}' for value in cosines)}" if cosines else ""
    return [
        f"- Distillation: mask states of several templates, [CLS] and the mean told another encoder's vectors "
        f"(`{teacher['file']}`, {teacher['width']} numbers, their mean taken off) through projections that are not kept; "
        f"weights {weights}{measured}. The terms of that encoder may hold for the model too."
    ]


def _times(recipe: dict) -> str:
    many = recipe["processes"] * recipe["gradient_accumulation_steps"]
    return f", {many} of them a step" if many > 1 else ""
