"""Arguments are plain data: making them changes nothing of the process, and who trains writes into none of them."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys

import numpy as np
import paddle
import pytest
from runs import arguments
from tiny import EXAMPLES, tiny_model

from prompt_kit.errors import ConfigError
from prompt_kit.training.loop.arguments import DataArguments, ModelArguments, PromptTrainingArguments
from prompt_kit.training.loop.command_line import parse_arguments
from prompt_kit.training.loop.device import choose_device, move, use_device
from prompt_kit.training.loop.run_record import adopt_settings
from prompt_kit.training.loop.trainer import PromptTrainer
from prompt_kit.training.pretraining.arguments import PretrainingArguments
from prompt_kit.training.self_training.self_trainer import SelfTrainer

COMMAND = "--do_train --do_eval --max_steps 3 --eval_steps 1 --seed 7 --device cpu --report_to none --fp16_opt_level O2"


def state_of_the_process() -> dict:
    """What Paddle, NumPy and Python hold for the whole process."""
    flags = paddle.base.core.globals()
    return {
        "device": paddle.get_device(),
        "flags": {name: flags[name] for name in flags.keys()},
        "type": paddle.get_default_dtype(),
        "gradients": paddle.is_grad_enabled(),
        "dynamic": paddle.in_dynamic_mode(),
        "joined": paddle.distributed.is_initialized(),
        "join": paddle.distributed.init_parallel_env,
        "random": (random.getstate(), np.random.get_state()[1].tolist(), _numbers(paddle.get_rng_state("cpu")[0])),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
    }


def _numbers(state) -> list[str]:
    """A generator's state without the address that it is printed with."""
    return [part for part in str(state).split() if not part.startswith("0x")]


def make_all_arguments(folder) -> list:
    return [
        PromptTrainingArguments(output_dir=str(folder), do_train=True, seed=7, device="cpu", report_to="none"),
        ModelArguments(),
        DataArguments(),
        *parse_arguments([*COMMAND.split(), "--output_dir", str(folder)])[:3],
        PretrainingArguments(train_files=["texts.txt"], device="cpu", seed=7).resolved(10, 312).trainer_arguments(),
    ]


def test_making_arguments_changes_nothing_of_the_process(tmp_path):
    before = state_of_the_process()
    assert make_all_arguments(tmp_path)
    assert state_of_the_process() == before


def test_making_arguments_calls_nothing_that_would(tmp_path, monkeypatch):
    """On a machine without a GPU a device that is set is the one that was there: so what would set it is watched."""
    called = []
    for name in (
        "set_device",
        "seed",
        "set_flags",
        "set_default_dtype",
        "distributed.init_parallel_env",
        "distributed.fleet.init",
    ):
        monkeypatch.setattr(f"paddle.{name}", lambda *args, name=name, **kwargs: called.append(name))
    made = make_all_arguments(tmp_path)
    assert called == []
    use_device(made[0].device)
    assert called == ["set_device"]


def test_making_arguments_waits_for_no_other_process(root):
    """One of two processes whose other is not there: it is told from the environment which one it is."""
    program = (
        "from prompt_kit.training.loop.arguments import PromptTrainingArguments as Arguments\n"
        "import paddle\n"
        "args = Arguments(output_dir='x', device='cpu', report_to='none')\n"
        "print(args.world_size, args.process_index, args.should_save, args.dataset_rank, paddle.distributed.is_initialized())"
    )
    launched = {
        "PADDLE_TRAINERS_NUM": "2", "PADDLE_TRAINER_ID": "1", "PADDLE_RANK_IN_NODE": "1", "PADDLE_LOCAL_RANK": "1",
        "PADDLE_TRAINER_ENDPOINTS": "127.0.0.1:61234,127.0.0.1:61235", "PADDLE_CURRENT_ENDPOINT": "127.0.0.1:61235",
        "PADDLE_MASTER": "127.0.0.1:61233", "PYTHONPATH": str(root),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        env={**os.environ, **launched},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "1", "False", "1", "False"]


# -- who trains -------------------------------------------------------------------------------------------------------


def test_a_trainer_writes_into_nobodys_arguments(tmp_path):
    args = arguments(tmp_path, max_steps=2, learning_rate=None, save_strategy="steps")
    before = dataclasses.asdict(args)
    run = PromptTrainer(tiny_model(), args, EXAMPLES, EXAMPLES)
    run.train()
    run.evaluate()
    assert run.args.learning_rate == 2e-4  # its own is filled in
    assert dataclasses.asdict(args) == before and before["learning_rate"] is None


def test_self_training_writes_into_nobodys_arguments(tmp_path):
    args = arguments(tmp_path, max_steps=1, learning_rate=None, unlabeled_file="texts.txt")
    before = dataclasses.asdict(args)
    SelfTrainer(tiny_model(), args, EXAMPLES, EXAMPLES, ["今天汽车上市", "球队冠军"], {}).train()
    assert dataclasses.asdict(args) == before


def test_going_on_with_a_run_writes_into_nobodys_arguments(tmp_path):
    args = arguments(tmp_path / "run", max_steps=1, save_strategy="steps", save_steps=1, seed=7, weight_decay=0.5)
    PromptTrainer(tiny_model(), args, EXAMPLES, EXAMPLES).train()
    other = arguments(tmp_path / "run", max_steps=2)
    before = dataclasses.asdict(other)
    adopted = adopt_settings(tmp_path / "run" / "checkpoint-1", other, frozenset({"seed"}))
    assert (adopted.weight_decay, adopted.seed) == (0.5, 42) and dataclasses.asdict(other) == before


def test_pretraining_arguments_are_resolved_in_a_copy():
    args = PretrainingArguments(train_files=["texts.txt"], device="cpu", num_train_epochs=2)
    before = dataclasses.asdict(args)
    resolved = args.resolved(steps_per_epoch=30, hidden_size=312)
    assert (resolved.max_steps, resolved.learning_rate, resolved.eval_steps) == (60, 1e-4, 6)
    plain = resolved.trainer_arguments()
    assert (plain.max_steps, plain.learning_rate, plain.eval_steps, plain.save_steps) == (60, 1e-4, 6, 6)
    assert dataclasses.asdict(args) == before


# -- the device -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["abacus", "cpu:x:y", ""])
def test_an_unknown_device_is_told_without_a_change(device):
    before = paddle.get_device()
    with pytest.raises(ConfigError, match=f"--device {device}"):
        choose_device(device)
    assert paddle.get_device() == before


def test_only_a_model_of_another_device_is_moved(monkeypatch):
    moved = []
    model = tiny_model()
    monkeypatch.setattr(model, "to", lambda **kwargs: moved.append(kwargs))
    move(model)
    assert moved == []
    monkeypatch.setattr("paddle.get_device", lambda: "gpu:0")
    move(model)
    assert moved == [{"device": "gpu:0"}]
