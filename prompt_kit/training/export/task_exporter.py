"""Several frozen-model prompts -> one exported folder with one language model (see prompt_kit/inference/tasks.py)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import numpy as np

from prompt_kit.atomic import replace_folder
from prompt_kit.data.lines import PathLike
from prompt_kit.disk import check_space, writing_to
from prompt_kit.errors import BundleError, CheckpointError, ConfigError
from prompt_kit.inference.ensemble import read_models
from prompt_kit.inference.tasks import default_task_name, task_file, write_task
from prompt_kit.prompt_config import BundleConfig, TasksConfig, write_prompt_config
from prompt_kit.prompt_config.kinds import LEAST_AGREEMENT, OUTPUT_NAME, TOKENIZER_FILE
from prompt_kit.prompt_config.tasks import check_task_name, graph_inputs
from prompt_kit.training.export.export_folder import (
    GRAPH,
    ONNX_FILES,
    WEIGHTS,
    check_output_folder,
    copy_entry,
    export_size,
)
from prompt_kit.training.export.exporter import on_cpu
from prompt_kit.training.export.int8 import Int8, to_int8
from prompt_kit.training.export.onnx_graph import convert, open_onnx, save_onnx, to_fp16
from prompt_kit.training.export.parity import (
    CALIBRATION_BATCHES,
    FP16_TOLERANCE,
    TOLERANCE,
    Batches,
    Decisions,
    compare_labels,
    largest_difference,
    probe_batches,
    text_batches,
)
from prompt_kit.training.export.static_graph import run_eager
from prompt_kit.training.export.task_graph import Arrays, TaskGraph, task_arrays
from prompt_kit.training.export.training_folder import open_checkpoint, read_metrics
from prompt_kit.training.models.frozen_base import weights_hash
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.versions import installed_versions


@dataclass
class _Task:
    """A trained task: its model, what its bundle would say, and what it gives the shared graph."""

    folder: Path
    model: PromptModel
    config: BundleConfig
    arrays: Arrays

    def inputs(self, batches: Batches) -> list[dict[str, np.ndarray]]:
        """Batches of its texts as the shared graph takes them."""
        return [{"soft_ids": np.zeros_like(batch["input_ids"]), **batch, **self.arrays} for batch in batches]

    def probes(self) -> Batches:
        return probe_batches(self.model.prompt_tokenizer)


def export_tasks(
    folders: Sequence[PathLike],
    output_dir: PathLike,
    names: Optional[Sequence[str]] = None,
    fp16: bool = True,
    int8: Optional[Sequence[Int8]] = None,
    base_model: Optional[str] = None,
) -> TasksConfig:
    """Export prompts that were trained on one frozen language model as one folder.

    Args:
        folders: that train.py wrote with --freeze_plm, whole or with --save_prompt_only.
        names: of the tasks; None: those of the folders.
        fp16: also write model_fp16.onnx.
        int8: also write model_int8.onnx, with the texts of each task that it is made and compared on.
        base_model: of folders that hold a prompt alone, where it is not where it was.

    Raises:
        BundleError: the exported graph differs from a task's model as in `export_bundle`, or `output_dir` holds something
            else than an export. Nothing is written then.
        CheckpointError: a folder cannot be exported, or the language models are not the same.
        ConfigError: two tasks of one name, or not as many names as folders.
    """
    folder = Path(os.path.abspath(output_dir)).resolve()
    check_output_folder(folder)
    names = _names(folders, names)
    with on_cpu():
        models = {name: open_checkpoint(path, base_model) for name, path in zip(names, folders)}
        base_hash = _check_same_base(dict(zip(names, folders)), models)
        with_prefix = any(model.prefix is not None for model in models.values())
        tasks = {
            name: _Task(Path(path), model, _config(model, path), task_arrays(model, with_prefix))
            for (name, model), path in zip(models.items(), folders)
        }
        return _write(folder, tasks, with_prefix, base_hash, fp16, int8)


def _names(folders: Sequence[PathLike], names: Optional[Sequence[str]]) -> list[str]:
    chosen = [default_task_name(os.fspath(folder)) for folder in folders] if names is None else list(names)
    if len(chosen) != len(folders):
        raise ConfigError(f"--task_names: expected {len(folders)}, one a folder, got {len(chosen)}: {' '.join(chosen)}")
    for name in chosen:
        try:
            check_task_name(name)
        except BundleError as error:
            raise ConfigError(f"--task_names: {error}") from None
    twice = [name for name in chosen if chosen.count(name) > 1]
    if twice:
        raise ConfigError(f"two tasks would be called {twice[0]}; name them all with --task_names")
    return chosen


def _check_same_base(folders: Mapping[str, PathLike], models: Mapping[str, PromptModel]) -> str:
    """The hash of the language model that all tasks have."""
    for name, model in models.items():
        if type(model).method != PromptModel.method:
            raise CheckpointError(
                f"{folders[name]} was trained with --method {model.method}; tasks that share a language model are --method "
                f"{PromptModel.method}: export it by itself"
            )
        if model.config.head == "pair":
            raise CheckpointError(
                f"{folders[name]} reads each of two texts alone, which tasks that share a language model cannot: export it by "
                "itself, or train it with --verbalizer soft"
            )
    hashes = {name: model._base_hash or weights_hash(model.backbone) for name, model in models.items()}
    first, *others = models
    for name in others:
        if hashes[name] != hashes[first]:
            raise CheckpointError(
                f"{folders[name]} has other weights of its language model ({models[name].config.base_model}, "
                f"{hashes[name][:12]}…) than {folders[first]} ({models[first].config.base_model}, {hashes[first][:12]}…); tasks "
                "share one that stays as it is: train each with --freeze_plm on the same --model_name_or_path"
            )
        if not models[name].tokenizer.is_same(models[first].tokenizer):
            raise CheckpointError(
                f"{folders[name]} has another vocabulary than {folders[first]}; train both on the same --model_name_or_path"
            )
    return hashes[first]


def _config(model: PromptModel, folder: PathLike) -> BundleConfig:
    return BundleConfig(
        prompt=model.prompt_tokenizer.to_config(),
        verbalizer=model.verbalizer,
        base_model=model.config.base_model,
        mode=model.config.mode,
        **model.task.to_entries(),
        metrics=read_metrics(folder),
    )


def _write(
    folder: Path, tasks: dict[str, _Task], with_prefix: bool, base_hash: str, fp16: bool, int8: Optional[Sequence[Int8]]
) -> TasksConfig:
    first = next(iter(tasks.values()))
    weights = 4 * sum(parameter.size for parameter in first.model.backbone.parameters())
    expected = {name: [run_eager(task.model, batch)[0] for batch in task.probes()] for name, task in tasks.items()}
    texts = {
        name: text_batches(each.data_dir, task.model.verbalizer, task.model.prompt_tokenizer, task.model.task)
        for (name, task), each in zip(tasks.items(), int8 or ())
    }
    check_space(folder, export_size(weights, fp16, int8 is not None))
    others = check_output_folder(folder)
    with writing_to("cannot export into", folder), replace_folder(folder) as staging:
        TaskGraph(first.model, with_prefix).save(staging / GRAPH)
        inputs = graph_inputs(with_prefix)
        graph_file, params_file = staging / f"{GRAPH}.json", staging / f"{GRAPH}.pdiparams"
        onnx_model = convert(graph_file, params_file, inputs, {OUTPUT_NAME: ("batch", "labels")})
        for path in staging.glob(f"{GRAPH}.*"):  # Paddle's graph is a step on the way; nothing here would run it
            path.unlink()
        models: dict[str, str] = {}
        parity: dict[str, dict[str, float]] = {name: {} for name in tasks}
        agreement: dict[str, dict[str, float]] = {}
        for precision in ("fp32", "fp16") if fp16 else ("fp32",):
            path = staging / ONNX_FILES[precision]
            save_onnx(onnx_model if precision == "fp32" else to_fp16(onnx_model), path, WEIGHTS[precision])
            models[precision] = path.name
            for name, task in tasks.items():
                parity[name][precision] = _parity(path, expected[name], task, precision)
        if int8 is not None:
            merged = {name: tasks[name].inputs(batches) for name, batches in texts.items()}
            decisions = {name: task.config.decisions for name, task in tasks.items()}
            found = _int8(staging, onnx_model, merged, decisions, int8)
            models["int8"] = ONNX_FILES["int8"]
            for name, (difference, _) in found.items():
                parity[name]["int8"] = difference
            agreement["int8"] = {
                "share": min(one["share"] for _, one in found.values()),
                "texts": sum(one["texts"] for _, one in found.values()),
            }
        config = TasksConfig(
            tasks={name: replace(task.config, parity=parity[name]) for name, task in tasks.items()},
            models=models, weights={one: WEIGHTS[one] for one in models}, base_model=first.config.base_model,
            base_sha256=base_hash, agreement=agreement, versions=installed_versions(), inputs=inputs,
        )  # fmt: skip
        for name, task in tasks.items():
            write_task(staging / task_file(name), task.arrays)
        first.model.tokenizer.save(staging / TOKENIZER_FILE)
        write_prompt_config(staging, config)
        (staging / "README.md").write_text(_card(config, staging), encoding="utf-8")
        read_models(staging)  # what was written can be read
        for path in others:
            copy_entry(path, staging)
    return config


def _parity(path: Path, expected: Sequence[np.ndarray], task: _Task, precision: str) -> float:
    """The largest difference to a task's model. BundleError where it is too large."""
    run = open_onnx(path)
    actual = [run(batch) for batch in task.inputs(task.probes())]
    what = f"{path.name} for {task.folder}"
    if precision == "fp32":
        return largest_difference(expected, actual, TOLERANCE, what)
    return largest_difference(expected, actual, FP16_TOLERANCE, what, near_ties=True)


def _int8(
    staging: Path,
    onnx_model: Any,
    texts: Mapping[str, Batches],
    decisions: Mapping[str, Decisions],
    asked: Sequence[Int8],
) -> dict[str, tuple[float, dict[str, float]]]:
    """Write model_int8.onnx; task -> (largest difference of a logit, agreement with model.onnx)."""
    found: dict[str, tuple[float, dict[str, float]]] = {}
    # batches of all tasks in turn, so that those which the channels' sizes are read off are of each
    longest = max(map(len, texts.values()))
    mixed = [batches[row] for row in range(longest) for batches in texts.values() if row < len(batches)]
    run = open_onnx(staging / ONNX_FILES["fp32"])
    wanted = {name: [run(batch) for batch in batches] for name, batches in texts.items()}
    path = staging / ONNX_FILES["int8"]
    for narrowing in (True, False):  # as in the export of one model
        path.unlink(missing_ok=True)
        (staging / WEIGHTS["int8"]).unlink(missing_ok=True)
        # the first texts of each task
        save_onnx(to_int8(onnx_model, mixed[: CALIBRATION_BATCHES * len(texts)], narrowing), path, WEIGHTS["int8"])
        run = open_onnx(path)
        for name, batches in texts.items():
            difference, share = compare_labels(wanted[name], [run(batch) for batch in batches], decisions[name])
            found[name] = difference, {"share": share, "texts": sum(map(len, wanted[name]))}
        if all(one["share"] >= LEAST_AGREEMENT["int8"] for _, one in found.values()):
            break
    for (_, one), each in zip(found.values(), asked):
        each.accept(one)
    return found


def _card(config: TasksConfig, folder: Path) -> str:
    """README.md of the folder."""
    rows = [
        f"| `{name}` | {len(one.labels)} | {_score(one)} | {(folder / task_file(name)).stat().st_size / 1000:.0f} KB |"
        for name, one in config.tasks.items()
    ]
    lines = [
        "# Several tasks on one language model",
        "",
        f"Exported by prompt-kit: {config.base_model}, and what each task adds to it.",
        "",
        "| task | labels | dev accuracy | size |",
        "|---|---|---|---|",
        *rows,
        "",
        "```",
        f"python infer.py --model_path_prefix THIS_FOLDER --task {next(iter(config.tasks))} --text TEXT",
        "```",
    ]
    return "\n".join(lines) + "\n"


def _score(config: BundleConfig) -> str:
    accuracy = config.metrics.get("eval_accuracy")
    return "not known" if accuracy is None else f"{accuracy:.4f}"
