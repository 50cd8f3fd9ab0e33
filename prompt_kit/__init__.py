"""Few-shot text classification by prompts, native to PaddlePaddle."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from prompt_kit.versions import __version__

if TYPE_CHECKING:
    from prompt_kit.classifier import PromptClassifier
    from prompt_kit.inference.predictor import Predictor
    from prompt_kit.prompt.template import Template
    from prompt_kit.prompt.verbalizer import Verbalizer
    from prompt_kit.training.loop.arguments import PromptTrainingArguments
    from prompt_kit.training.loop.trainer import PromptTrainer
    from prompt_kit.training.models.finetune_model import FineTuneModel
    from prompt_kit.training.models.prompt_model import PromptModel
    from prompt_kit.training.models.replaced_token_model import ReplacedTokenModel

__all__ = [
    "FineTuneModel",
    "Predictor",
    "PromptClassifier",
    "PromptModel",
    "PromptTrainer",
    "PromptTrainingArguments",
    "ReplacedTokenModel",
    "Template",
    "Verbalizer",
    "__version__",
]

_MODULES = {
    "FineTuneModel": "prompt_kit.training.models.finetune_model",
    "Predictor": "prompt_kit.inference.predictor",
    "PromptClassifier": "prompt_kit.classifier",
    "PromptModel": "prompt_kit.training.models.prompt_model",
    "PromptTrainer": "prompt_kit.training.loop.trainer",
    "PromptTrainingArguments": "prompt_kit.training.loop.arguments",
    "ReplacedTokenModel": "prompt_kit.training.models.replaced_token_model",
    "Template": "prompt_kit.prompt.template",
    "Verbalizer": "prompt_kit.prompt.verbalizer",
}

# ONNX Runtime's wheels for Linux from 1.29 on send what they run (names and hashes of models) to their makers, unless this is
# set before they are imported. Nothing of a user's leaves this machine unasked; whoever wants it sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def __getattr__(name: str) -> Any:
    """Import on first use: prediction must not pay for Paddle, nor need it."""
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'prompt_kit' has no attribute '{name}'")
