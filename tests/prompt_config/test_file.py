"""prompt_config.json: one schema of three kinds; files of earlier versions; what is wrong is one line with a path.

The files in tests/golden/prompt_config are what prompt-kit wrote before there was a `kind`.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from refusals import refusal

from prompt_kit.errors import BundleError, CheckpointError
from prompt_kit.json_fields import entry
from prompt_kit.json_file import one_of
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.prompt_config import (
    BundleConfig,
    EnsembleConfig,
    ModelConfig,
    PromptConfig,
    kind_of,
    read_prompt_config,
    write_prompt_config,
)

OLD = Path(__file__).parents[1] / "golden" / "prompt_config"
KINDS = {
    "model_prompt": ModelConfig,
    "model_zero_shot_calibrated": ModelConfig,
    "model_finetune": ModelConfig,
    "model_rtd": ModelConfig,
    "bundle": BundleConfig,
    "ensemble": EnsembleConfig,
}
WORDS = Verbalizer.from_lines(["car==汽车", "sports==体育"])
PROMPT = {"template": "{'mask'}{'text': 'text_a'}", "max_seq_length": 8}
MODEL = {
    "method": "prompt",
    "mode": "zero-shot",
    "base_model": "m",
    "head": "soft",
    "prompt": PROMPT,
    "verbalizer": WORDS,
}


def old(folder: Path, name: str, **changes) -> Path:
    """A folder with the prompt_config.json that an earlier version wrote; `changes` of None take entries away."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {**json.loads((OLD / f"{name}.json").read_text("utf-8")), **changes}
    content = {key: value for key, value in content.items() if value is not None}
    (folder / "prompt_config.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def content(folder: Path) -> dict:
    return json.loads((folder / "prompt_config.json").read_text("utf-8"))


def refused(error: type, folder: Path, *kinds: type) -> str:
    message = refusal(error, read_prompt_config, folder, *kinds)
    assert message.startswith(str(folder / "prompt_config.json"))
    return message


# -- old files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_an_old_file_is_read_as_what_it_was_and_written_with_its_kind(tmp_path, name):
    before = json.loads((OLD / f"{name}.json").read_text("utf-8"))
    config = read_prompt_config(old(tmp_path / "old", name), KINDS[name])
    assert type(config) is KINDS[name] and kind_of(tmp_path / "old") == config.kind
    (tmp_path / "new").mkdir()
    write_prompt_config(tmp_path / "new", config)
    after = content(tmp_path / "new")
    assert {key: after[key] for key in before} == before  # the format version too: earlier readers take it
    task = {} if name == "ensemble" else {"task_type": "multi-class"}
    assert {key: after[key] for key in after.keys() - before.keys()} == {"kind": config.kind, **task}
    assert list(after)[:2] == ["format_version", "kind"]
    assert read_prompt_config(tmp_path / "new", KINDS[name]) == config


def test_every_old_file_is_tried():
    assert {path.stem for path in OLD.glob("*.json")} == set(KINDS)


@pytest.mark.parametrize(
    ("mode", "method"), [("prompt", "prompt"), ("finetune", "finetune"), ("rtd", "rtd"), ("zero-shot", "prompt")]
)
def test_the_first_training_folders_say_their_method_as_mode(tmp_path, mode, method):
    config = read_prompt_config(old(tmp_path, "model_prompt", method=None, mode=mode), ModelConfig)
    assert (config.method, config.mode) == (method, mode)


def test_the_first_exported_folders_have_neither_weights_apart_nor_an_agreement(tmp_path):
    config = read_prompt_config(old(tmp_path, "bundle", weights=None, agreement=None), BundleConfig)
    assert config.weights == {} and config.agreement == {} and config.metrics == {"eval_accuracy": 0.5}


# -- kinds ------------------------------------------------------------------------------------------------------------


def test_the_kind_decides_and_the_mode_does_not(tmp_path):
    write_prompt_config(tmp_path, ModelConfig(**{**MODEL, "method": "rtd", "mode": "finetune"}))
    assert kind_of(tmp_path) == "model" and read_prompt_config(tmp_path, ModelConfig).method == "rtd"
    written = content(tmp_path)
    # not even entries of another kind do, once there is a kind
    (tmp_path / "prompt_config.json").write_text(json.dumps({**written, "members": [], "models": {}}), encoding="utf-8")
    assert kind_of(tmp_path) == "model" and read_prompt_config(tmp_path, ModelConfig).method == "rtd"


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize(
    ("name", "kinds", "error", "says"),
    [
        ("model_rtd", [BundleConfig], BundleError, "a training folder, not an exported one: run python export.py on it first"),
        ("model_rtd", [BundleConfig, EnsembleConfig], BundleError, "a training folder, not an exported one"),
        ("bundle", [ModelConfig], CheckpointError, "an exported folder; expected the training folder"),
        ("ensemble", [ModelConfig], CheckpointError, "an exported folder; expected the training folder"),
        ("ensemble", [BundleConfig], BundleError, "an ensemble of several models, expected one model: name a folder in it"),
    ],
)  # fmt: skip
def test_another_kind_than_expected(tmp_path, name, kinds, error, says, new):
    folder = old(tmp_path, name)
    if new:
        write_prompt_config(folder, read_prompt_config(folder, KINDS[name]))
    assert says in refused(error, folder, *kinds)


@pytest.mark.parametrize("kind", ["pack", "", 7, ["model"], {"a": 1}])
def test_a_kind_that_this_version_does_not_know(tmp_path, kind):
    message = refused(CheckpointError, old(tmp_path, "model_rtd", kind=kind), ModelConfig)
    assert "this prompt-kit reads model, bundle, ensemble, task_set; update prompt-kit" in message
    assert kind_of(tmp_path) is None


def test_the_kind_of_what_has_none(tmp_path):
    assert kind_of(tmp_path) is None
    for text in ("", "[]", "{}", "[" * 100_000):
        (tmp_path / "prompt_config.json").write_text(text, encoding="utf-8")
        assert kind_of(tmp_path) is None
    shutil.rmtree(tmp_path)
    assert kind_of(tmp_path) is None


def test_one_reader_of_two_kinds(tmp_path):
    kinds: list[type[PromptConfig]] = [BundleConfig, EnsembleConfig]
    assert isinstance(read_prompt_config(old(tmp_path / "a", "bundle"), *kinds), BundleConfig)
    assert isinstance(read_prompt_config(old(tmp_path / "b", "ensemble"), *kinds), EnsembleConfig)


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("model_prompt", {"format_version": 4}, "has format_version 4, but this prompt-kit reads models of 1 and 3; update"),
        ("model_prompt", {"format_version": 0}, "has format_version 0, but this prompt-kit reads models of 1 and 3; copy"),
        ("model_prompt", {"format_version": True}, "has format_version True"),
        ("model_prompt", {"method": "else"}, 'method is "else", expected one of prompt, finetune, rtd'),
        ("model_prompt", {"mode": ["a"]}, 'mode is ["a"], expected one of prompt, finetune, rtd, zero-shot'),
        ("model_prompt", {"task_type": "tree"}, 'task_type is "tree", expected one of multi-class, multi-label, hierarchical'),
        ("model_prompt", {"prompt": {**PROMPT, "max_seq_length": 10**12}}, "prompt.max_seq_length is 1000000000000, expected"),
        ("model_prompt", {"prompt": {**PROMPT, "first_max_length": 0}}, "prompt.first_max_length is 0, expected a whole number"),
        ("model_prompt", {"prompt": {**PROMPT, "template": "{'mask'"}}, "template error at column"),
        ("model_prompt", {"verbalizer": {"labels": [{"label": "a"}]}}, "label 1: expected"),
        ("model_prompt", {"calibration": [1.0]}, "calibration [1.0], expected 3 numbers"),
        ("model_prompt", {"calibration": [1, "2", 3]}, "calibration [1, '2', 3], expected 3 numbers"),
        ("model_prompt", {"versions": {"python": 3}}, 'versions is {"python": 3}, expected an object of texts by name'),
        ("model_prompt", {"base_model": "\x1b[2J"}, "the control character U+001B in base_model"),
        ("bundle", {"metrics": {"eval_accuracy": "high"}}, "metrics is"),
        ("bundle", {"prompt": {**PROMPT, "max_seq_length": 10**12}}, "prompt.max_seq_length is 1000000000000, expected"),
        ("bundle", {"inputs": {"input_ids": "batch"}}, "inputs is"),
        ("bundle", {"task_type": 1}, "task_type is 1, expected one of multi-class, multi-label, hierarchical"),
        ("ensemble", {"metrics": [1]}, "metrics is [1], expected an object of numbers by name"),
    ],
)  # fmt: skip
def test_a_damaged_entry(tmp_path, name, changes, says):
    kind = KINDS[name]
    assert says in refused(kind.error, old(tmp_path, name, **changes), kind)


@pytest.mark.parametrize("name", KINDS)
def test_no_entry_of_any_shape_makes_another_error(tmp_path, name):
    """Every entry, of every odd shape: it is read, or refused in one line."""
    kind = KINDS[name]
    for key in json.loads((OLD / f"{name}.json").read_text("utf-8")):
        for value in (7, -1.5, "x", [], [[1]], {}, {"a": {"b": 1}}, True, 10**400, float("nan")):
            folder = old(tmp_path, name, **{key: value})
            try:
                read_prompt_config(folder, kind)
            except kind.error as error:
                assert "\n" not in str(error) and str(folder) in str(error) and len(str(error)) < 800


def test_what_cannot_be_read_is_not_written(tmp_path):
    config = ModelConfig(**{**MODEL, "mode": "mine"})
    with pytest.raises(CheckpointError, match='mode is "mine", expected one of .*; nothing was written'):
        write_prompt_config(tmp_path, config)
    assert list(tmp_path.iterdir()) == []


# -- a further entry --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Later(ModelConfig):
    """A ModelConfig of a later version, with an entry that its readers must know."""

    later: str = entry(one_of("one", "two"), "one", since=4)


def test_a_further_entry_is_one_line_and_raises_the_version_only_where_it_is_used(tmp_path):
    assert Later(**MODEL).format_version == 1 and Later(**MODEL, later="two").format_version == 4
    write_prompt_config(tmp_path, Later(**MODEL))
    assert content(tmp_path)["later"] == "one"
    assert read_prompt_config(tmp_path, Later) == Later(**MODEL)
    assert read_prompt_config(tmp_path, ModelConfig) == ModelConfig(**MODEL)  # who does not know it passes it over
    write_prompt_config(tmp_path, Later(**MODEL, later="two"))
    assert read_prompt_config(tmp_path, Later).later == "two"
    assert "has format_version 4" in refused(CheckpointError, tmp_path, ModelConfig)  # or refuses the file
    written = content(tmp_path)
    (tmp_path / "prompt_config.json").write_text(json.dumps({**written, "later": "three"}), encoding="utf-8")
    assert 'later is "three", expected one of one, two' in refused(CheckpointError, tmp_path, Later)
