"""checkpoint-N folders: whole or absent, plain files, found and thrown away by the right rules."""

from __future__ import annotations

import json

import pytest
from runs import names, same, saved_weights, trainer
from safetensors.numpy import load_file
from tiny import tiny_model

from prompt_kit.errors import CheckpointError
from prompt_kit.training import checkpoint
from prompt_kit.training.checkpoint import checkpoints, find_best, is_run, last_checkpoint, rotate_checkpoints
from prompt_kit.training.modeling import PromptModel

FILES = [
    "config.json", "model.safetensors", "optimizer.safetensors", "prompt_config.json", "scheduler.json",
    "tokenizer.json", "trainer_state.json",
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
@pytest.mark.parametrize("during", ["save_file", "write_json"])
def test_an_interrupted_checkpoint_leaves_the_earlier_one_and_nothing_else(tmp_path, monkeypatch, error, during):
    run = trainer(tmp_path, max_steps=4, save_steps=1, save_strategy="steps", do_eval=False)
    real, calls = getattr(checkpoint, during), []

    def fail_the_second_time(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(checkpoint, during, fail_the_second_time)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        run.train()
    assert names(tmp_path) == ["checkpoint-1"]
    assert names(tmp_path / "checkpoint-1") == FILES
    monkeypatch.setattr(checkpoint, during, real)
    resumed = trainer(tmp_path, max_steps=4, save_steps=1, save_strategy="steps", do_eval=False)
    resumed.train(str(last_checkpoint(tmp_path)))
    assert resumed.state.global_step == 4


def test_what_a_kill_leaves_is_taken_for_no_checkpoint(tmp_path):
    make(tmp_path, 2, name="optimizer.safetensors")
    (tmp_path / ".staging-checkpoint-4-x1y2").mkdir()
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "checkpoint-3.tmp").mkdir()
    assert steps_left(tmp_path) == [2]
    assert last_checkpoint(tmp_path).name == "checkpoint-2"


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
