"""The README.md of an exported folder."""

from __future__ import annotations

from prompt_kit.inference.bundle import LEAST_AGREEMENT, BundleConfig


def model_card(config: BundleConfig) -> str:
    """What a person who is handed the folder needs to know: what it does, how to run it, where it comes from."""
    rows = [
        f"| {label} | {'，'.join(words)} |" for label, words in zip(config.verbalizer.labels, config.verbalizer.words)
    ]
    models = [
        f"| {', '.join(f'`{name}`' for name in config.graph_files(precision))} | {precision} | {config.parity[precision]:.1e} |"
        for precision in config.models
    ]
    scores = [f"- {name}: {value:.4f}" for name, value in config.metrics.items()]
    versions = ", ".join(f"{name} {version}" for name, version in config.versions.items())
    inputs = ", ".join(f"`{name}` {list(shape)}" for name, shape in config.inputs.items())
    outputs = ", ".join(f"`{name}` {list(shape)}" for name, shape in config.outputs.items())
    lines = [
        "# Text classifier",
        "",
        f"Sorts a text into one of {len(config.labels)} labels. Exported by prompt-kit from "
        f"`{config.base_model or 'a masked language model'}` (mode: {config.mode}).",
        "",
        "```",
        "python infer.py --model_path_prefix THIS_FOLDER --text 今晚国足迎战日本队",
        "python infer.py --model_path_prefix THIS_FOLDER < texts.txt > labels.txt",
        "```",
        "",
        "```python",
        "from prompt_kit import Predictor",
        "",
        'Predictor("THIS_FOLDER").predict(["今晚国足迎战日本队"])[0].label',
        "```",
        "",
        "| label | label words |",
        "| --- | --- |",
        *rows,
        "",
        f"Template: `{config.template}`, at most {config.max_seq_length} tokens.",
        "",
        "Score before export:" if scores else "The score of this model was not recorded at export.",
        *([""] + scores if scores else []),
        "",
        "| files | precision | largest difference to the trained model's logits |",
        "| --- | --- | --- |",
        *models,
        "",
        *[f"{_agreement(config, name)}\n" for name in config.agreement],
        f"Inputs, int64: {inputs}. Output, float32: {outputs}.",
        "",
        f"Made with {versions}.",
    ]
    return "\n".join(lines) + "\n"


def _agreement(config: BundleConfig, precision: str) -> str:
    """What a precision keeps of fp32's labels, as a sentence."""
    found, fp32 = config.agreement[precision], config.models["fp32"]
    kept = f"gives {found['share']:.2%} of {found['texts']} texts the label that"
    if precision in config.models:
        return f"`{config.models[precision]}` {kept} `{fp32}` gives."
    return (
        f"`{fp32}` in {precision} (OpenVINO) {kept} it gives in fp32; the largest difference of a probability is "
        f"{found['probability']:.4f}. Below {LEAST_AGREEMENT[precision]:.1%} {precision} is refused."
    )
