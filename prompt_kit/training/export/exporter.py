"""PromptModel -> Paddle static graph -> ONNX, checked against the model -> an exported folder (see bundle.py).

Everything is made in a staging folder, which takes the output folder's place only when the exported graph has given
the same answers as the model. The model itself is copied first, so an export in the middle of training changes nothing.
"""

from __future__ import annotations

import contextlib
import copy
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Optional

import paddle

from prompt_kit.atomic import replace_folder
from prompt_kit.data.lines import PathLike
from prompt_kit.disk import check_space, writing_to
from prompt_kit.errors import BundleError, ConfigError
from prompt_kit.inference.bundle import bundle_file, load_prompt_tokenizer, read_bundle
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt_config import (
    BundleConfig,
    read_prompt_config,
    write_prompt_config,
)
from prompt_kit.prompt_config.kinds import LEAST_AGREEMENT, TOKENIZER_FILE
from prompt_kit.training.export.bf16 import Bf16, can_compare, compare_bf16
from prompt_kit.training.export.export_folder import (
    GRAPH,
    GRAPH_FILES,
    ONNX_FILES,
    WEIGHTS,
    check_export,
    check_output_folder,
    copy_entry,
    export_size,
    is_export,
)
from prompt_kit.training.export.int8 import Int8, to_int8
from prompt_kit.training.export.model_card import model_card
from prompt_kit.training.export.onnx_graph import convert, save_onnx, to_fp16
from prompt_kit.training.export.onnx_parity import check_onnx, compare_int8
from prompt_kit.training.export.parity import CALIBRATION_BATCHES, Batches, probe_batches, text_batches
from prompt_kit.training.export.static_graph import Outputs, open_static, run_eager, save_static
from prompt_kit.training.export.training_folder import RESULT_FILES, open_checkpoint, read_metrics, read_results
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.versions import installed_versions

__all__ = [
    "Bf16",
    "Int8",
    "GRAPH",
    "ONNX_FILES",
    "RESULT_FILES",
    "WEIGHTS",
    "check_export",
    "check_output_folder",
    "copy_entry",
    "export_bundle",
    "export_checkpoint",
    "export_size",
    "export_static",
    "is_export",
    "on_cpu",
    "open_checkpoint",
    "read_metrics",
    "read_results",
]


def export_bundle(
    model: PromptModel,
    output_dir: PathLike,
    metrics: Optional[Mapping[str, float]] = None,
    fp16: bool = True,
    int8: Optional[Int8] = None,
    bf16: Optional[Bf16] = None,
    about: Optional[Mapping[str, Any]] = None,
    states: bool = False,
) -> BundleConfig:
    """Export a model in memory, which stays as it is (weights, mode, device), as the folder `output_dir`.

    Args:
        metrics: scores of this model to record, such as {"eval_accuracy": 0.57}.
        fp16: also write model_fp16.onnx.
        int8: also write model_int8.onnx, and on which texts to try it.
        bf16: compare OpenVINO's bf16 with fp32, and on which texts. With `int8` that is done wherever it can be, and
            refuses nothing.
        about: what the model card is to say of the run, as its results files do: scores and texts, data, seed.
        states: also give the graph the output `states`, which classifying by examples takes (see inference/support.py).

    Returns:
        What prompt_config.json now says; `parity` holds the largest differences found.

    Raises:
        BundleError: the exported graph differs from the model by more than 1e-4 (absolute plus relative) or in any best
            label, int8 changes more than 1 % of the labels or bf16 more than 0.5 %, or `output_dir` holds something else
            than an export. Nothing is written then.
        ConfigError: `states` of a model that has none.
        DataError: a mistake in the data folder of `int8`.
        OutputError: the disk is full, or the folder cannot be written to.
    """
    with on_cpu():
        return _export(_copy(model), output_dir, metrics or {}, fp16, int8, bf16, about, states)


def export_checkpoint(
    folder: PathLike,
    output_dir: PathLike,
    fp16: bool = True,
    int8: Optional[Int8] = None,
    bf16: Optional[Bf16] = None,
    states: bool = False,
    base_model: Optional[str] = None,
) -> BundleConfig:
    """Export a folder that train.py wrote, or a checkpoint-N in it; its dev score is recorded if it is there.

    Args:
        base_model: of a prompt alone, see `TextClassifier.from_pretrained`; the others are those of `export_bundle`.

    Raises CheckpointError when the folder is not there or not a training folder, else as `export_bundle`.
    """
    check_export(output_dir)
    with on_cpu():
        model, about = open_checkpoint(folder, base_model), read_results(folder)
        return _export(model, output_dir, read_metrics(folder), fp16, int8, bf16, about, states)


def export_static(
    prefix: PathLike,
    output_dir: PathLike,
    fp16: bool = True,
    int8: Optional[Int8] = None,
    bf16: Optional[Bf16] = None,
) -> BundleConfig:
    """Convert a static graph that is there, prefix.json (or .pdmodel) and prefix.pdiparams, with prompt_config.json and
    tokenizer.json beside it. `output_dir` may be the same folder. Compared with the graph as Paddle runs it.

    Raises BundleError as `export_bundle`, and when one of these files is missing.
    """
    prefix = Path(os.path.abspath(prefix))
    graph_file = next(
        (f for f in (prefix.with_name(prefix.name + s) for s in (".json", ".pdmodel")) if f.is_file()), None
    )
    if graph_file is None:
        raise BundleError(f"no static graph at {prefix}: expected {prefix}.json (or .pdmodel) and {prefix}.pdiparams")
    params_file = bundle_file(prefix.parent, prefix.name + ".pdiparams")
    config = read_prompt_config(prefix.parent, BundleConfig)
    prompt_tokenizer = load_prompt_tokenizer(prefix.parent, config)

    def write_graph(staging: Path, batches: Batches) -> list[Outputs]:
        for path in (graph_file, params_file):
            shutil.copyfile(path, staging / (GRAPH + path.suffix))
        run = open_static(graph_file, params_file, config.inputs)
        return [run(batch) for batch in batches]

    with on_cpu():
        weights = params_file.stat().st_size
        return _write(output_dir, config, prompt_tokenizer, write_graph, weights, fp16, int8, bf16)


def _export(
    model: PromptModel,
    output_dir: PathLike,
    metrics: Mapping[str, float],
    fp16: bool,
    int8: Optional[Int8],
    bf16: Optional[Bf16],
    about: Optional[Mapping[str, Any]] = None,
    states: bool = False,
) -> BundleConfig:
    """Export a model that is ours to take apart."""
    if states and not model.has_states:
        raise ConfigError(
            f"states of a model of --method {model.method}: it reads every text with each label's words, so a text has no states "
            "of its own; train with --method prompt or finetune, or export without states"
        )
    model.eval()
    prompt_tokenizer = model.prompt_tokenizer
    width = run_eager(model, probe_batches(prompt_tokenizer)[0], states=True)[1].shape[1] if states else None
    config = BundleConfig(
        prompt=prompt_tokenizer.to_config(),
        verbalizer=model.verbalizer,
        base_model=model.config.base_model,
        mode=model.config.mode,
        **model.task.to_entries(),
        metrics=dict(metrics),
        states=width,
        scale=model.cosine_scale if states else None,
    )

    def write_graph(staging: Path, batches: Batches) -> list[Outputs]:
        expected = [run_eager(model, batch, states) for batch in batches]  # before anything in the model is frozen
        save_static(model, staging / GRAPH, config.inputs, states)
        return expected

    weights = 4 * sum(math.prod(parameter.shape) for parameter in model.parameters())
    return _write(output_dir, config, prompt_tokenizer, write_graph, weights, fp16, int8, bf16, about)


def _write(
    output_dir: PathLike,
    config: BundleConfig,
    prompt_tokenizer: PromptTokenizer,
    write_graph: Callable[[Path, Batches], list[Outputs]],
    weights: int,
    fp16: bool,
    int8: Optional[Int8],
    bf16: Optional[Bf16],
    about: Optional[Mapping[str, Any]] = None,
) -> BundleConfig:
    """Make the whole folder aside and put it into place.

    `write_graph(staging, batches)` writes the static graph and returns the outputs to compare with; `weights` is the size
    of its weights in bytes.
    """
    folder = Path(os.path.abspath(output_dir))
    others = check_output_folder(folder)
    folder = folder.resolve()  # a link stays a link
    batches = probe_batches(prompt_tokenizer)
    asked = int8 or bf16
    texts = [] if asked is None else text_batches(asked.data_dir, config.verbalizer, prompt_tokenizer, config.task)
    check_space(folder, export_size(weights, fp16, int8 is not None))
    with writing_to("cannot export into", folder):
        with replace_folder(folder) as staging:
            expected = dict(zip(config.outputs, zip(*write_graph(staging, batches))))
            graph_file = next(staging / name for name in GRAPH_FILES if (staging / name).is_file())
            onnx_model = convert(graph_file, staging / "model.pdiparams", config.inputs, config.outputs)
            models, parity, agreement = {}, {}, {}
            for precision in ("fp32", "fp16") if fp16 else ("fp32",):
                path = staging / ONNX_FILES[precision]
                save_onnx(onnx_model if precision == "fp32" else to_fp16(onnx_model), path, WEIGHTS[precision])
                models[precision] = path.name
                parity[precision] = check_onnx(path, expected, batches, precision)
            if int8 is not None:
                path = staging / ONNX_FILES["int8"]
                for narrowing in (True, False):  # the second is slower and nearer, for a model that needs it
                    path.unlink(missing_ok=True)
                    (staging / WEIGHTS["int8"]).unlink(missing_ok=True)
                    save_onnx(to_int8(onnx_model, texts[:CALIBRATION_BATCHES], narrowing), path, WEIGHTS["int8"])
                    parity["int8"], agreement["int8"] = compare_int8(staging, texts, config.decisions)
                    if agreement["int8"]["share"] >= LEAST_AGREEMENT["int8"]:
                        break
                int8.accept(agreement["int8"])
                models["int8"] = path.name
            if texts and (bf16 is not None or can_compare()):
                agreement["bf16"] = compare_bf16(staging / ONNX_FILES["fp32"], texts, config)
                if bf16 is not None:
                    bf16.accept(agreement["bf16"])
            config = replace(
                config, models=models, weights={precision: WEIGHTS[precision] for precision in models}, parity=parity,
                agreement=agreement, tokenizer=TOKENIZER_FILE, versions=installed_versions(),
            )  # fmt: skip
            prompt_tokenizer.tokenizer.save(staging / TOKENIZER_FILE)
            write_prompt_config(staging, config)
            (staging / "README.md").write_text(model_card(config, about), encoding="utf-8")
            read_bundle(staging)  # what was written can be read
            for path in others:
                copy_entry(path, staging)
    return config


@contextlib.contextmanager
def on_cpu() -> Iterator[None]:
    """Work on the CPU in float32 (a GPU's TF32 is not within 1e-4), and leave device and random state as they were."""
    device, state = paddle.get_device(), paddle.get_rng_state("cpu")
    paddle.set_device("cpu")
    try:
        yield
    finally:
        paddle.set_device(device)
        paddle.set_rng_state(state, "cpu")


def _copy(model: PromptModel) -> PromptModel:
    """The same model in float32, sharing nothing that an export changes."""
    backbone = type(model.backbone)(copy.deepcopy(model.backbone.config))
    copied = type(model)(backbone, model.prompt_tokenizer, model.verbalizer, model.config)
    own = dict(copied.named_parameters())
    for name, parameter in model.named_parameters():
        own[name].set_value(parameter.detach().astype("float32").cpu().numpy())
    return copied
