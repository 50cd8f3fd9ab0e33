"""checkpoint-N folders: whole or absent, plain files, found and thrown away by the right rules."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from other_process import owner_of
from runs import arguments, names, same, saved_weights, trainer
from safetensors.numpy import load_file, save_file
from tiny import EXAMPLES, tiny_model

from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.training.loop import checkpoint
from prompt_kit.training.loop.checkpoint import checkpoints, find_best, is_run, last_checkpoint, rotate_checkpoints
from prompt_kit.training.loop.run_record import adopt_settings
from prompt_kit.training.models.prompt_model import PromptModel

FILES = [
    "config.json", "model.safetensors", "optimizer.safetensors", "prompt_config.json", "run.json",
    "scheduler.json", "tokenizer.json", "trainer_state.json",
]  # fmt: skip


def make(folder, *steps, name="prompt_config.json"):
    """Empty checkpoint-N folders."""
    for step in steps:
        (folder / f"checkpoint-{step}").mkdir(parents=True)
        (folder / f"checkpoint-{step}" / name).write_text("{}", encoding="utf-8")
    return folder


def steps_left(folder) -> list:
    return [int(path.name.split("-")[1]) for path in checkpoints(folder)]


def test_a_checkpoint_is_safetensors_json_and_the_tokenizer(tmp_path):
    run = trainer(tmp_path, max_steps=1, save_steps=1, save_strategy="steps")
    run.train()
    folder = tmp_path / "checkpoint-1"
    assert names(folder) == FILES
    for path in folder.iterdir():
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        else:
            assert load_file(str(path))
    moments = load_file(str(folder / "optimizer.safetensors"))
    trained = {name for name, parameter in run.model.named_parameters() if not parameter.stop_gradient}
    assert {key.split("|")[0] for key in moments} == trained
    assert {key.split("|")[1] for key in moments} == {"moment1", "moment2", "beta1_pow_acc", "beta2_pow_acc"}
    assert PromptModel.from_pretrained(folder)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("No space left on device")])
@pytest.mark.parametrize(("during", "call"), [("write_arrays", 2), ("write_json", 3), ("write_json", 4)])
def test_an_interrupted_checkpoint_leaves_the_earlier_one_and_nothing_else(tmp_path, monkeypatch, error, during, call):
    run = trainer(tmp_path, max_steps=4, save_steps=1, save_strategy="steps", do_eval=False)
    real, calls = getattr(checkpoint, during), []

    def fail_in_the_second(*args, **kwargs):
        calls.append(args)
        if len(calls) == call:
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(checkpoint, during, fail_in_the_second)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        run.train()
    assert names(tmp_path) == ["checkpoint-1"]
    assert names(tmp_path / "checkpoint-1") == FILES
    monkeypatch.setattr(checkpoint, during, real)
    resumed = trainer(tmp_path, max_steps=4, save_steps=1, save_strategy="steps", do_eval=False)
    resumed.train(str(last_checkpoint(tmp_path)))
    assert resumed.state.global_step == 4


@pytest.fixture(scope="module")
def stopped_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stopped")
    trainer(folder, max_steps=2, save_steps=1, save_strategy="steps", do_eval=False, ema_decay=0.9).train()
    return folder


@pytest.fixture
def stopped(stopped_once, tmp_path):
    """A run of two steps, with both checkpoints."""
    shutil.copytree(stopped_once, tmp_path / "run")
    return tmp_path / "run"


def refused(folder, **options) -> str:
    """What resuming from checkpoint-1 is refused with; nothing in the folder is touched."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    options = {"max_steps": 4, "save_steps": 1, "save_strategy": "steps", "do_eval": False, "ema_decay": 0.9, **options}
    with pytest.raises(CheckpointError) as caught:
        trainer(folder, **options).train(str(folder / "checkpoint-1"))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["trainer_state.json", "scheduler.json", "optimizer.safetensors", "live.safetensors", "model.safetensors"]
)
def test_a_checkpoint_that_lacks_a_file_is_refused_by_its_name(stopped, name):
    (stopped / "checkpoint-1" / name).unlink()
    assert f"{stopped / 'checkpoint-1' / name} is missing" in refused(stopped)


@pytest.mark.parametrize("name", ["trainer_state.json", "scheduler.json", "run.json"])
@pytest.mark.parametrize("text", ["", "null", "{", "{}", "[]", "[" * 100_000, '{"global_step": 7, "log_history": []}'])
def test_a_damaged_file_of_a_checkpoint_is_refused_by_its_name(stopped, name, text):
    (stopped / "checkpoint-1" / name).write_text(text, encoding="utf-8")
    message = refused(stopped)
    assert str(stopped / "checkpoint-1" / name) in message and ("damaged" in message or "cannot be read" in message)


@pytest.mark.parametrize(
    ("name", "path", "value", "said"),
    [
        ("trainer_state.json", ["global_step"], "1", 'global_step is "1"'),
        ("trainer_state.json", ["global_step"], True, "global_step is true"),
        ("trainer_state.json", ["global_step"], 2, "global_step is 2, expected 1"),
        ("trainer_state.json", ["log_history"], None, "log_history is null"),
        ("trainer_state.json", ["log_history"], [1], "log_history is [1]"),
        ("trainer_state.json", ["log_history"], [{"eval_accuracy": 0.5}], "log_history"),
        ("trainer_state.json", ["log_history"], [{"loss": []}], "log_history"),
        ("trainer_state.json", ["epoch"], "x", 'epoch is "x"'),
        ("trainer_state.json", ["best_model_checkpoint"], 7, "best_model_checkpoint is 7"),
        ("trainer_state.json", ["more"], 7, "unknown entry 'more'"),
        ("scheduler.json", ["scheduler"], {}, "scheduler.last_epoch is missing"),
        ("scheduler.json", ["scheduler", "last_lr"], [1], "scheduler.last_lr is [1]"),
        ("scheduler.json", ["scaler"], 1, "scaler is 1"),
        ("run.json", ["settings"], [], "settings is []"),
        ("run.json", ["settings", "seed"], "x", 'settings.seed is "x"'),
        ("run.json", ["settings", "use_rdrop"], None, "settings.use_rdrop is null"),
        ("run.json", ["data", "train"], 1, "data.train is 1"),
    ],
)
def test_an_entry_of_another_shape_is_named(stopped, name, path, value, said):
    file = stopped / "checkpoint-1" / name
    content = json.loads(file.read_text("utf-8"))
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    file.write_text(json.dumps(content), encoding="utf-8")
    message = refused(stopped)
    assert f"{file} is damaged" in message and said in message


@pytest.mark.parametrize("value", [0, -1, 1e9])
def test_settings_of_a_run_that_no_run_has(stopped, value):
    file = stopped / "checkpoint-1" / "run.json"
    record = json.loads(file.read_text("utf-8"))
    record["settings"]["learning_rate"] = value
    file.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(CheckpointError, match="run.json is damaged: --learning_rate must be"):
        adopt_settings(stopped / "checkpoint-1", arguments(stopped), frozenset())


def test_an_infinite_loss_is_no_damage(stopped):
    """A model that is sure of what is wrong."""
    file = stopped / "checkpoint-1" / "trainer_state.json"
    state = json.loads(file.read_text("utf-8"))
    state["log_history"].append({"eval_accuracy": 0.5, "eval_loss": float("inf"), "step": 1})
    file.write_text(json.dumps(state), encoding="utf-8")
    checkpoint.check_checkpoint(stopped / "checkpoint-1")


def test_moments_of_another_shape_are_named(stopped):
    file = stopped / "checkpoint-1" / "optimizer.safetensors"
    arrays = load_file(str(file))
    name = next(name for name in arrays if name.endswith("head.weight|moment1"))
    arrays[name] = arrays[name][:, :1]
    save_file(arrays, str(file))
    assert f"optimizer.safetensors does not fit the model: {name}" in refused(stopped)


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 7},
        {"learning_rate": 0.5},
        {"per_device_train_batch_size": 3},
        {"use_rgl": True},
        {"ema_decay": 0.5},
        {"lr_scheduler_type": "cosine"},
        {"metric_for_best_model": "macro_f1"},
    ],
)
def test_other_settings_than_the_runs_are_refused_with_both_values(stopped, options):
    ((name, value),) = options.items()
    then = json.loads((stopped / "checkpoint-1" / "run.json").read_text(encoding="utf-8"))["settings"][name]
    message = refused(stopped, **options)
    assert f"--{name} {value} contradicts the run of" in message and f"which has {then}" in message


@pytest.mark.parametrize("split", ["train", "dev"])
def test_other_labels_than_the_runs_are_refused(stopped, split, monkeypatch):
    flipped = [replace(one, label=EXAMPLES[row - 1].label) for row, one in enumerate(EXAMPLES)]
    data = {"train": EXAMPLES, "dev": EXAMPLES, split: flipped}
    message = refused(stopped, train=data["train"], dev=data["dev"])
    assert f"{split}.txt has other texts or labels" in message


def test_a_checkpoint_of_an_earlier_version_is_not_compared(stopped):
    (stopped / "checkpoint-1" / "run.json").unlink()
    run = trainer(stopped, max_steps=2, save_steps=1, save_strategy="steps", do_eval=False, ema_decay=0.9, seed=9)
    run.train(str(stopped / "checkpoint-1"))
    assert run.state.global_step == 2


def test_what_a_kill_leaves_is_taken_for_no_checkpoint(tmp_path):
    make(tmp_path, 2, name="optimizer.safetensors")
    (tmp_path / ".staging-checkpoint-4-x1y2").mkdir()
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "checkpoint-3.tmp").mkdir()
    assert steps_left(tmp_path) == [2]
    assert last_checkpoint(tmp_path).name == "checkpoint-2"


def test_a_trainer_is_refused_a_folder_that_another_process_works_in(tmp_path):
    make(tmp_path, 7)
    with owner_of(tmp_path), pytest.raises(ConfigError, match="another process"):
        trainer(tmp_path, max_steps=1, save_steps=1, save_strategy="steps", save_total_limit=1).train()
    assert names(tmp_path) == ["checkpoint-7"]


def test_training_puts_right_what_a_killed_run_left(tmp_path):
    make(tmp_path / ".old-checkpoint-7-abcdefgh", 7)
    make(tmp_path / ".staging-checkpoint-9-abcdefgh", 9)
    trainer(tmp_path, max_steps=1, do_eval=False).train()
    assert names(tmp_path) == ["checkpoint-7"]


def test_a_checkpoint_is_written_over_an_old_one(tmp_path):
    options = dict(max_steps=1, save_steps=1, save_strategy="steps", do_eval=False)
    trainer(tmp_path, tiny_model(seed=1), **options).train()
    first = saved_weights(tmp_path / "checkpoint-1")
    (tmp_path / "checkpoint-1" / "stray.txt").write_text("old", encoding="utf-8")
    trainer(tmp_path, tiny_model(seed=2), **options).train()
    assert names(tmp_path / "checkpoint-1") == FILES and names(tmp_path) == ["checkpoint-1"]
    assert not same(first, saved_weights(tmp_path / "checkpoint-1"))


def test_checkpoints_are_ordered_by_number(tmp_path):
    make(tmp_path, 100, 9, 20, name="optimizer.safetensors")
    assert steps_left(tmp_path) == [9, 20, 100]
    assert last_checkpoint(tmp_path).name == "checkpoint-100"
    assert last_checkpoint(tmp_path / "checkpoint-9").name == "checkpoint-9"


def test_nothing_to_resume_from(tmp_path):
    with pytest.raises(CheckpointError, match="--resume_from_checkpoint .*no checkpoint-N") as caught:
        last_checkpoint(tmp_path / "absent")
    assert str(tmp_path / "absent") in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("present", "last", "limit", "best", "left"),
    [
        ((1, 2, 3), 3, 1, None, [3]),
        ((1, 2, 3), 3, 1, 1, [1, 3]),
        ((1, 2, 3), 3, 1, 3, [3]),
        ((1, 2, 3, 4), 4, 2, 1, [1, 3, 4]),
        ((1, 2, 3), 3, None, 1, [1, 2, 3]),
        ((1, 2, 3), 3, 0, 1, [1, 2, 3]),
        ((2, 3, 8, 9), 3, 1, 2, [2, 3]),  # resumed from 2: 8 and 9 are of the run before
        ((2, 3, 8, 9), 3, 2, None, [2, 3]),
        ((2, 3, 8, 9), 3, 3, None, [2, 3, 9]),
    ],
)
def test_rotation(tmp_path, present, last, limit, best, left):
    make(tmp_path, *present)
    rotate_checkpoints(tmp_path / f"checkpoint-{last}", limit, best and f"elsewhere/checkpoint-{best}")
    assert steps_left(tmp_path) == left


def test_the_best_one_is_looked_for_beside_the_resumed_one_first(tmp_path):
    old, new = make(tmp_path / "old", 2), make(tmp_path / "new", 2, 4)
    assert find_best(str(old / "checkpoint-2"), str(new / "checkpoint-4")) == str(new / "checkpoint-2")
    other = make(tmp_path / "other", 4)
    assert find_best(str(old / "checkpoint-2"), str(other / "checkpoint-4")) == str(old / "checkpoint-2")
    with pytest.raises(CheckpointError, match="checkpoint-3"):
        find_best(str(old / "checkpoint-3"), str(other / "checkpoint-4"))


def test_kinds_of_folders(tmp_path):
    assert is_run(tmp_path / "absent") is None
    assert is_run(tmp_path) is None
    make(tmp_path, 5)
    assert is_run(tmp_path) == "unfinished"
    (tmp_path / "prompt_config.json").write_text("{}", encoding="utf-8")
    assert is_run(tmp_path) == "finished"


@pytest.mark.parametrize("name", ["optimizer.safetensors", "scheduler.json", "model.safetensors"])
@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_a_damaged_checkpoint_is_one_line(tmp_path, name, how):
    trainer(tmp_path, max_steps=1, save_steps=1, save_strategy="steps", do_eval=False).train()
    path = tmp_path / "checkpoint-1" / name
    path.unlink()
    if how == "damaged":
        path.write_bytes(b"not what it was")
    with pytest.raises(CheckpointError, match=name) as caught:
        trainer(tmp_path, max_steps=2, do_eval=False).train(str(tmp_path / "checkpoint-1"))
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
