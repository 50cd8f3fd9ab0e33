"""The exported folder of one model: where it is, that it is whole, and its tokenizer.

    model.onnx [model_fp16.onnx] [model_int8.onnx], each with its weights in *.onnx.data  model.json model.pdiparams
    tokenizer.json  prompt_config.json  README.md

Only JSON and ONNX are read from it, nothing that could run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import BundleError, PromptKitError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt_config import CONFIG_FILE, BundleConfig, read_prompt_config
from prompt_kit.prompt_config.kinds import DEFAULT_PRECISION, EXPORT_AGAIN


def bundle_folder(path: PathLike) -> Path:
    """The absolute folder of a bundle given as the folder, as PaddleNLP's prefix (folder/model), or as a file in it.

    Raises BundleError when neither the path nor its parent is a folder.
    """
    absolute = Path(os.path.abspath(path))
    for folder in (absolute, absolute.parent):
        if os.path.isdir(folder):  # False too for a name that no system takes
            return folder
    raise BundleError(f"no exported model at {absolute}: there is no folder {absolute.parent}; {EXPORT_AGAIN}")


def read_bundle(path: PathLike) -> BundleConfig:
    """Read and check a bundle's prompt_config.json, and that the files it needs are there.

    Raises BundleError, one line with the absolute path: no such folder, missing or damaged prompt_config.json, another
    format_version, labels that do not fit the graph's output, tokenizer.json, model.onnx or its weights missing.
    """
    folder = bundle_folder(path)
    config = read_prompt_config(folder, BundleConfig)
    for name in (config.tokenizer, *config.graph_files(DEFAULT_PRECISION)):
        bundle_file(folder, name)
    return config


def bundle_file(folder: PathLike, name: str) -> Path:
    """The absolute path of a file of a bundle; BundleError when it is not there."""
    path = Path(os.path.abspath(folder)) / name
    if not os.path.isfile(path):
        raise BundleError(f"{path} is missing: the exported folder is incomplete; copy it whole, or {EXPORT_AGAIN}")
    return path


def load_prompt_tokenizer(
    folder: PathLike, config: BundleConfig, max_seq_length: Optional[int] = None
) -> PromptTokenizer:
    """The bundle's template and tokenizer, as `config` has them, or with a shorter `max_seq_length`.

    Raises BundleError for a damaged tokenizer.json or settings, ConfigError when the prompt leaves no room.
    """
    tokenizer_path = bundle_file(folder, config.tokenizer)
    try:
        tokenizer = Tokenizer.from_file(tokenizer_path)
        whole = PromptTokenizer.from_config(config.prompt, tokenizer)
    except PromptKitError as error:
        where = "" if str(tokenizer_path) in str(error) else f"{tokenizer_path.parent / CONFIG_FILE}: "
        raise BundleError(f"{where}{error}") from None
    if max_seq_length in (None, config.max_seq_length):
        return whole
    return PromptTokenizer.from_config({**config.prompt, "max_seq_length": max_seq_length}, tokenizer)
