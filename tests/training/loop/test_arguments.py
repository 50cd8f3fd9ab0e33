"""The command line of train.py: what parses, what it means, and what is refused."""

from __future__ import annotations

import argparse
import dataclasses
import io
import logging
import types
import typing

import pytest
from paddlenlp.prompt import PromptTuningArguments
from paddlenlp.trainer import TrainingArguments

from prompt_kit.errors import ConfigError, DependencyError
from prompt_kit.training.loop import command_line, flag_rules
from prompt_kit.training.loop.arguments import PromptTrainingArguments
from prompt_kit.training.loop.command_line import DERIVED, build_parser, parse_arguments
from prompt_kit.training.loop.presets import PRESETS

PROMPT = "这条新闻标题的主题是"
# The two commands of the article on PaddleNLP's few-shot example.
ARTICLE = (
    f"--device cpu --data_dir ./data/tnews --output_dir ./checkpoints/ --prompt {PROMPT} --max_seq_length 128 "
    "--learning_rate 3e-5 --ppt_learning_rate 3e-4 --do_train --do_eval --use_rdrop --max_steps 1000 --eval_steps 10 "
    "--logging_steps 5 --per_device_eval_batch_size 32 --per_device_train_batch_size 8 --do_predict --do_export"
)
ARTICLE_EPOCHS = (
    f"--device cpu --data_dir ./data/tnews --output_dir ./checkpoints/ --prompt {PROMPT} --max_seq_length 128 "
    "--learning_rate 3e-5 --ppt_learning_rate 3e-4 --do_train --do_eval --num_train_epochs 100 --logging_steps 5 "
    "--per_device_eval_batch_size 32 --per_device_train_batch_size 8 --do_predict --do_export "
    "--metric_for_best_model accuracy --load_best_model_at_end --evaluation_strategy epoch --save_strategy epoch "
    "--save_total_limit 1 --load_best_model_at_end True"
)


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def parse(command: str = ""):
    """(model, data, training) arguments of a command line."""
    return parse_arguments([*command.split(), "--device", "cpu"])[:3]


def training(command: str = "") -> PromptTrainingArguments:
    return parse(command)[2]


def refusal(command: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(command)
    message = str(caught.value)
    assert "\n" not in message
    return message


# -- the commands that people paste ---------------------------------------------------------------------------------


def test_the_articles_command_by_steps():
    model, data, args, given = parse_arguments(ARTICLE.split())
    assert (model.prompt, model.max_seq_length, model.soft_encoder, data.data_dir) == (
        PROMPT,
        128,
        "lstm",
        "./data/tnews",
    )
    assert (args.learning_rate, args.ppt_learning_rate, args.max_steps) == (3e-5, 3e-4, 1000)
    assert (args.eval_steps, args.logging_steps, args.use_rdrop, args.use_rgl) == (10, 5, True, False)
    assert (args.evaluation_strategy.value, args.logging_strategy.value) == ("steps", "steps")
    assert (args.per_device_train_batch_size, args.per_device_eval_batch_size) == (8, 32)
    assert args.do_train and args.do_eval and args.do_predict and args.do_export
    assert args.early_stopping_patience == 0
    assert {"prompt", "use_rdrop", "do_export"} <= given and "use_rgl" not in given


def test_the_articles_command_by_epochs():
    args = parse_arguments(ARTICLE_EPOCHS.split())[2]
    assert (args.num_train_epochs, args.max_steps) == (100, -1)
    assert (args.evaluation_strategy.value, args.save_strategy.value) == ("epoch", "epoch")
    assert (args.metric_for_best_model, args.greater_is_better) == ("accuracy", True)
    assert args.load_best_model_at_end is True and args.save_total_limit == 1


def printed_configuration() -> list:
    """The names that PaddleNLP prints, whatever its log level: fields, properties and class attributes."""
    args, names = TrainingArguments(output_dir="printed", device="cpu"), []
    for name in dir(args):  # as TrainingArguments.print_config goes about it
        if name[:2] != "__" and not isinstance(getattr(args, name), types.MethodType):
            names.append(name)
    return names


EXAMPLE_ARGUMENTS = (
    "data_dir prompt model_name_or_path task_type soft_encoder encoder_hidden_size max_seq_length export_type".split()
)
FIELDS = {
    item.name: hint
    for cls in (TrainingArguments, PromptTuningArguments)
    for item in dataclasses.fields(cls)
    for hint in [typing.get_type_hints(cls)[item.name]]
}
OURS = {  # no default of the right kind to be told from the type
    "evaluation_strategy": "epoch", "save_strategy": "epoch", "logging_strategy": "epoch", "task_type": "multi-class",
    "export_type": "onnx", "soft_encoder": "lstm", "encoder_hidden_size": "200",
}  # fmt: skip


def value_for(name: str) -> str:
    if name in OURS:
        return OURS[name]
    hint = str(FIELDS.get(name, "str"))
    return "1" if "int" in hint or "float" in hint else "True" if "bool" in hint else "words"


def test_every_name_of_a_printed_configuration_is_a_flag():
    names = {*printed_configuration(), *FIELDS, *EXAMPLE_ARGUMENTS}
    assert {"should_save", "world_size", "train_batch_size", "sharding_degree", "alpha_rdrop"} <= names
    parser, refused = build_parser(), []
    for name in sorted(names):
        try:
            parser.parse_args([f"--{name}", value_for(name)])
        except SystemExit:
            refused.append(name)
    assert refused == []


def test_derived_names_are_ignored_with_one_notice(caplog):
    with caplog.at_level(logging.WARNING):
        args = training("--world_size 8 --train_batch_size 3 --seed 7")
    assert (args.seed, args.per_device_train_batch_size, args.world_size) == (7, 16, 1)
    (record,) = [record for record in caplog.records if record.name == command_line.__name__]
    assert "ignored" in record.getMessage()
    assert "--world_size" in record.getMessage() and "--train_batch_size" in record.getMessage()
    assert "--seed" not in record.getMessage()


def test_no_notice_where_nothing_is_ignored(caplog):
    with caplog.at_level(logging.WARNING):
        training("--seed 7")
    assert not [record for record in caplog.records if record.name == command_line.__name__]


def test_derived_names_are_not_fields_of_ours():
    assert not {item.name for item in dataclasses.fields(PromptTrainingArguments)} & set(DERIVED)


@pytest.mark.parametrize(
    ("text", "meant"), [("None", "none"), ("none", "none"), ("mlp", "mlp"), ("lstm", "lstm"), ("LSTM", "lstm")]
)
def test_soft_encoder(text, meant):
    assert parse(f"--soft_encoder {text}")[0].soft_encoder == meant


def test_none_means_the_default_where_there_is_one():
    model, _, args = parse("--encoder_hidden_size None --resume_from_checkpoint None --greater_is_better None")
    assert model.encoder_hidden_size is None
    assert args.resume_from_checkpoint is None and args.greater_is_better is True


@pytest.mark.parametrize(("text", "meant"), [("", True), ("True", True), ("false", False), ("0", False), ("yes", True)])
def test_booleans_with_and_without_a_value(text, meant):
    assert training(f"--use_rdrop {text}").use_rdrop is meant
    assert training(f"--load_best_model_at_end {text}").load_best_model_at_end is meant


def test_no_abbreviations(capsys):
    with pytest.raises(SystemExit) as caught:
        parse("--do_ev")
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert "--do_ev" in err and err.count("\n") == 1


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


@pytest.mark.parametrize("name", ["eval", "save", "logging"])
def test_giving_steps_switches_to_steps(name):
    strategy = {"eval": "evaluation_strategy", "save": "save_strategy", "logging": "logging_strategy"}[name]
    args = training(f"--do_eval --{name}_steps 7")
    assert getattr(args, strategy).value == "steps" and getattr(args, f"{name}_steps") == 7
    assert getattr(training(f"--do_eval --{name}_steps 7 --{strategy} epoch"), strategy).value == "epoch"


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


def test_preset_example_is_the_articles_command():
    model, _, args = parse("--preset example --do_train --do_eval --do_predict --do_export")
    theirs_model, _, theirs = parse(f"{ARTICLE} --verbalizer soft")  # the article's only head
    assert model == theirs_model
    ignored = {"preset", "output_dir", "logging_dir", "run_name"}
    for item in dataclasses.fields(args):
        if item.name not in ignored and hasattr(args, item.name):
            assert getattr(args, item.name) == getattr(theirs, item.name), item.name


def test_preset_best_learns_from_the_folders_own_texts():
    args = training("--preset best --do_train --do_eval --data_dir some/where")
    assert (args.unlabeled_file, args.num_teachers) == ("some/where/data.txt", 5)
    args = training("--preset best --do_train --do_eval --teacher a b --num_generations 2 --unlabeled_file texts.txt")
    assert (args.unlabeled_file, args.teacher, args.num_teachers) == ("texts.txt", ["a", "b"], 0)
    with pytest.raises(ConfigError, match="add --do_train --do_eval"):
        training("--preset best --do_eval")


def test_flags_override_the_preset():
    model, _, args = parse("--preset example --prompt 主题 --eval_steps 20 --use_rdrop False --soft_encoder mlp")
    assert (model.prompt, model.soft_encoder) == ("主题", "mlp")
    assert (args.eval_steps, args.use_rdrop, args.max_steps) == (20, False, 1000)


def test_epochs_override_the_presets_steps():
    args = training("--preset example --num_train_epochs 3")
    assert (args.num_train_epochs, args.max_steps) == (3, -1)


def test_presets_name_real_flags():
    known = vars(build_parser().parse_args([])).keys() | {action.dest for action in build_parser()._actions}
    for preset in PRESETS.values():
        assert preset.keys() <= known


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
    message = refusal(f"--{name} {wrong}")
    assert f"--{name} must be {wanted}" in message and wrong in message


@pytest.mark.parametrize("name", ["adam_beta1", "adam_beta2", "ppt_adam_beta1", "ppt_adam_beta2"])
@pytest.mark.parametrize("wrong", ["1", "-0.1"])
def test_betas(name, wrong):
    assert f"--{name} must be at least 0 and below 1" in refusal(f"--{name} {wrong}")


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
    message = refusal(command)
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


@pytest.mark.parametrize(
    "command",
    ["--preset nonsense", "--verbalizer none_such", "--max_steps many", "--use_rdrop maybe", "--task_type regression"],
)
def test_the_parser_refuses_in_one_line(command, capsys):
    with pytest.raises(SystemExit) as caught:
        parse(command)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and command.split()[0] in err and "--help" in err


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
    message = refusal(command)
    name = command.split()[0]
    assert (
        message.startswith(f"{command if ' ' in command else name + ' True'} has no effect here")
        or "['foo']" in message
    )
    assert message.endswith(f"drop {name}")


def test_what_a_printed_configuration_says_of_it_is_accepted():
    training(
        "--tensor_parallel_degree -1 --pipeline_parallel_degree 1 --sharding_parallel_degree -1 --unified_checkpoint False "
        "--label_names labels --past_index -1 --dataloader_drop_last False --max_evaluate_steps -1 --max_steps -1 "
        "--hybrid_parallel_topo_order pp_first --prediction_loss_only False --eval_accumulation_steps None"
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
    message = refusal(command)
    assert said in message and len(message) < 250


@pytest.mark.parametrize("name", ["output_dir", "data_dir", "resume_from_checkpoint", "model_name_or_path"])
def test_an_empty_path_names_nothing(name):
    with pytest.raises(ConfigError, match=f"--{name} '' names nothing"):
        parse_arguments(["--device", "cpu", f"--{name}", ""])


def test_a_circle_of_links(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for name in ("output_dir", "data_dir", "resume_from_checkpoint"):
        assert "symbolic links" in refusal(f"--{name} {tmp_path / 'a'}")


@pytest.mark.parametrize(
    ("name", "package"), [("wandb", "wandb"), ("tensorboard", "tensorboardX"), ("visualdl", "visualdl")]
)
def test_reports_to_what_is_not_installed(monkeypatch, name, package):
    monkeypatch.setattr(flag_rules, "_find", lambda package: None)
    with pytest.raises(DependencyError, match=f"--report_to {name}: {package} is not installed; pip install {package}"):
        parse_arguments(["--device", "cpu", "--report_to", name])
    assert training("").report_to == [], "the default asks for no more than there is"


def test_no_cuda_is_a_cpu():
    assert parse_arguments(["--no_cuda"])[2].device == "cpu"
    with pytest.raises(ConfigError, match="--no_cuda contradicts --device gpu"):
        parse_arguments(["--no_cuda", "--device", "gpu"])


# -- help -----------------------------------------------------------------------------------------------------------


def test_help_shows_our_groups_first_and_examples():
    text = build_parser().format_help()
    titles = [group.title for group in build_parser()._action_groups if group._group_actions]
    assert titles[-1] == "PaddleNLP's Trainer"
    ours = ["--data_dir", "--prompt", "--soft_encoder", "--verbalizer", "--use_rdrop", "--ppt_learning_rate"]
    theirs = ["--tensor_parallel_degree", "--dataloader_num_workers", "--past_index"]
    body = text[text.index("-h, --help") :]
    assert max(body.index(flag) for flag in ours) < min(body.index(flag) for flag in theirs)
    assert "python train.py --do_train --do_eval" in text and "zero-shot" in text
    assert not any(f"--{name} " in text for name in DERIVED)


def test_every_flag_of_ours_has_a_help_text():
    inherited = {item.name for item in dataclasses.fields(TrainingArguments)}
    for action in build_parser()._actions:
        if action.help is not argparse.SUPPRESS and action.dest not in inherited:
            assert action.help, action.dest


def test_the_examples_of_the_help_parse():
    epilog = build_parser().epilog
    commands = [line for line in epilog.splitlines() if "python train.py" in line]
    assert len(commands) >= 3
    for line in commands:
        flags = line.split("train.py", 1)[1].split("  ")[0]
        parse(flags)


@pytest.mark.parametrize(
    ("name", "value"),
    [("learning_rate", float("inf")), ("learning_rate", 1e308), ("ppt_learning_rate", float("nan")),
     ("alpha_rdrop", float("inf")), ("num_train_epochs", float("inf")), ("weight_decay", float("nan")),
     ("seed", 99999999999999999999)],
)  # fmt: skip
def test_numbers_that_no_training_survives_are_refused(tmp_path, name, value):
    with pytest.raises(ConfigError, match=f"--{name} must be"):
        PromptTrainingArguments(output_dir=str(tmp_path), **{name: value})
