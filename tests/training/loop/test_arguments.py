"""The arguments of a run: what a flag brings with it, and what is refused."""

from __future__ import annotations

import io

import pytest
from commands import refused, training

from prompt_kit.errors import ConfigError
from prompt_kit.training.loop.command_line import parse_arguments

pytestmark = pytest.mark.usefixtures("in_empty_folder")


# -- what a flag brings with it -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "patience"),
    [
        ("", 5),
        ("--max_steps 10", 0),
        ("--num_train_epochs 3", 0),
        ("--preset example", 0),
        ("--preset example --early_stopping_patience 4", 4),
        ("--num_train_epochs 3 --early_stopping_patience 2", 2),
        ("--early_stopping_patience 0", 0),
    ],
)
def test_early_stopping(command, patience):
    assert training(f"--do_train --do_eval {command}").early_stopping_patience == patience


def test_evaluation_every_epoch_is_the_default_and_needs_do_eval():
    assert training("--do_train --do_eval").evaluation_strategy.value == "epoch"
    args = training("--do_train")
    assert args.evaluation_strategy.value == "no" and args.do_eval is False


def test_no_evaluation_while_training_is_respected():
    args = training("--do_train --do_eval --evaluation_strategy no")
    assert args.evaluation_strategy.value == "no" and args.do_eval is True


def test_load_best_model_needs_no_matching_strategies():
    args = training("--do_train --do_eval --eval_steps 3 --save_steps 7")
    assert args.load_best_model_at_end is True and (args.eval_steps, args.save_steps) == (3, 7)


def test_learning_rates_by_width():
    args = training()
    args.resolve_learning_rates(768)
    assert (args.learning_rate, args.ppt_learning_rate) == (3e-5, pytest.approx(3e-4))
    small = training()
    small.resolve_learning_rates(256)
    assert small.learning_rate > 3e-5 and small.ppt_learning_rate == pytest.approx(10 * small.learning_rate)
    given = training("--learning_rate 0.1 --ppt_learning_rate 0.2")
    given.resolve_learning_rates(768)
    assert (given.learning_rate, given.ppt_learning_rate) == (0.1, 0.2)


def test_loss_as_the_metric_is_better_when_lower():
    assert training("--metric_for_best_model loss").greater_is_better is False
    assert training("--metric_for_best_model eval_loss").greater_is_better is False
    assert training("--metric_for_best_model macro_f1").greater_is_better is True


def test_freeze_dropout_implies_freeze_plm():
    assert training("--freeze_dropout").freeze_plm is True
    assert training().freeze_plm is False


def test_progress_bars_only_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert training().disable_tqdm is True
    monkeypatch.setattr("sys.stderr", Terminal())
    assert training().disable_tqdm is False
    assert training("--disable_tqdm").disable_tqdm is True


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("--do_train --num_shots 0", ["--num_shots must be at least 1", "0"]),
        ("--do_train --num_shots -4", ["--num_shots must be at least 1", "-4"]),
        ("--do_eval --num_shots 4", ["--num_shots 4", "--do_train"]),
        ("--fp16", ["--fp16 needs a GPU", "drop --fp16"]),
        ("--bf16", ["--bf16 needs a GPU", "drop --bf16"]),
        ("--metric_for_best_model f1", ["--metric_for_best_model f1", "macro_f1"]),
        ("--soft_encoder gru", ["--soft_encoder gru", "lstm", "None"]),
        ("--export_type torch", ["--export_type torch", "onnx"]),
        ("--optim adafactor", ["--optim adafactor", "adamw"]),
        ("--report_to carrier_pigeon", ["--report_to carrier_pigeon", "visualdl", "none"]),
        ("--evaluation_strategy weekly --do_eval", ["weekly"]),
        ("--lr_scheduler_type zigzag", ["zigzag"]),
        ("--warmup_ratio 2", ["warmup_ratio", "[0,1]"]),
        ("--hybrid_parallel_topo_order sideways", ["parallel", "drop --hybrid_parallel_topo_order"]),
    ],
)
def test_refusals(command, words):
    message = refused(command)
    assert all(word in message for word in words), message


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr("paddle.is_compiled_with_cuda", lambda: False)
    with pytest.raises(ConfigError, match="--device gpu: .*CPU build.*--device cpu"):
        parse_arguments(["--device", "gpu"])
    monkeypatch.setattr("paddle.is_compiled_with_cuda", lambda: True)
    monkeypatch.setattr("paddle.device.cuda.device_count", lambda: 0)
    with pytest.raises(ConfigError, match="--device gpu:1: no GPU is visible.*--device cpu"):
        parse_arguments(["--device", "gpu:1"])


def test_an_unknown_device():
    with pytest.raises(ConfigError, match="--device abacus"):
        parse_arguments(["--device", "abacus"])


def test_no_cuda_is_a_cpu():
    assert parse_arguments(["--no_cuda"])[2].device == "cpu"
    with pytest.raises(ConfigError, match="--no_cuda contradicts --device gpu"):
        parse_arguments(["--no_cuda", "--device", "gpu"])
