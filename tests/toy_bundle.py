"""An exported folder whose answers can be computed by hand: 球 and 队 score sports, 车 car, 股 and 票 finance.

With states: those of 球, 车, 股 and 新 are four directions, and 队's is 0.6 of the first and 0.8 of the last.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Optional

from prompt_kit.inference.ensemble_export import copy_bundle, write_ensemble
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.task import ONE_LABEL, Task
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.prompt_config import BundleConfig, write_prompt_config

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "是", "球", "队", "车", "股", "票", "新"]
LABELS = Verbalizer.from_lines(["sports==球队", "car==车", "finance==股票"])
TEMPLATE = "{'text': 'text_a'}{'hard': '是'}{'mask'}"
STATES_GRAPH = Path(__file__).parent / "golden" / "sum_of_tokens_states.onnx"
GRAPH = Path(__file__).parent / "golden" / "sum_of_tokens.onnx"


def toy_config(task: Task = ONE_LABEL, **changes) -> BundleConfig:
    prompt_tokenizer = PromptTokenizer(Template.parse(TEMPLATE), Tokenizer.from_vocab(VOCABULARY), max_seq_length=16)
    models = {"fp32": "model.onnx", "fp16": "model_fp16.onnx"}
    config = {"prompt": prompt_tokenizer.to_config(), "verbalizer": LABELS, "models": models, "base_model": "toy"}
    return BundleConfig(**{**config, **task.to_entries(), **changes})


def write_toy_bundle(folder: Path, **changes) -> Path:
    """Write the folder; `changes` go into its configuration."""
    folder.mkdir(parents=True)
    shutil.copyfile(GRAPH, folder / "model.onnx")
    Tokenizer.from_vocab(VOCABULARY).save(folder / "tokenizer.json")
    write_prompt_config(folder, toy_config(**changes))
    return folder


def write_toy_bundle_with_states(folder: Path, scale: Optional[float] = 10.0) -> Path:
    """Write a folder whose graph has states [B, 4] too."""
    write_toy_bundle(folder, states=4, scale=scale)
    shutil.copyfile(STATES_GRAPH, folder / "model.onnx")
    return folder


def write_toy_ensemble(folder: Path, bundles, weights=(1.0, 1.0), labels=LABELS.labels) -> Path:
    """Write an ensemble of copies of these bundles."""
    parts = [(lambda to, source=source: copy_bundle(source, to), weight) for source, weight in zip(bundles, weights)]
    write_ensemble(folder, labels, parts, {"eval_accuracy": 0.5})
    return folder


def edit_config(folder: Path, **changes) -> None:
    """Change keys of prompt_config.json; None takes a key away."""
    path = folder / "prompt_config.json"
    config = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not None}), encoding="utf-8")
