"""Few-shot text classification by prompts, native to PaddlePaddle."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from prompt_kit.versions import __version__

if TYPE_CHECKING:
    from prompt_kit.predictor import Predictor
    from prompt_kit.template import Template
    from prompt_kit.training.arguments import PromptTrainingArguments
    from prompt_kit.training.finetuning import FineTuneModel
    from prompt_kit.training.modeling import PromptModel
    from prompt_kit.training.trainer import PromptTrainer
    from prompt_kit.verbalizer import Verbalizer

__all__ = [
    "FineTuneModel",
    "Predictor",
    "PromptModel",
    "PromptTrainer",
    "PromptTrainingArguments",
    "Template",
    "Verbalizer",
    "__version__",
]

_MODULES = {
    "FineTuneModel": "prompt_kit.training.finetuning",
    "Predictor": "prompt_kit.predictor",
    "PromptModel": "prompt_kit.training.modeling",
    "PromptTrainer": "prompt_kit.training.trainer",
    "PromptTrainingArguments": "prompt_kit.training.arguments",
    "Template": "prompt_kit.template",
    "Verbalizer": "prompt_kit.verbalizer",
}


def __getattr__(name: str):
    """Import on first use: prediction must not pay for Paddle, nor need it."""
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'prompt_kit' has no attribute '{name}'")
