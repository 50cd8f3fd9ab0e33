"""The folder that an export writes into: its files, what must not be written over, and how much space it takes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import BundleError
from prompt_kit.inference.carried_examples import EXAMPLES_FILE
from prompt_kit.inference.tasks import TASK_FILE
from prompt_kit.prompt_config import CONFIG_FILE, BundleConfig, EnsembleConfig, TasksConfig, kind_of
from prompt_kit.prompt_config.kinds import TOKENIZER_FILE
from prompt_kit.training.runtime import require

GRAPH = "model"
ONNX_FILES = {"fp32": "model.onnx", "fp16": "model_fp16.onnx", "int8": "model_int8.onnx"}
WEIGHTS = {precision: f"{name}.data" for precision, name in ONNX_FILES.items()}  # named as PyTorch's exporter does
GRAPH_FILES = ("model.json", "model.pdmodel", "model.pdiparams", "model.pdiparams.info")
EXPORTED = (BundleConfig.kind, EnsembleConfig.kind, TasksConfig.kind)  # kinds of exported folders
_BUNDLE_FILES = {*GRAPH_FILES, *ONNX_FILES.values(), *WEIGHTS.values(), TOKENIZER_FILE, CONFIG_FILE, EXAMPLES_FILE,
                 "README.md"}  # fmt: skip
_GRAPHS = 3 * 10**6  # bytes, at most, of all that is not weights


def export_size(weights: int, fp16: bool, int8: bool) -> int:
    """About how many bytes an export is whose static graph has weights of `weights` bytes: graph, model.onnx, the others.

    Paddle and its converter are told nothing of a full disk: one ends the process, the other blames the graph.
    """
    return int(weights * (2 + 0.5 * fp16 + 0.5 * int8)) + _GRAPHS


def check_export(folder: PathLike) -> None:
    """Raise, before a model is trained, what would keep it from being exported into `folder`.

    BundleError: it holds something else than an export. DependencyError: a package of the export is not installed.
    """
    for module in ("paddle2onnx", "onnx", "onnxruntime"):
        require(module)
    check_output_folder(Path(os.path.abspath(folder)))


def is_export(folder: PathLike) -> bool:
    """Whether a folder is empty, or what an export left, of one model or of several."""
    folder = Path(folder)
    if not folder.is_dir():
        return False
    if kind_of(folder) in EXPORTED:
        return True
    try:
        return not check_output_folder(folder)
    except BundleError:
        return False


def check_output_folder(folder: Path) -> list[Path]:
    """Entries of `folder` that an export must keep. BundleError when it holds something else than an export."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise BundleError(f"{folder} is a file; expected a folder for the export")
    entries = sorted(folder.iterdir())
    names = {path.name for path in entries if not TASK_FILE.fullmatch(path.name)}
    left_by_export = names <= _BUNDLE_FILES and names & {*GRAPH_FILES, *ONNX_FILES.values()}
    if entries and not left_by_export and kind_of(folder) not in (BundleConfig.kind, TasksConfig.kind):
        shown = ", ".join(sorted(names)[:5]) + (", …" if len(names) > 5 else "")
        raise BundleError(
            f"{folder} is not empty and not an exported folder (it has {shown}); give an --output_dir that is new, empty or "
            "an earlier export"
        )
    return [path for path in entries if path.name not in _BUNDLE_FILES and not TASK_FILE.fullmatch(path.name)]


def copy_entry(path: Path, folder: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.copytree(path, folder / path.name, symlinks=True)
    else:
        shutil.copy2(path, folder / path.name, follow_symlinks=False)
