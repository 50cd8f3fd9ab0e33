"""Several models -> one exported folder that predicts with all of them (see ensemble.py)."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, Optional

from prompt_kit.atomic import replace_folder
from prompt_kit.data.lines import PathLike
from prompt_kit.errors import BundleError
from prompt_kit.inference.bundle import read_bundle
from prompt_kit.inference.ensemble import read_models
from prompt_kit.prompt_config import CONFIG_FILE, EnsembleConfig, kind_of, write_prompt_config
from prompt_kit.versions import installed_versions

_IF_THERE = ("model.json", "model.pdmodel", "model.pdiparams", "README.md")  # Paddle's static graph, and the card


def write_ensemble(
    output_dir: PathLike,
    labels: Sequence[str],
    members: Sequence[tuple[Callable[[Path], object], float]],
    metrics: Optional[Mapping[str, float]] = None,
) -> EnsembleConfig:
    """Write the folder `output_dir`, whole or not at all; an earlier ensemble there is replaced.

    Args:
        labels: of every member, in the order of ids.
        members: for each a function that writes its bundle into the folder that it is given, and its weight.
        metrics: scores of the whole to record, such as {"eval_accuracy": 0.59}.

    Raises:
        BundleError: `output_dir` holds something else than an ensemble, or a member has other labels. Nothing is
            written then, as when a member's function raises.
    """
    folder = Path(os.path.abspath(output_dir)).resolve()
    _check_output_folder(folder)
    names = [f"member-{number}" for number in range(len(members))]
    weights = {name: weight for name, (_, weight) in zip(names, members)}
    config = EnsembleConfig(weights, tuple(labels), dict(metrics or {}), installed_versions())
    try:
        with replace_folder(folder) as staging:
            for name, (write, _) in zip(names, members):
                write(staging / name)
            write_prompt_config(staging, config)
            (staging / "README.md").write_text(_card(config), encoding="utf-8")
            read_models(staging)  # what was written can be read
    except OSError as error:
        raise BundleError(f"cannot write {folder}: {error.strerror or error}") from error
    return config


def copy_bundle(source: PathLike, folder: Path) -> None:
    """Copy a bundle of one model, the files that it needs and no others, into the new folder `folder`."""
    source, config = Path(source), read_bundle(source)
    folder.mkdir(parents=True)
    graphs = (*config.models.values(), *config.weights.values())
    extra = [name for name in (*graphs, *_IF_THERE) if (source / name).is_file()]
    for name in dict.fromkeys([CONFIG_FILE, config.tokenizer, *extra]):
        shutil.copyfile(source / name, folder / name)


def _check_output_folder(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BundleError(f"{folder} is a file; expected a folder for the export")
    if not any(folder.iterdir()):
        return
    if kind_of(folder) != EnsembleConfig.kind:
        raise BundleError(f"{folder} is neither empty nor an exported ensemble; give an output folder that is")


def _card(config: EnsembleConfig) -> str:
    """What a person who is handed the folder needs to know."""
    total = sum(config.members.values())
    lines = [
        *_front_matter(config),
        "# Text classifier",
        "",
        f"Sorts a text into one of {len(config.labels)} labels: {len(config.members)} models, the weighted mean of whose",
        "probabilities decides. Made by prompt-kit. Keep the folder whole.",
        "",
        "```",
        "python infer.py --model_path_prefix THIS_FOLDER --text 今晚国足迎战日本队",
        "```",
        "",
        "| model | share of the mean |",
        "| --- | --- |",
        *[f"| [`{name}`]({name}) | {weight / total:.4f} |" for name, weight in config.members.items()],
        "",
        *[f"- {name}: {value:.4f}" for name, value in config.metrics.items()],
    ]
    return "\n".join(lines).rstrip() + "\n"


def _front_matter(config: EnsembleConfig) -> list[str]:
    """YAML between two lines of dashes, with the fields that Hugging Face reads. The values are JSON, which is YAML too."""
    metrics = [
        {"type": "f1" if name.endswith("f1") else "accuracy", "value": round(float(value), 4), "name": name}
        for name, value in config.metrics.items()
        if name.endswith(("accuracy", "f1"))
    ]
    splits = "dev.txt" if any(name.startswith("eval_") for name in config.metrics) else "labelled texts"
    result = {"task": {"type": "text-classification"}, "dataset": {"name": splits, "type": "text"}, "metrics": metrics}
    content: dict[str, Any] = {
        "language": ["zh"] if re.search("[\u3400-\u9fff]", "".join(config.labels)) else None,
        "library_name": "prompt-kit",
        "pipeline_tag": "text-classification",
        "tags": ["text-classification", "few-shot", "prompt-learning", "ensemble", "onnx"],
        "model-index": [{"name": "prompt-kit ensemble", "results": [result]}] if metrics else None,
    }
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in content.items() if value is not None]
    return ["---", *lines, "---", ""]
