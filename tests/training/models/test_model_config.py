"""config.json of a language model: absurd sizes and wrong types are one line, at once."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny import tiny_backbone, tiny_model

from prompt_kit.errors import CheckpointError, ConfigError, PromptKitError, TokenizationError
from prompt_kit.training.models.backbone import load_backbone
from prompt_kit.training.models.model_config import check_size, count_numbers, least_numbers, read_config
from prompt_kit.training.models.prompt_model import PromptModel

SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "intermediate_size": 16, "vocab_size": 100, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "model"
    tiny_model().save_pretrained(folder)
    return folder


@pytest.fixture(params=["language model", "trained model"])
def load(request, tiny_folder, trained, tmp_path):
    """Change a file of a model's folder and load it; ends with what that raises."""

    def change_and_load(name, change) -> str:
        kind, source = (load_backbone, tiny_folder) if request.param == "language model" else (None, trained)
        folder = shutil.copytree(source, tmp_path / "copy")
        path = folder / name
        path.write_text(change(path.read_text("utf-8") if path.exists() else ""), encoding="utf-8")
        with pytest.raises(PromptKitError) as caught:
            kind(str(folder)) if kind else PromptModel.from_pretrained(folder)
        message = str(caught.value)
        assert str(folder) in message and "\n" not in message and len(message) < 500
        return message

    return change_and_load


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("hidden_act", "x", 'hidden_act is "x", expected one of gelu,'),
        ("hidden_act", "linear", "hidden_act"),
        ("hidden_size", "x", 'hidden_size is "x", expected a whole number from 1 to 65536'),
        ("hidden_size", True, "hidden_size is true"),
        ("hidden_size", 10**12, "hidden_size is 1000000000000"),
        ("hidden_size", 33, "hidden_size 33 is no multiple of num_attention_heads 2"),
        ("num_hidden_layers", 10**12, "num_hidden_layers is 1000000000000"),
        ("vocab_size", 10**12, "vocab_size is 1000000000000"),
        ("vocab_size", 10**7, "speaks of a model of at least 320,0"),
        ("max_position_embeddings", -1, "max_position_embeddings is -1"),
        ("num_labels", 10**12, "num_labels is 1000000000000"),
        ("hidden_dropout_prob", None, "hidden_dropout_prob is null"),
        ("layer_norm_eps", "small", "layer_norm_eps"),
        ("architectures", {"a": 1}, "architectures"),
        ("init_class", ["a"], "init_class"),
    ],
)
def test_a_configuration_that_no_model_has(load, name, value, said):
    assert said in load("config.json", _with(name, value))


def _with(name, value):
    return lambda text: json.dumps({**json.loads(text), name: value})


@pytest.mark.parametrize("text", ["null", "[]", "{", "", "[" * 100_000])
def test_a_configuration_that_is_none(load, text):
    assert "config.json is damaged" in load("config.json", lambda _: text)


def test_a_tokenizer_of_brackets(load):
    assert "tokenizer" in load("tokenizer.json", lambda _: "[" * 100_000)


def test_a_tokenizers_class_that_is_a_list(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder, tmp_path / "copy")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": ["a"]}', encoding="utf-8")
    with pytest.raises(TokenizationError, match="copy"):
        load_backbone(str(folder))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["prompt"], None, "prompt is null, expected an object"),
        (["prompt", "template"], 7, "prompt.template is 7, expected a text"),
        (["prompt", "max_seq_length"], "x", "prompt.max_seq_length"),
        (["prompt", "max_seq_length"], 10**12, "prompt.max_seq_length is 1000000000000"),
        (["verbalizer"], [], "verbalizer is [], expected an object"),
        (["mode"], ["a"], "mode is"),
        (["mode"], "else", 'mode is "else", expected one of'),
        (["head"], None, "head is null"),
        (["base_model"], 1, "base_model is 1"),
        (["format_version"], "1", "format_version"),
        (["calibration"], [float("nan")], "calibration"),
    ],
)
def test_a_prompt_configuration_of_another_shape(trained, tmp_path, path, value, said):
    folder = shutil.copytree(trained, tmp_path / "copy")
    config = json.loads((folder / "prompt_config.json").read_text("utf-8"))
    inner = config
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    (folder / "prompt_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(CheckpointError) as caught:
        PromptModel.from_pretrained(folder)
    message = str(caught.value)
    assert str(folder / "prompt_config.json") in message and said in message and "\n" not in message


def test_the_least_numbers_of_a_model():
    """2 layers of 4 H x H and 2 H x I, and a table of 100 rows; with an embedding of its own width 100 x 4."""
    assert least_numbers(SIZES) == 2 * (4 * 64 + 2 * 8 * 16) + 100 * 8
    assert least_numbers({**SIZES, "embedding_size": 4}) == 2 * (4 * 64 + 2 * 8 * 16) + 100 * 4
    assert least_numbers({}) == 0
    backbone = tiny_backbone()
    sizes = {name: getattr(backbone.config, name) for name in (*SIZES, "max_position_embeddings", "type_vocab_size")}
    held = sum(int(np.prod(parameter.shape)) for parameter in backbone.parameters())
    assert 0.5 * held < least_numbers(sizes) < held


def test_a_model_that_is_far_larger_than_its_weights(tmp_path):
    save_file({"a": np.zeros([10, 5], "float16"), "b": np.zeros(6, "float32")}, str(tmp_path / "w.safetensors"))
    assert count_numbers(tmp_path / "w.safetensors") == 56
    (tmp_path / "x.pdparams").write_bytes(b"12345678")
    assert count_numbers(tmp_path / "x.pdparams") == 4
    assert count_numbers(tmp_path / "absent.safetensors") == count_numbers(tmp_path / "absent.pdparams") == 0
    check_size({**SIZES, "vocab_size": 1, "num_hidden_layers": 0}, tmp_path, ["w.safetensors"])
    with pytest.raises(ConfigError, match="at least 1,824 numbers, but its weights are 56"):
        check_size(SIZES, tmp_path, ["w.safetensors"])
    check_size(SIZES, tmp_path, ["absent.safetensors"])  # whoever loads it says that it is not there


def test_what_is_not_known_is_left_alone(tmp_path):
    (tmp_path / "config.json").write_text('{"hidden_size": 8, "further": [1e12]}', encoding="utf-8")
    assert read_config(tmp_path) == {"hidden_size": 8, "further": [1e12]}
