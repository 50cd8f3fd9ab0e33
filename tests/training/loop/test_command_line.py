"""The command line of train.py: what parses, what it means, and its help."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import types
import typing

import pytest
from commands import ARTICLE, ARTICLE_EPOCHS, PROMPT, parse, training
from paddlenlp.prompt import PromptTuningArguments
from paddlenlp.trainer import TrainingArguments

from prompt_kit.training.loop import command_line
from prompt_kit.training.loop.arguments import PromptTrainingArguments
from prompt_kit.training.loop.command_line import DERIVED, build_parser, parse_arguments

pytestmark = pytest.mark.usefixtures("in_empty_folder")


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


@pytest.mark.parametrize("name", ["eval", "save", "logging"])
def test_giving_steps_switches_to_steps(name):
    strategy = {"eval": "evaluation_strategy", "save": "save_strategy", "logging": "logging_strategy"}[name]
    args = training(f"--do_eval --{name}_steps 7")
    assert getattr(args, strategy).value == "steps" and getattr(args, f"{name}_steps") == 7
    assert getattr(training(f"--do_eval --{name}_steps 7 --{strategy} epoch"), strategy).value == "epoch"


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
