"""What a template looks like to a model: tokens by hand, words as the whole masked language model ranks them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tiny import FAMILIES, tiny_backbone, tiny_tokenizer

from prompt_kit.cli import main as command
from prompt_kit.errors import ConfigError, DataError, TemplateError
from prompt_kit.metrics import softmax
from prompt_kit.prompt.template import Template
from prompt_kit.training.models.backbone import Backbone
from prompt_kit.training.models.template_trial import Cut, try_template


def tiny(family="ernie"):
    return Backbone(f"tiny-{family}", "a test", tiny_backbone(family), tiny_tokenizer())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_words_are_those_of_the_whole_model(family):
    """PaddleNLP's own forward pass has the logits of all positions; ours of the masks alone."""
    import paddle

    backbone = tiny(family)
    template = Template.parse("{'mask'}{'soft': '新闻'}{'text': 'text_a'}{'mask'}")
    (trial,) = try_template(backbone, template, ["汽车发布"], top_k=3, max_seq_length=32)
    ids = [2, 4, *backbone.tokenizer.encode("新闻"), *backbone.tokenizer.encode("汽车发布"), 4, 3]
    with paddle.no_grad():
        logits = backbone.model(paddle.to_tensor([ids]))
    logits = (logits[0] if isinstance(logits, (tuple, list)) else logits).numpy().reshape([len(ids), -1])
    for column, words in zip((1, 8), trial.words):
        row = softmax(logits[column])
        expected = np.argsort(-row)[:3]
        assert [word for word, _ in words] == [backbone.tokenizer.id_to_token(place) for place in expected]
        assert [share for _, share in words] == pytest.approx(row[expected], abs=1e-5)


def test_tokens_and_what_is_cut():
    template = Template.parse("{'text': 'text_a'}{'hard': '是'}{'soft'}{'soft': '体育'}{'mask'}")
    (trial, short) = try_template(tiny(), template, ["今天汽车发布", "大涨"], max_seq_length=10, truncate_mode="head")
    shown = [(one.piece, one.kind) for one in trial.tokens]
    assert shown == [
        ("[CLS]", "word"), ("车", "word"), ("发", "word"), ("布", "word"), ("是", "word"), ("?", "soft"), ("体", "soft"),
        ("育", "soft"), ("[MASK]", "mask"), ("[SEP]", "word"),
    ]  # fmt: skip
    assert trial.cuts == (Cut("text_a", 3, 6, "今天汽"),) and short.cuts == ()
    (tail,) = try_template(tiny(), template, ["今天汽车发布"], max_seq_length=10)
    assert tail.cuts == (Cut("text_a", 3, 6, "车发布"),)


def test_mistakes():
    template = Template.from_prompt("这条新闻")
    with pytest.raises(ConfigError, match="max_seq_length 65 exceeds the 64 positions of tiny-ernie"):
        try_template(tiny(), template, ["车"], max_seq_length=65)
    with pytest.raises(ConfigError, match="top_k must be 1 or more"):
        try_template(tiny(), template, ["车"], top_k=0)


@pytest.fixture
def flags(tiny_folder):
    return ["try", "--model_name_or_path", str(tiny_folder), "--max_seq_length", "32"]


def test_the_command(flags, capsys, tiny_data):
    prompts = ["这条新闻的主题是", "{'mask'}{'mask'}新闻{'text': 'text_a'}"]
    command.main([*flags, "--prompt", *prompts, "--text", "汽车 发布", "--top_k", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("language model: ") and lines[2].startswith("template: {'text': 'text_a'}{'soft': ")
    assert lines[3:5] == [
        "  汽车 发布",
        "    tokens (15 of 32): [CLS] 汽 车 发 布 <这> <条> <新> <闻> <的> <主> <题> <是> [MASK] [SEP]",
    ]
    assert lines[5].startswith("    mask 1: ") and len(lines[5].split()) == 2 + 2 * 2
    assert [line[:11] for line in lines[-2:]] == ["    mask 1:", "    mask 2:"]
    command.main([*flags, "--data_dir", str(tiny_data), "--lines", "2", "--output_format", "jsonl"])
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(records) == 5 * 2, "the neutral templates, with two lines each"
    assert records[0]["text"] == "今天汽车发布" and {"word", "probability"} == records[0]["words"][0][0].keys()


def test_what_is_cut_is_shown(flags, capsys):
    command.main([*flags, "--prompt", "新闻", "--text", "今天汽车发布" * 6])
    assert "    cut: text_a, 27 of 36 tokens are read, without 车发布今天汽车发布" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ([], ConfigError, "neither is given"),
        (["--text", "x", "--data_dir", "y"], ConfigError, "both given"),
        (["--text", " "], DataError, "text 1 is empty"),
        (["--text", "x", "--lines", "0"], ConfigError, "--lines must be 1 or more"),
        (["--text", "x", "--prompt", "{'mask'"], TemplateError, ""),
        (["--data_dir", "nowhere"], DataError, "no such file"),
    ],
)
def test_a_mistake_is_one_line(flags, words, error, message):
    with pytest.raises(error, match=message):
        command.main([*flags, *words])
