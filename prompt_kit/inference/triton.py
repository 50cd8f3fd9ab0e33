"""An exported folder -> a model repository of NVIDIA Triton, for its onnxruntime backend.

    REPOSITORY/NAME/config.pbtxt   REPOSITORY/NAME/1/model.onnx   REPOSITORY/NAME/1/model.onnx.data

The graph takes ids: who calls it tokenizes with the folder's template and tokenizer, as `prompt_kit.Predictor` does, and gets
logits. https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_configuration.md
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from prompt_kit.atomic import replace_folder
from prompt_kit.data.lines import PathLike
from prompt_kit.errors import BundleError, ConfigError
from prompt_kit.prompt_config import BundleConfig
from prompt_kit.prompt_config.kinds import Axes

GRAPH_NAME = "model.onnx"  # what the backend looks for
_NAME = re.compile(r"[\w.-]{1,100}", re.ASCII)
_MOST = 64  # texts that Triton puts together
_WAIT = 2000  # microseconds that a request waits for others


def write_triton(
    bundle: PathLike, config: BundleConfig, repository: PathLike, name: str, precision: str = "fp32"
) -> Path:
    """Write the model's folder in a repository, whole or not at all; a model of that name there is replaced.

    Args:
        bundle: an exported folder, and `config` what it says of itself.
        precision: which of its graphs.

    Returns:
        The model's folder. Raises ConfigError for a name that no folder should have, BundleError for a precision that was
        not exported and a folder of that name that is no model of Triton's.
    """
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise ConfigError(f"--triton_name {name!r}: expected letters, digits, '.', '-' and '_', as in news")
    if precision not in config.models:
        raise BundleError(
            f"{bundle} has no {precision} model, only {', '.join(config.models)}; export it, or use another"
        )
    folder = Path(os.path.abspath(repository)) / name
    if folder.exists() and not (folder / "config.pbtxt").is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(f"{folder} is there and is no model of a Triton repository; give another --triton folder")
    graph, *weights = config.graph_files(precision)
    with replace_folder(folder) as staging:
        (staging / "1").mkdir()
        shutil.copyfile(Path(bundle) / graph, staging / "1" / GRAPH_NAME)
        for file in weights:  # by the name that stands in the graph
            shutil.copyfile(Path(bundle) / file, staging / "1" / file)
        (staging / "labels.txt").write_text("\n".join(config.labels) + "\n", encoding="utf-8")
        (staging / "config.pbtxt").write_text(config_text(config, name), encoding="utf-8")
    return folder


def config_text(config: BundleConfig, name: str) -> str:
    """config.pbtxt, protobuf's text format of inference.ModelConfig."""
    inputs = _tensors("input", "TYPE_INT64", config.inputs)
    outputs = _tensors("output", "TYPE_FP32", config.outputs)
    outputs[0] = outputs[0].replace(" }", ' label_filename: "labels.txt" }')  # the logits
    return "\n".join(
        [
            f'name: "{name}"',
            'backend: "onnxruntime"',
            f"max_batch_size: {_MOST}",
            *inputs,
            *outputs,
            "instance_group [ { count: 1 kind: KIND_AUTO } ]",
            f"dynamic_batching {{ max_queue_delay_microseconds: {_WAIT} }}",
            "",
        ]
    )


def _tensors(kind: str, data_type: str, axes: Mapping[str, Axes]) -> list[str]:
    """One line a tensor; the batch, which comes first, is left out, and a length that is free is -1."""
    lines = []
    for name, sizes in axes.items():
        dims = ", ".join(str(size) if isinstance(size, int) else "-1" for size in sizes[1:])
        lines.append(f'{kind} {{ name: "{name}" data_type: {data_type} dims: [ {dims} ] }}')
    return lines
