"""Named sets of flags: what they set, and what wins over them."""

from __future__ import annotations

import dataclasses

import pytest
from commands import ARTICLE, parse, training

from prompt_kit.errors import ConfigError
from prompt_kit.training.loop.command_line import build_parser
from prompt_kit.training.loop.presets import PRESETS

pytestmark = pytest.mark.usefixtures("in_empty_folder")


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
