"""A deep prompt from the command line to labels: a frozen run, resumed, exported, in 8 bits, and as another task's start."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from runs import same, saved_weights, trainer, weights
from scripts import load_script
from tiny import tiny_model

from prompt_kit.errors import ConfigError
from prompt_kit.inference.bundle import read_bundle
from prompt_kit.inference.predictor import Predictor
from prompt_kit.training.models.prompt_model import PromptModel

TEMPLATE = "{'prefix': '新闻', 'length': 4}{'text': 'text_a'}{'hard': '主题是'}{'mask'}"
ENCODED = "{'prefix': '新闻', 'encoder': 'lstm', 'hidden_size': 8}{'text': 'text_a'}{'soft': '主题是'}{'mask'}"


@pytest.mark.parametrize("template", [TEMPLATE, ENCODED])
def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path, template):
    options = dict(
        num_train_epochs=2, evaluation_strategy="steps", eval_steps=1, save_steps=1, freeze_plm=True, use_rdrop=True,
        ema_decay=0.9, ppt_learning_rate=0.05,
    )  # fmt: skip
    whole = trainer(tmp_path / "whole", tiny_model(template), **options)
    start = weights(whole.model)
    whole.train()
    resumed = trainer(tmp_path / "resumed", tiny_model(template, seed=9), **options)
    resumed.train(str(tmp_path / "whole" / "checkpoint-2"))
    assert same(weights(resumed.model), weights(whole.model))
    end = saved_weights(tmp_path / "whole" / "checkpoint-4")
    moved = {name for name in start if not np.array_equal(start[name], end[name])}
    assert moved >= {name for name in start if name.startswith("prefix.")}
    assert not any(name.startswith("backbone.") for name in moved)


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_folder, tiny_data):
    """A finished frozen run with its export."""
    folder = tmp_path_factory.mktemp("prefix") / "run"
    load_script("train").main(
        [
            *"--device cpu --report_to none --do_train --do_eval --do_predict --do_export --freeze_plm --verbalizer soft".split(),
            *"--max_steps 6 --eval_steps 6 --logging_steps 3 --ppt_learning_rate 0.05 --max_seq_length 32".split(),
            *("--prompt", TEMPLATE, "--data_dir", str(tiny_data), "--model_name_or_path", str(tiny_folder)),
            *("--output_dir", str(folder)),
        ]
    )
    return folder


def predicted(folder) -> list[str]:
    with open(folder / "test_predictions.tsv", encoding="utf-8", newline="") as file:
        return [row["label"] for row in csv.DictReader(file, delimiter="\t")]


def test_infer_gives_the_trainers_labels_on_every_line(run, tiny_data, capsys):
    model = PromptModel.from_pretrained(run)
    assert np.abs(model.prefix.gates.numpy()).min() > 0 and str(model.template) == TEMPLATE
    texts = [line.split("\t")[0] for line in (tiny_data / "test.txt").read_text("utf-8").splitlines()]
    assert [one.label for one in Predictor(run / "export").predict(texts)] == predicted(run)
    assert not any("prefix" in name for name in read_bundle(run / "export").inputs)  # constants of the graph
    load_script("infer").main(["--model_path_prefix", str(run / "export"), "--device", "cpu", "--text", *texts])
    assert capsys.readouterr().out.split() == predicted(run)


def test_int8(run, tiny_data, tmp_path):
    load_script("export").main(
        ["--resume_from_checkpoint", str(run), "--output_dir", str(tmp_path / "bundle"), "--int8", "--data_dir",
         str(tiny_data), "--force", "--no_fp16"]
    )  # fmt: skip
    config = read_bundle(tmp_path / "bundle")
    assert list(config.models) == ["fp32", "int8"] and config.parity["fp32"] < 1e-4 and config.parity["int8"] < 0.3


def start_from(run, tiny_folder, tiny_data, folder, *flags):
    load_script("train").main(
        [
            *"--device cpu --report_to none --do_train --max_steps 1 --freeze_plm --verbalizer soft".split(),
            *("--data_dir", str(tiny_data), "--model_name_or_path", str(tiny_folder), "--max_seq_length", "32"),
            *(
                "--output_dir",
                str(folder),
                "--init_prompt_from",
                str(run),
                "--ppt_learning_rate",
                "1e-9",
                "--ema_decay",
                "0",
            ),
            *flags,
        ]
    )


def test_another_task_starts_from_it(run, tiny_folder, tiny_data, tmp_path):
    start_from(run, tiny_folder, tiny_data, tmp_path / "next")
    source, taken = saved_weights(run), saved_weights(tmp_path / "next")
    for name in ("prefix.keys", "prefix.values", "prefix.gates", "head.weight"):
        np.testing.assert_allclose(taken[name], source[name], atol=1e-6)


def test_another_prefix_does_not_fit(run, tiny_folder, tiny_data, tmp_path):
    with pytest.raises(
        ConfigError, match=r"has 4 prefix tokens: 4 through no encoder, this template has 2 prefix tokens: 2"
    ):
        start_from(
            run, tiny_folder, tiny_data, tmp_path / "next", "--prompt", "{'prefix': '新闻'}{'text': 'text_a'}{'mask'}"
        )
    assert not (tmp_path / "next").exists()
