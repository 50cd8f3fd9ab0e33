"""Prompt transfer: what is taken from another task's folder, and what is refused."""

from __future__ import annotations

import json
import logging

import numpy as np
import paddle
import pytest
from runs import same, weights
from scripts import load_script
from tiny import LABELS, tiny_model, tiny_rtd

from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.models.prompt_transfer import Taken, init_prompt, source_template

OTHERS = Verbalizer.from_lines(["finance==股票", "auto==汽车", "phone==手机"])  # by name, by word, and not at all


def learned(folder, **options):
    """A model whose prompt and head have moved from where they started."""
    model = tiny_model(**{"dropout": 0.0, **options})
    paddle.seed(7)
    for parameter in model.prompt_parameters():
        parameter.set_value(parameter + 0.3 * paddle.randn(parameter.shape))
    model.save_pretrained(folder)
    return model


def test_soft_tokens_encoder_and_matching_rows(tmp_path):
    source = learned(tmp_path)
    model = tiny_model(labels=OTHERS)
    before = weights(model)
    assert init_prompt(model, tmp_path) == Taken(8, (("finance", "finance"), ("auto", "car")))
    assert same(weights(model.soft_prompt), weights(source.soft_prompt))
    np.testing.assert_array_equal(model.head.weight.numpy()[:, [0, 1]], source.head.weight.numpy()[:, [2, 0]])
    np.testing.assert_array_equal(model.head.bias.numpy()[[0, 1]], source.head.bias.numpy()[[2, 0]])
    np.testing.assert_array_equal(model.head.weight.numpy()[:, 2], before["head.weight"][:, 2])
    after = weights(model)
    assert all(np.array_equal(after[name], before[name]) for name in before if name.startswith("backbone."))


def test_a_row_serves_one_label(tmp_path):
    """The label of the same name has it, before a label that shares a word."""
    learned(tmp_path)
    labels = Verbalizer.from_lines(["auto==汽车", "car==手机", "x==股票"])
    assert init_prompt(tiny_model(labels=labels), tmp_path).labels == (("car", "car"),)


def test_a_head_of_words_is_made_anew(tmp_path):
    source = learned(tmp_path, head="cosine")
    model = tiny_model(head="cosine", dropout=0.0)
    start = model.head.weight.numpy().copy()
    assert init_prompt(model, tmp_path) == Taken(8, ())
    directions, _ = source._word_directions()
    np.testing.assert_allclose(model.head.weight.numpy(), directions, atol=1e-5)
    assert np.abs(start - directions).max() > 1e-3


def test_a_discriminators_prompt(tmp_path):
    prompt = "{'mask'}{'soft': '新闻'}{'text': 'text_a'}"
    source = tiny_rtd(prompt)
    source.soft_prompt.vectors.set_value(source.soft_prompt.vectors + 1)
    source.save_pretrained(tmp_path)
    model = tiny_rtd(prompt)
    assert init_prompt(model, tmp_path) == Taken(2, ())
    np.testing.assert_array_equal(model.soft_prompt.vectors.numpy(), source.soft_prompt.vectors.numpy())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"encoder": "mlp"},
            r"has 8 soft tokens: 8 through lstm \(16\), this template has 8 soft tokens: 8 through mlp",
        ),
        ({"hidden_size": 8}, r"8 through lstm \(16\), this template has 8 soft tokens: 8 through lstm \(8\)"),
        ({"prompt": "新闻"}, "this template has 2 soft tokens.*drop --prompt to take the template of the folder"),
        ({"family": "bert"}, "another language model: architectures .*ErnieForMaskedLM.*here .*BertForMaskedLM"),
    ],
)
def test_what_does_not_fit_is_one_line_and_nothing_is_copied(tmp_path, options, message):
    learned(tmp_path)
    model = tiny_model(**options)
    before = weights(model)
    with pytest.raises(ConfigError, match=message) as caught:
        init_prompt(model, tmp_path)
    assert "\n" not in str(caught.value) and same(weights(model), before)


def test_another_language_model_of_the_same_sizes(tmp_path):
    learned(tmp_path)
    config = json.loads((tmp_path / "prompt_config.json").read_text("utf-8"))
    config["base_model"] = "another"
    (tmp_path / "prompt_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(
        ConfigError, match="learned with the language model another, but this one starts from tiny-ernie"
    ):
        init_prompt(tiny_model(), tmp_path)


def test_nothing_to_take(tmp_path):
    hard = "{'text': 'text_a'}{'hard': '主题是'}{'mask'}"
    learned(tmp_path / "hard", prompt=hard)
    model = tiny_model(prompt=hard, labels=Verbalizer.from_lines(["a==手机", "b==股票"]))
    with pytest.raises(ConfigError, match="has nothing for this model to start from: soft tokens there 0, here 0"):
        init_prompt(model, tmp_path / "hard")
    with pytest.raises(CheckpointError, match="not a folder that train.py finished"):
        init_prompt(tiny_model(), tmp_path)


def test_by_train_py(tiny_folder, tiny_data, tmp_path, caplog):
    """The template of the source is taken, and training starts at its prompt."""
    from prompt_kit import PromptModel

    common = [
        *"--do_train --max_steps 2 --device cpu --report_to none --max_seq_length 32 --freeze_plm --verbalizer soft".split(),
        *"--ema_decay 0 --use_rdrop false --model_name_or_path".split(), str(tiny_folder), "--data_dir", str(tiny_data),
    ]  # fmt: skip
    train, source, target = load_script("train").main, str(tmp_path / "source"), str(tmp_path / "target")
    train(
        [*common, "--prompt", "主题是", "--soft_encoder", "none", "--ppt_learning_rate", "0.5", "--output_dir", source]
    )
    with caplog.at_level(logging.INFO, "prompt_kit"):
        train([*common, "--init_prompt_from", source, "--ppt_learning_rate", "1e-9", "--output_dir", target])
    assert f"prompt from {source}: 3 soft tokens, and the head's rows of car, sports, finance" in caplog.text
    assert json.loads((tmp_path / "target" / "all_results.json").read_text("utf-8"))["init_prompt_from"] == source
    first, second = PromptModel.from_pretrained(source), PromptModel.from_pretrained(target)
    assert second.template == first.template == source_template(source)
    for name, parameter in first.soft_prompt.named_parameters():
        found = dict(second.soft_prompt.named_parameters())[name]
        np.testing.assert_allclose(found.numpy(), parameter.numpy(), atol=1e-6)
    assert first.verbalizer == LABELS


def test_contradictions():
    from prompt_kit.training.loop.command_line import parse_arguments

    with pytest.raises(ConfigError, match="--init_prompt_from a contradicts --method finetune"):
        parse_arguments(["--do_train", "--method", "finetune", "--init_prompt_from", "a"])
    with pytest.raises(ConfigError, match="--init_prompt_from a is for a new model"):
        parse_arguments(["--do_train", "--init_prompt_from", "a", "--resume_from_checkpoint", "b"])
    with pytest.raises(ConfigError, match="--soft_encoder mlp contradicts --init_prompt_from a"):
        parse_arguments(["--do_train", "--init_prompt_from", "a", "--soft_encoder", "mlp"])
