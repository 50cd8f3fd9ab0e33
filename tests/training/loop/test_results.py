"""The files that a run leaves: metrics by hand, and what is kept of an earlier step."""

from __future__ import annotations

import csv
import math
import shutil

import numpy as np
import pytest
from tiny import EXAMPLES
from train_script import read

from prompt_kit.data.dataset import Example
from prompt_kit.prompt.task import MULTI_LABEL, ONE_LABEL, Task
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.loop.results import Results
from prompt_kit.versions import __version__


def test_the_results_say_what_the_run_was(finished_once, tiny_folder):
    everything = read(finished_once / "all_results.json")
    for split in ("train", "eval", "test"):
        results = read(finished_once / f"{split}_results.json")
        assert (results["mode"], results["seed"], results["base_model"]) == ("prompt", 7, str(tiny_folder))
        assert results["template"].startswith("{'mask'}{'mask'}{'soft': '新闻：'")
        assert results["versions"]["prompt-kit"] == __version__ and "paddlepaddle" in results["versions"]
        assert len(results["data"]) >= 16
        assert all(everything[key] == value for key, value in results.items())
    assert {"train_loss", "eval_accuracy", "eval_macro_f1", "eval_loss", "test_accuracy", "test_samples"} <= (
        everything.keys()
    )
    assert everything["test_samples"] == 5


def test_predictions(finished_once):
    with open(finished_once / "test_predictions.tsv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter="\t")
    assert header == ["text", "label", "probability", "gold"]
    assert [(row[0], row[3]) for row in rows] == [(example.text_a, example.label) for example in EXAMPLES[:5]]
    assert {row[1] for row in rows} <= {"car", "sports", "finance"}
    assert all(1 / 3 <= float(row[2]) <= 1 for row in rows)
    accuracy = np.mean([row[1] == row[3] for row in rows])
    assert read(finished_once / "test_results.json")["test_accuracy"] == pytest.approx(accuracy)


def test_predictions_of_unlabelled_texts(resume, finished, tiny_data, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "test.txt").write_text('今天"汽车"发布\n球队比赛\n', encoding="utf-8")
    resume(f"--do_predict --resume_from_checkpoint {finished} --output_dir {tmp_path / 'out'}", data=data)
    with open(tmp_path / "out" / "test_predictions.tsv", encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file, delimiter="\t")
    assert [(row[0], row[3]) for row in rows] == [('今天"汽车"发布', ""), ("球队比赛", "")]
    results = read(tmp_path / "out" / "test_results.json")
    assert results["test_samples"] == 2 and "test_accuracy" not in results


INFO = {"mode": "prompt", "base_model": "tiny", "template": "{'mask'}", "seed": 7}


def test_all_results_collects_what_the_steps_write(tmp_path):
    Results(str(tmp_path), INFO).write("train", {"train_loss": 0.25})
    results = Results(str(tmp_path), {**INFO, "seed": 8})
    results.write("eval", {"eval_accuracy": 0.5})
    assert read(tmp_path / "train_results.json") == {"train_loss": 0.25, **INFO}
    assert results.read() == {"train_loss": 0.25, "eval_accuracy": 0.5, **INFO, "seed": 8}


@pytest.mark.parametrize("key", ["mode", "calibrated", "base_model", "template"])
def test_results_of_another_model_are_not_kept(tmp_path, key):
    Results(str(tmp_path), INFO).write("train", {"train_loss": 0.25})
    other = Results(str(tmp_path), {**INFO, key: "another"})
    assert other.read() == {}
    other.write("eval", {"eval_accuracy": 0.5})
    assert "train_loss" not in other.read()


def test_damaged_results_are_written_anew(tmp_path):
    (tmp_path / "all_results.json").write_text("{", encoding="utf-8")
    results = Results(str(tmp_path), INFO)
    assert results.read() == {}
    results.write("eval", {"eval_accuracy": 0.5})
    assert results.read()["eval_accuracy"] == 0.5


def test_only_the_first_process_writes(tmp_path):
    results = Results(str(tmp_path), INFO)
    results.writes = False
    results.write("eval", {"eval_accuracy": 0.5})
    results.write_predictions("test", np.zeros((1, 2)), [Example("一", "a")], TWO, ONE_LABEL)
    assert list(tmp_path.iterdir()) == []


TWO = Verbalizer.from_lines(["a==一", "b==二"])
LN3 = math.log(3)  # against 0 it is a probability of 3/4


def test_predictions_and_wrong_cases_by_hand(tmp_path):
    examples = [Example("一", "a"), Example("二", "a"), Example("三", "b")]
    logits = np.array([[LN3, 0], [0, LN3], [0, LN3]])
    Results(str(tmp_path), INFO).write_predictions("test", logits, examples, TWO, ONE_LABEL)
    assert (tmp_path / "test_predictions.tsv").read_text("utf-8").splitlines()[1:] == [
        "一\ta\t0.750000\ta", "二\tb\t0.750000\ta", "三\tb\t0.750000\tb",
    ]  # fmt: skip
    assert (tmp_path / "test_bad_cases.tsv").read_text("utf-8").splitlines()[1:] == ["二\tb\t0.750000\ta"]
    found = read(tmp_path / "test_results.json")
    assert found["test_samples"] == 3 and found["test_accuracy"] == pytest.approx(2 / 3)
    assert found["test_macro_f1"] == pytest.approx(2 / 3)  # of both labels: 2 x 1 x 1/2 / (1 + 1/2)


def test_several_labels_by_hand(tmp_path):
    examples = [Example("一", ("a", "b")), Example("二", ())]
    task = Task(MULTI_LABEL, 0.5, at_least_one=False)
    Results(str(tmp_path), INFO).write_predictions("test", np.array([[LN3, -LN3], [-LN3, -LN3]]), examples, TWO, task)
    assert (tmp_path / "test_predictions.tsv").read_text("utf-8").splitlines()[1:] == [
        "一\ta\t0.750000\ta,b",
        "二\t\t\t",
    ]
    assert (tmp_path / "test_bad_cases.tsv").read_text("utf-8").splitlines()[1:] == ["一\ta\t0.750000\ta,b"]
    found = read(tmp_path / "test_results.json")
    assert found["test_accuracy"] == 0.5 and found["test_micro_f1"] == pytest.approx(2 / 3)  # 1 of 1, 1 of 2
