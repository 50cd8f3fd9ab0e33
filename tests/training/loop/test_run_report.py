"""train.py --report, and the README.md of a training folder, on real runs of the tiny model."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from scripts import load_script
from tiny import EXAMPLES, tiny_finetune, tiny_model

from prompt_kit.errors import ConfigError, DataError
from prompt_kit.report.evaluation import Case
from prompt_kit.training.loop.run_report import nearest

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

FLAGS = "--device cpu --report_to none --max_seq_length 32 --verbalizer soft --learning_rate 1e-3 --seed 7"


@pytest.fixture(scope="module")
def train(tiny_folder):
    main = load_script("train").main

    def call(flags, data, model=True):
        named = ["--model_name_or_path", str(tiny_folder)] if model else []
        main([*flags.split(), "--data_dir", str(data), *named])

    return call


@pytest.fixture(scope="module")
def run(train, tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "out"
    train(
        f"{FLAGS} --do_train --do_eval --do_predict --report --max_steps 2 --eval_steps 1 --logging_steps 1 "
        f"--output_dir {folder}",
        tiny_data,
    )
    return folder


def test_the_report_of_a_run(run):
    assert sorted(path.name for path in (run / "report").iterdir()) == [
        "confusion_matrix.png", "reliability.png", "report.html", "test_bad_cases.tsv", "training.png",
    ]  # fmt: skip
    page = (run / "report" / "report.html").read_text("utf-8")
    results = json.loads((run / "all_results.json").read_text("utf-8"))
    assert f"accuracy {results['test_accuracy']:.1%}" in page and results["data"] in page
    assert f"<dd>{results['test_macro_f1']:.3f}</dd>" in page
    wrong = (run / "test_bad_cases.tsv").read_text("utf-8")
    assert wrong == (run / "report" / "test_bad_cases.tsv").read_text("utf-8")
    assert wrong.count("\n") - 1 == round(5 * (1 - results["test_accuracy"])) > 0
    assert "Nearest training texts" in page and "Speak for it" in page


def test_a_loaded_model_on_dev_in_chinese(run, train, tiny_data, tmp_path):
    train(
        f"--device cpu --report_to none --do_eval --report --language zh --resume_from_checkpoint {run} "
        f"--output_dir {tmp_path / 'out'}", tiny_data, model=False,
    )  # fmt: skip
    page = (tmp_path / "out" / "report" / "report.html").read_text("utf-8")
    assert "数据：dev.txt" in page and (tmp_path / "out" / "report" / "training.png").is_file(), "the run's curves"
    assert not (tmp_path / "out" / "README.md").exists(), "no model lies there"


def test_what_is_missing_is_told_before_training(train, tiny_data, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="--report is about an evaluation"):
        train(f"{FLAGS} --do_train --report --output_dir {out}", tiny_data)
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "test.txt").write_text("球队\n", encoding="utf-8")
    with pytest.raises(DataError, match="nothing in .* to compare with"):
        train(f"{FLAGS} --do_train --do_predict --report --output_dir {out}", data)
    assert not out.exists()


def test_the_card_of_the_folder(run, train, tiny_data, tmp_path):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    results = json.loads((run / "all_results.json").read_text("utf-8"))
    card = huggingface_hub.ModelCard.load(run / "README.md")
    found = {(one.dataset_name.split()[0], one.metric_type): one.metric_value for one in card.data.eval_results}
    assert found["dev.txt", "accuracy"] == round(results["eval_accuracy"], 4) and results["eval_samples"] == 8
    assert found["test.txt", "accuracy"] == round(results["test_accuracy"], 4)
    assert "on 5 texts" in card.data.eval_results[-2].metric_name and results["data"] in card.text
    owned = shutil.copytree(run, tmp_path / "owned")
    (owned / "README.md").write_text("mine", encoding="utf-8")
    again = "--device cpu --report_to none --do_eval"
    train(f"{again} --resume_from_checkpoint {owned} --output_dir {owned}", tiny_data, model=False)
    assert (owned / "README.md").read_text("utf-8") == "mine"


@pytest.mark.parametrize("make", [tiny_model, tiny_finetune])
def test_the_nearest_text_is_the_text_itself(make):
    cases = [Case(row, EXAMPLES[row].text_a, "car", "finance", 0.1, 0.9) for row in (1, 4)]
    found = nearest(make(), EXAMPLES, cases, EXAMPLES)
    assert list(found) == [1, 4]
    for row, near in found.items():
        assert (near[0].text, near[0].label) == (EXAMPLES[row].text_a, EXAMPLES[row].label)
        assert near[0].similarity == pytest.approx(1, abs=1e-5) and len(near) == 3
        assert np.all(np.diff([one.similarity for one in near]) <= 0)
    assert nearest(make(), EXAMPLES, [], EXAMPLES) == {} == nearest(make(), EXAMPLES, cases, None)
