"""A Triton repository: config.pbtxt as Triton's own protobuf reads it, and the files that the onnxruntime backend looks for."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from toy_bundle import toy_config, write_toy_bundle, write_toy_bundle_with_states

from prompt_kit.errors import BundleError, ConfigError
from prompt_kit.inference.triton import config_text, write_triton
from prompt_kit.prompt_config import BundleConfig, read_prompt_config


def parsed(text: str):
    """inference.ModelConfig, from the file of tritonclient alone: its package would want gRPC."""
    text_format = pytest.importorskip("google.protobuf.text_format")
    found = importlib.util.find_spec("tritonclient")
    if found is None:
        pytest.skip("needs tritonclient")
    path = Path(found.submodule_search_locations[0]) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("triton_model_config", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, text_format.Parse(text, module.ModelConfig())


@pytest.mark.parametrize("states", [False, True])
def test_the_configuration_is_the_graphs(tmp_path, states):
    folder = (write_toy_bundle_with_states if states else write_toy_bundle)(tmp_path / "export")
    config = read_prompt_config(folder, BundleConfig)
    module, found = parsed(config_text(config, "news"))
    assert (found.name, found.backend, found.max_batch_size) == ("news", "onnxruntime", 64)
    assert {(one.name, one.data_type, tuple(one.dims)) for one in found.input} == {
        ("input_ids", module.TYPE_INT64, (-1,)),
        ("token_type_ids", module.TYPE_INT64, (-1,)),
        ("mask_columns", module.TYPE_INT64, (1,)),
    }
    wanted = [("logits", module.TYPE_FP32, (3,), "labels.txt")]
    wanted += [("states", module.TYPE_FP32, (4,), "")] if states else []
    assert [(one.name, one.data_type, tuple(one.dims), one.label_filename) for one in found.output] == wanted
    assert found.dynamic_batching.max_queue_delay_microseconds == 2000


def test_the_folder_is_what_the_backend_looks_for(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    bundle = write_toy_bundle(tmp_path / "export")
    folder = write_triton(bundle, toy_config(), tmp_path / "repository", "news")
    assert folder == tmp_path / "repository" / "news"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        "config.pbtxt", "labels.txt", "1/model.onnx",
    }  # fmt: skip
    assert (folder / "labels.txt").read_text("utf-8").split() == ["sports", "car", "finance"]
    session = onnxruntime.InferenceSession(str(folder / "1" / "model.onnx"), providers=["CPUExecutionProvider"])
    module, config = parsed((folder / "config.pbtxt").read_text("utf-8"))
    assert {one.name for one in config.input} == {one.name for one in session.get_inputs()}
    feeds = {one.name: np.zeros([2, *(3 if size < 0 else size for size in one.dims)], np.int64) for one in config.input}
    (logits,) = session.run([config.output[0].name], feeds)
    assert logits.shape == (2, *config.output[0].dims)
    write_triton(bundle, toy_config(), tmp_path / "repository", "news")  # again, in its place


def test_mistakes(tmp_path):
    bundle = write_toy_bundle(tmp_path / "export")
    for name in ("", "..", "a/b", 'a"b'):
        with pytest.raises(ConfigError, match="--triton_name"):
            write_triton(bundle, toy_config(), tmp_path / "repository", name)
    with pytest.raises(BundleError, match="has no int8 model"):
        write_triton(bundle, toy_config(), tmp_path / "repository", "news", "int8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").touch()
    with pytest.raises(BundleError, match="is no model of a Triton repository"):
        write_triton(bundle, toy_config(), tmp_path, "mine")
    assert not (tmp_path / "repository").exists()
