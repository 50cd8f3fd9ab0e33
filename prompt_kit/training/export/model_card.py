"""The README.md of a training folder and of an exported one, with the front matter that Hugging Face reads.

Written without the network. The licence is the owner's to choose, so the front matter names none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from prompt_kit.metrics import wilson_interval
from prompt_kit.prompt.task import HIERARCHICAL, ONE_LABEL, Task
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.prompt_config.kinds import LEAST_AGREEMENT, BundleConfig

# A card without this line is its owner's, and is not written over.
MARKER = "<!-- Written by prompt-kit. Remove this line to keep what you change from being overwritten. -->"
_IDEOGRAPH = re.compile("[\u3400-\u9fff]")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_SPLITS = {"eval": "dev.txt", "test": "test.txt"}


@dataclass(frozen=True)
class CardFacts:
    """What the two cards have in common.

    task   what kind of answer a text has
    about  what the results files of the run hold: scores, how many texts they are of, data fingerprint, seed, …
    """

    base_model: str
    mode: str
    verbalizer: Verbalizer
    template: str
    max_seq_length: int
    about: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    task: Task = ONE_LABEL


@dataclass(frozen=True)
class _Score:
    """An accuracy, the texts that it is of, and its 95 % interval; the last two None where nobody counted."""

    split: str
    accuracy: float
    texts: Optional[int]
    macro_f1: Optional[float]

    @property
    def interval(self) -> Optional[tuple[float, float]]:
        return None if self.texts is None else wilson_interval(round(self.accuracy * self.texts), self.texts)


def training_card(facts: CardFacts) -> str:
    """The card of a training folder."""
    loading = [
        "```",
        "python train.py --do_predict --resume_from_checkpoint THIS_FOLDER --data_dir DATA --output_dir predictions",
        "python export.py --resume_from_checkpoint THIS_FOLDER",
        "```",
        "",
        "```python",
        "from prompt_kit import PromptModel",
        "",
        'model = PromptModel.from_pretrained("THIS_FOLDER")',
        "```",
    ]
    made = f"Trained by prompt-kit from {_code(facts.base_model)} (mode: {facts.mode})."
    return _card(facts, made, loading, [])


def model_card(config: BundleConfig, about: Optional[Mapping[str, Any]] = None) -> str:
    """The card of an exported folder; `about` as in CardFacts, else the scores alone that the folder records."""
    facts = CardFacts(
        config.base_model, config.mode, config.verbalizer, str(config.template), config.max_seq_length,
        {**config.metrics, **(about or {})}, config.versions, config.task,
    )  # fmt: skip
    loading = [
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
    ]
    made = f"Exported by prompt-kit from {_code(config.base_model or 'a masked language model')} (mode: {config.mode})."
    return _card(facts, made, loading, _files(config))


def _card(facts: CardFacts, made: str, loading: Sequence[str], files: Sequence[str]) -> str:
    rows = [
        f"| {_cell(label)} | {_cell('，'.join(words))} |"
        for label, words in zip(facts.verbalizer.labels, facts.verbalizer.words)
    ]
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    lines = [
        *_front_matter(facts, "onnx" if files else "safetensors"),
        MARKER,
        "",
        "# Text classifier",
        "",
        f"{_purpose(facts)} {made}",
        "",
        "## How to load it",
        "",
        *loading,
        "",
        "## Labels and template",
        "",
        "| label | label words |",
        "| --- | --- |",
        *rows,
        "",
        f"Template: {_code(facts.template)}, at most {facts.max_seq_length} tokens.",
        "",
        "## Scores",
        "",
        *_scores(facts.about),
        "",
        *_data(facts.about),
        "## Limits",
        "",
        *_limits(facts),
        "",
        *files,
        f"Made with {versions}.",
    ]
    return "\n".join(lines) + "\n"


def _purpose(facts: CardFacts) -> str:
    number, task = len(facts.verbalizer), facts.task
    if not task.several:
        return f"Sorts a text into one of {number} labels."
    least = "; at least the most probable one" if task.at_least_one else ""
    levels = ", each with those above it" if task.kind == HIERARCHICAL else ""
    return (
        f"Gives a text any of {number} labels{levels}: those whose probability reaches {task.threshold:.4f}{least}. The accuracy "
        "below is the share of texts all of whose labels are right."
    )


def _front_matter(facts: CardFacts, kind: str) -> list[str]:
    """YAML between two lines of dashes. The values are JSON, which is YAML too."""
    words = "".join((facts.template, *facts.verbalizer.labels, *(w for of in facts.verbalizer.words for w in of)))
    content: dict[str, Any] = {
        "language": ["zh"] if _IDEOGRAPH.search(words) else None,
        "library_name": "prompt-kit",
        "pipeline_tag": "text-classification",
        "tags": ["text-classification", "few-shot", "prompt-learning", "paddlepaddle", kind],
        "base_model": facts.base_model if _HUB_NAME.fullmatch(facts.base_model) else None,
        "model-index": [{"name": "prompt-kit text classifier", "results": _results(facts.about)}],
    }
    if not content["model-index"][0]["results"]:
        del content["model-index"]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in content.items() if value is not None]
    return ["---", *lines, "---"]


def _results(about: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for score in _measured(about):
        name = f"{score.split} (data fingerprint {about['data']})" if about.get("data") else score.split
        metrics: list[dict[str, Any]] = [{"type": "accuracy", "value": round(score.accuracy, 4), "name": "Accuracy"}]
        if score.interval is not None:
            low, high = score.interval
            metrics[0]["name"] = f"Accuracy on {score.texts} texts, 95 % interval {low:.4f} to {high:.4f}"
        if score.macro_f1 is not None:
            metrics.append({"type": "f1", "value": round(score.macro_f1, 4), "name": "Macro F1"})
        found.append(
            {
                "task": {"type": "text-classification"},
                "dataset": {"name": name, "type": "text"},
                "metrics": metrics,
            }
        )
    return found


def _measured(about: Mapping[str, Any]) -> list[_Score]:
    found = []
    for name, split in _SPLITS.items():
        accuracy, texts, f1 = (about.get(f"{name}_{key}") for key in ("accuracy", "samples", "macro_f1"))
        if isinstance(accuracy, (int, float)):
            where = about.get("eval_by", split) if name == "eval" else split
            counted = texts if isinstance(texts, int) and texts > 0 else None
            found.append(_Score(where, float(accuracy), counted, f1 if isinstance(f1, (int, float)) else None))
    return found


def _scores(about: Mapping[str, Any]) -> list[str]:
    measured = _measured(about)
    if not measured:
        return ["The score of this model was not recorded."]
    rows = []
    for one in measured:
        texts = "not recorded" if one.texts is None else str(one.texts)
        interval = "" if one.interval is None else f"{one.interval[0]:.4f} to {one.interval[1]:.4f}"
        f1 = "" if one.macro_f1 is None else f"{one.macro_f1:.4f}"
        rows.append(f"| {one.split} | {texts} | {one.accuracy:.4f} | {interval} | {f1} |")
    note = ["", "Of several models of a run the best on dev.txt is kept, so that score is likely a little high."]
    dev = any(one.split == "dev.txt" for one in measured)
    return [
        "| on | texts | accuracy | 95 % interval (Wilson) | macro F1 |", "| --- | --- | --- | --- | --- |", *rows,
        *(note if dev else []),
    ]  # fmt: skip


def _data(about: Mapping[str, Any]) -> list[str]:
    if not about.get("data"):
        return []
    shots = f"; {about['num_shots']} examples a label were drawn from train.txt" if about.get("num_shots") else ""
    seed = f", seed {about['seed']}" if about.get("seed") is not None else ""
    return ["## Data", "", f"Fingerprint of the files that the run read: `{about['data']}`{seed}{shots}.", ""]


def _limits(facts: CardFacts) -> list[str]:
    trained = {
        "zero-shot": "No example has trained it: the language model and the label words alone decide.",
        "finetune": "Its classifier has no label words: what it knows of the labels are its training examples.",
    }
    always = not facts.task.several or facts.task.at_least_one
    anything = ": a text about anything else gets one of them all the same." if always else "."
    return [
        f"- It knows these {len(facts.verbalizer)} labels alone{anything}",
        f"- It reads {facts.max_seq_length} tokens at most, the template's among them; what is longer is cut.",
        "- The scores hold for texts like those that they were measured on.",
        *[f"- {line}" for line in [trained.get(facts.mode)] if line],
    ]


def _files(config: BundleConfig) -> list[str]:
    """The exported graphs: files, precision, what they take and give."""
    models = [
        f"| {', '.join(f'`{name}`' for name in config.graph_files(precision))} | {precision} | {config.parity[precision]:.1e} |"
        for precision in config.models
    ]
    inputs = ", ".join(f"`{name}` {list(shape)}" for name, shape in config.inputs.items())
    outputs = ", ".join(f"`{name}` {list(shape)}" for name, shape in config.outputs.items())
    return [
        "## Files",
        "",
        "| files | precision | largest difference to the trained model's logits |",
        "| --- | --- | --- |",
        *models,
        "",
        *[f"{_agreement(config, name)}\n" for name in config.agreement],
        f"Inputs, int64: {inputs}. Output, float32: {outputs}.",
        "",
    ]


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


def _code(text: str) -> str:
    """Code in Markdown, whatever backticks are in it."""
    return f"`{text}`" if "`" not in text else f"`` {text} ``"


def _cell(text: str) -> str:
    """A cell of a table: a bar would end it, and < would begin HTML."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
