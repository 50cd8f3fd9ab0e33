"""prompt_config.json: what a folder of prompt-kit says of itself. One schema, of four kinds of folder.

kind      what the folder is, and so which class reads it: "model" (training wrote it), "bundle" (exported), "ensemble",
          "task_set" (several tasks on one language model)
mode      how it was made: trained by which method, zero-shot, or put together; it decides nothing
"""

from prompt_kit.prompt_config.file import (
    CONFIG_FILE,
    METHODS,
    PromptConfig,
    kind_of,
    read_prompt_config,
    write_prompt_config,
)
from prompt_kit.prompt_config.kinds import BundleConfig, EnsembleConfig, ModelConfig
from prompt_kit.prompt_config.tasks import TasksConfig

__all__ = [
    "CONFIG_FILE", "METHODS", "BundleConfig", "EnsembleConfig", "ModelConfig", "PromptConfig", "TasksConfig", "kind_of",
    "read_prompt_config", "write_prompt_config",
]  # fmt: skip
