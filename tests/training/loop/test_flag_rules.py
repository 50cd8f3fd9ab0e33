"""What a flag of train.py may be: ranges of numbers, places, reports, and flags that would change nothing."""

from __future__ import annotations

import pytest
from commands import refused, training

from prompt_kit.errors import ConfigError, DependencyError
from prompt_kit.training.loop import flag_rules
from prompt_kit.training.loop.arguments import PromptTrainingArguments
from prompt_kit.training.loop.command_line import parse_arguments

pytestmark = pytest.mark.usefixtures("in_empty_folder")


BELOW = {
    "above 0": "learning_rate ppt_learning_rate num_train_epochs adam_epsilon ppt_adam_epsilon",
    "at least 1": "per_device_train_batch_size per_device_eval_batch_size gradient_accumulation_steps eval_steps "
    "save_steps logging_steps",
    "0 or more": "alpha_rdrop alpha_rgl ppt_weight_decay weight_decay early_stopping_patience warmup_steps "
    "warmup_ratio max_grad_norm seed",
}


@pytest.mark.parametrize(
    ("name", "wanted"), [(name, wanted) for wanted, names in BELOW.items() for name in names.split()]
)
def test_ranges(name, wanted):
    wrong = "-1" if wanted == "0 or more" else "0"
    message = refused(f"--{name} {wrong}")
    assert f"--{name} must be {wanted}" in message and wrong in message


@pytest.mark.parametrize("name", ["adam_beta1", "adam_beta2", "ppt_adam_beta1", "ppt_adam_beta2"])
@pytest.mark.parametrize("wrong", ["1", "-0.1"])
def test_betas(name, wrong):
    assert f"--{name} must be at least 0 and below 1" in refused(f"--{name} {wrong}")


@pytest.mark.parametrize(
    "command",
    [
        "--tensor_parallel_degree 2",
        "--pipeline_parallel_degree 2",
        "--sharding stage1",
        "--sharding foo",
        "--sharding_parallel_degree 4",
        "--sep_parallel_degree 2",
        "--tensor_parallel_config x",
        "--hybrid_parallel_topo_order sharding_first",
        "--unified_checkpoint",
        "--enable_auto_parallel",
        "--to_static",
        "--prediction_loss_only",
        "--label_names foo",
        "--past_index 1",
        "--dataloader_drop_last",
        "--max_evaluate_steps 1",
        "--minimum_eval_times 3",
        "--ignore_save_lr_and_optim",
    ],
)
def test_what_would_change_nothing_is_refused(command):
    message = refused(command)
    name = command.split()[0]
    assert (
        message.startswith(f"{command if ' ' in command else name + ' True'} has no effect here")
        or "['foo']" in message
    )
    assert message.endswith(f"drop {name}")


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("--alpha_rdrop 3.0 --use_rdrop false", "with --use_rdrop False; give --use_rdrop,"),
        ("--alpha_rgl 2.0", "with --use_rgl False; give --use_rgl,"),
        ("--alpha_prototype 0.3", "with --verbalizer cosine; give --verbalizer prototype,"),
        ("--episode_shots 5 --verbalizer soft", "with --verbalizer soft; give --verbalizer prototype,"),
        ("--lr_end 1e-06", "with --lr_scheduler_type linear; give --lr_scheduler_type polynomial,"),
        ("--num_cycles 3.0", "with --lr_scheduler_type linear; give --lr_scheduler_type cosine,"),
        ("--language zh", "with --report False; give --report,"),
    ],
)
def test_what_another_flag_leaves_without_effect_is_refused(command, needed):
    message, flag = refused(command), " ".join(command.split()[:2])
    assert message.startswith(f"{flag} has no effect {needed}") and message.endswith(f"drop {flag.split()[0]}")


def test_with_the_other_flag_it_is_taken():
    args = training("--alpha_rgl 2 --use_rgl --num_cycles 3 --lr_scheduler_type cosine --eval_steps 3 --do_eval")
    assert (args.alpha_rgl, args.num_cycles, args.eval_steps) == (2.0, 3.0, 3)


@pytest.mark.parametrize(
    "command", ["--greater_is_better false", "--greater_is_better true --metric_for_best_model loss"]
)
def test_the_worst_model_is_not_to_be_kept(command):
    assert "contradicts --metric_for_best_model" in refused(command)


def test_the_launcher_says_which_process_this_is():
    assert refused("--local_rank 0").startswith("--local_rank 0 has no effect here: the launcher sets it")


def test_what_a_printed_configuration_says_of_it_is_accepted():
    training(
        "--tensor_parallel_degree -1 --pipeline_parallel_degree 1 --sharding_parallel_degree -1 --unified_checkpoint False "
        "--label_names labels --past_index -1 --dataloader_drop_last False --max_evaluate_steps -1 --max_steps -1 "
        "--hybrid_parallel_topo_order pp_first --local_rank -1 --alpha_rgl 0.5 --num_cycles 0.5 "
        "--prediction_loss_only False --eval_accumulation_steps None"
    )


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("--seed 99999999999999999999", "--seed must be below 4294967296"),
        (f"--seed {'9' * 400}", "--seed must be a finite number, got a number of many digits"),
        ("--max_steps 0", "--max_steps must be at least 1, or -1 for --num_train_epochs, got 0"),
        ("--max_steps -2", "--max_steps must be at least 1"),
        (f"--max_steps {10**12}", "--max_steps must be 2147483647 at most"),
        ("--num_train_epochs inf", "--num_train_epochs must be a finite number"),
        ("--num_train_epochs nan", "--num_train_epochs must be a finite number"),
        ("--num_train_epochs 1e300", "--num_train_epochs must be 1000000 at most"),
        ("--dataloader_num_workers -1", "--dataloader_num_workers must be 0 or more"),
        ("--dataloader_num_workers 100000", "--dataloader_num_workers must be 64 at most"),
        ("--eval_accumulation_steps 0", "--eval_accumulation_steps must be at least 1"),
        (
            "--per_device_eval_batch_size 99999999999999999999",
            "--per_device_eval_batch_size must be 2147483647 at most",
        ),
        ("--encoder_hidden_size 99999999999", "--encoder_hidden_size must be 4096 at most"),
        ("--save_total_limit -1", "--save_total_limit must be 0 or more"),
        ("--num_cycles inf", "--num_cycles must be a finite number"),
        ("--num_cycles 1e9", "--num_cycles must be 1000 at most"),
        ("--power 0", "--power must be above 0"),
        ("--lr_end nan", "--lr_end must be a finite number"),
        ("--scale_loss 0", "--scale_loss must be above 0"),
        ("--ema_decay nan", "--ema_decay must be at least 0 and below 1"),
        ("--episode_shots 1", "--episode_shots must be at least 2"),
        (
            "--unlabeled_file a --do_train --do_eval --pseudo_label_threshold nan --pseudo_label_selection confidence",
            "--pseudo_label_threshold must be above 0",
        ),
        ("--fp16_opt_level O7", "--fp16_opt_level O7: expected O1 or O2"),
        ("--fp16_full_eval", "--fp16_full_eval needs a GPU"),
        ("--report_to all none", "all and none stand alone"),
        (f"--output_dir {'x' * 300}", "--output_dir xxxx"),
        (f"--resume_from_checkpoint {'x' * 300}", "File name too long"),
        (f"--data_dir {'x' * 300}", "File name too long"),
        (f"--model_name_or_path {'x' * 300}", "File name too long"),
        (f"--logging_dir {'x' * 300}", "File name too long"),
    ],
)
def test_values_that_no_training_has(command, said):
    message = refused(command)
    assert said in message and len(message) < 250


@pytest.mark.parametrize("name", ["output_dir", "data_dir", "resume_from_checkpoint", "model_name_or_path"])
def test_an_empty_path_names_nothing(name):
    with pytest.raises(ConfigError, match=f"--{name} '' names nothing"):
        parse_arguments(["--device", "cpu", f"--{name}", ""])


def test_a_circle_of_links(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for name in ("output_dir", "data_dir", "resume_from_checkpoint"):
        assert "symbolic links" in refused(f"--{name} {tmp_path / 'a'}")


@pytest.mark.parametrize(
    ("name", "package"), [("wandb", "wandb"), ("tensorboard", "tensorboardX"), ("visualdl", "visualdl")]
)
def test_reports_to_what_is_not_installed(monkeypatch, name, package):
    monkeypatch.setattr(flag_rules, "_find", lambda package: None)
    with pytest.raises(DependencyError, match=f"--report_to {name}: {package} is not installed; pip install {package}"):
        parse_arguments(["--device", "cpu", "--report_to", name])
    assert training("").report_to == [], "the default asks for no more than there is"


@pytest.mark.parametrize(
    ("name", "value"),
    [("learning_rate", float("inf")), ("learning_rate", 1e308), ("ppt_learning_rate", float("nan")),
     ("alpha_rdrop", float("inf")), ("num_train_epochs", float("inf")), ("weight_decay", float("nan")),
     ("seed", 99999999999999999999)],
)  # fmt: skip
def test_numbers_that_no_training_survives_are_refused(tmp_path, name, value):
    with pytest.raises(ConfigError, match=f"--{name} must be"):
        PromptTrainingArguments(output_dir=str(tmp_path), **{name: value})
