"""prompt_config.json of an exported folder: what is written is read back, what is wrong is one line with a path."""

from __future__ import annotations

import json
import os
from functools import partial

import pytest
from refusals import refusal
from toy_bundle import LABELS, TEMPLATE, edit_config, toy_config, write_toy_bundle

from prompt_kit.errors import BundleError, ConfigError
from prompt_kit.inference.bundle import bundle_folder, load_prompt_tokenizer, read_bundle
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.prompt_config import BundleConfig


@pytest.fixture
def folder(tmp_path):
    return write_toy_bundle(tmp_path / "export")


fails = partial(refusal, BundleError, read_bundle)


def test_what_is_written_is_read_back(folder):
    config = read_bundle(folder)
    assert config == toy_config()
    assert BundleConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.labels == ("sports", "car", "finance")
    assert str(config.template) == TEMPLATE
    assert config.max_seq_length == 16
    assert config.outputs == {"logits": ("batch", 3)}


def test_all_fields_survive(tmp_path):
    changes = {"mode": "zero-shot", "metrics": {"eval_accuracy": 0.5}, "parity": {"fp32": 1e-6}, "versions": {"a": "1"}}
    changes["agreement"] = {"int8": {"share": 0.995, "texts": 1000}}
    config = read_bundle(write_toy_bundle(tmp_path / "export", **changes))
    assert all(getattr(config, key) == value for key, value in changes.items())


def test_the_file_is_readable_utf8_with_the_version_first(folder):
    text = (folder / "prompt_config.json").read_text(encoding="utf-8")
    assert "球队" in text
    assert next(iter(json.loads(text))) == "format_version"


def test_soft_tokens_and_masks_show_in_the_inputs():
    prompt = {**toy_config().prompt, "template": "{'text': 'text_a'}{'soft': '是'}{'mask'}{'mask'}"}
    config = toy_config(prompt=prompt)
    assert list(config.inputs) == ["input_ids", "token_type_ids", "mask_columns", "soft_ids"]
    assert config.inputs["mask_columns"] == ("batch", 2)


def test_folder_prefix_and_file_name_the_same_bundle(folder):
    assert bundle_folder(folder) == bundle_folder(folder / "model") == bundle_folder(folder / "model.onnx") == folder


def test_unknown_keys_are_passed_over(folder):
    edit_config(folder, colour="green")
    assert read_bundle(folder) == toy_config()


def test_no_folder(tmp_path):
    assert str(tmp_path / "a") in fails(tmp_path / "a" / "model")


def test_no_config(tmp_path):
    (tmp_path / "export").mkdir()
    assert str(tmp_path / "export" / "prompt_config.json") in fails(tmp_path / "export")


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', "\x00", "[" * 100_000])
def test_damaged_config(folder, content):
    (folder / "prompt_config.json").write_text(content, encoding="utf-8")
    message = fails(folder)
    assert "damaged" in message and "export" in message


@pytest.mark.parametrize(("version", "fix"), [(99, "update prompt-kit"), (None, "export it with"), ("1", "export")])
def test_another_format_version(folder, version, fix):
    edit_config(folder, format_version=version)
    message = fails(folder)
    assert "format_version" in message and fix in message


def test_a_training_folder(folder):
    edit_config(folder, kind=None, models=None, head="soft")
    assert "training folder" in fails(folder)


@pytest.mark.parametrize("key", ["prompt", "verbalizer", "models", "inputs", "outputs"])
@pytest.mark.parametrize("value", [None, 7])
def test_a_part_is_missing_or_of_another_kind(folder, key, value):
    edit_config(folder, **{key: value})
    assert key in fails(folder)


def test_labels_that_do_not_fit_the_output(folder):
    edit_config(folder, verbalizer=Verbalizer.from_lines(["a==球", "b==车"]).to_dict())
    message = fails(folder)
    assert "outputs" in message and "2 labels" in message


@pytest.mark.parametrize(
    "prompt", [{}, {"template": 3}, {"template": TEMPLATE}, {"template": "{", "max_seq_length": 9}]
)
def test_prompt_that_cannot_be_used(folder, prompt):
    edit_config(folder, prompt=prompt)
    assert "prompt_config.json" in fails(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "model.onnx"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    message = fails(folder)
    assert str(folder / name) in message and "missing" in message


def test_missing_weights(folder):
    edit_config(folder, weights={"fp32": "model.onnx.data", "fp16": "model_fp16.onnx.data"})
    assert f"{folder / 'model.onnx.data'} is missing" in fails(folder)
    (folder / "model.onnx.data").write_bytes(b"")
    assert read_bundle(folder).graph_files("fp32") == ["model.onnx", "model.onnx.data"]


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "", "..", 3])
def test_files_outside_the_folder_are_refused(folder, name):
    edit_config(folder, models={"fp32": name})
    assert "own folder" in fails(folder)
    edit_config(folder, models={"fp32": "model.onnx"}, weights={"fp32": name})
    assert "own folder" in fails(folder)


def test_fp32_is_always_there(folder):
    edit_config(folder, models={"fp16": "model_fp16.onnx"})
    assert "fp32" in fails(folder)


def test_prompt_tokenizer_as_exported_and_shorter(folder):
    config = read_bundle(folder)
    assert load_prompt_tokenizer(folder, config).to_config() == config.prompt
    assert load_prompt_tokenizer(folder, config, 8).max_seq_length == 8
    with pytest.raises(ConfigError, match="no room"):
        load_prompt_tokenizer(folder, config, 4)


def test_damaged_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match="tokenizer.json"):
        load_prompt_tokenizer(folder, read_bundle(folder))


@pytest.mark.parametrize(
    ("agreement", "expected"),
    [
        ({"int8": {"share": 0.99}}, True),
        ({"int8": {"share": 0.989}}, False),
        ({"int8": {"share": None}}, False),
        ({"int8": 1}, False),
        ({}, False),
    ],
)
def test_agreement_of_99_percent(agreement, expected):
    assert toy_config(agreement=agreement).agrees("int8") is expected


def test_labels_keep_their_order():
    assert toy_config().verbalizer == LABELS
    assert [entry["label"] for entry in toy_config().to_dict()["verbalizer"]["labels"]] == ["sports", "car", "finance"]


@pytest.mark.parametrize("odd", ["\n", "\x1b[2J", "\x9b1m", "\u202e", "\udc9b", "\x00"])
@pytest.mark.parametrize(
    "key", ["label", "word", "base_model", "mode", "template", "metric", "model", "version", "unknown"]
)
def test_what_would_steer_a_terminal_is_refused(tmp_path, key, odd):
    """A folder may come from a stranger, and its labels and names are printed."""
    folder = write_toy_bundle(tmp_path / "export")
    config = json.loads((folder / "prompt_config.json").read_text("utf-8"))
    name = f"x{odd}y"
    {
        "label": lambda: config["verbalizer"]["labels"][0].update(label=name),
        "word": lambda: config["verbalizer"]["labels"][0].update(words=[name]),
        "base_model": lambda: config.update(base_model=name),
        "mode": lambda: config.update(mode=name),
        "template": lambda: config["prompt"].update(template=config["prompt"]["template"] + odd),
        "metric": lambda: config["metrics"].update({name: 1.0}),
        "model": lambda: config["models"].update({name: "model.onnx"}),
        "version": lambda: config["versions"].update(python=name),
        "unknown": lambda: config.update({"later": [{"a": name}]}),
    }[key]()
    (folder / "prompt_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(BundleError, match=rf"the control character U\+{ord(odd[0]):04X} in ") as caught:
        read_bundle(folder)
    assert odd not in str(caught.value) and "prompt_config.json" in str(caught.value)


@pytest.mark.parametrize("key", ["verbalizer", "models", "format_version", "inputs", "tokenizer", "prompt"])
@pytest.mark.parametrize("value", ["x" * 100_000, ["x"] * 50_000, {"x" * 100_000: 1}, {"template": "x" * 100_000}])
def test_messages_of_a_damaged_bundle_are_short(tmp_path, key, value):
    folder = write_toy_bundle(tmp_path / "export")
    edit_config(folder, **{key: value})
    try:
        read_bundle(folder)
    except BundleError as error:
        assert len(str(error)) < 1500


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_names_that_no_system_takes_and_links_that_turn_round(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / ("x" * 300) / "model", tmp_path / "loop" / "model"):
        with pytest.raises(BundleError, match="no exported model at"):
            bundle_folder(path)
    with pytest.raises(BundleError, match="prompt_config.json"):
        read_bundle(tmp_path / ("x" * 300))  # a file in an existing folder, as PaddleNLP's prefix is
