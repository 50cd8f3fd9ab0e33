"""prompt_config.json: what a folder of prompt-kit says of itself. One schema, of three kinds of folder.

kind      what the folder is, and so which class reads it: "model" (training wrote it), "bundle" (exported), "ensemble"
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

__all__ = [
    "CONFIG_FILE", "METHODS", "BundleConfig", "EnsembleConfig", "ModelConfig", "PromptConfig", "kind_of", "read_prompt_config",
    "write_prompt_config",
]  # fmt: skip
