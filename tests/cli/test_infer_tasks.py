"""infer.py on models whose texts have several labels: what it prints, and what it refuses."""

from __future__ import annotations

import csv
import json
import math

import pytest
from scripts import load_script
from toy_bundle import write_toy_bundle

from prompt_kit import Predictor
from prompt_kit.errors import BundleError, ConfigError
from prompt_kit.prompt.task import MULTI_LABEL, Task

infer = load_script("infer")
TEXTS = ["球队", "球车", "新", "股票车"]


@pytest.fixture
def bundle(tmp_path):
    return write_toy_bundle(tmp_path / "export", task=Task(MULTI_LABEL, 0.7, at_least_one=False))


def probabilities(bundle, text):
    return dict(Predictor(bundle, device="cpu").predict([text], top_k=3)[0].top)


@pytest.fixture
def run(bundle, capsys):
    def call(*arguments):
        infer.main(["--model_path_prefix", str(bundle), "--device", "cpu", *map(str, arguments)])
        return capsys.readouterr().out.splitlines()

    return call


def test_labels_are_separated_by_commas_and_may_be_none(run, bundle):
    lines = run("--text", *TEXTS)
    assert len(lines) == len(TEXTS)
    for text, line in zip(TEXTS, lines):
        found = probabilities(bundle, text)
        assert line == ",".join(label for label in ("sports", "car", "finance") if found[label] >= 0.7)
    assert "" in lines and any("," in line for line in lines), "the texts must show both"


def test_probabilities_are_sigmoids_of_the_graphs_logits(bundle):
    """The graph is the same as of one label a text."""
    predictor = Predictor(bundle, device="cpu")
    example = predictor.prompt_tokenizer.encode_many([predictor_example("球车")])
    logits = predictor.logits(example)[0]
    found = probabilities(bundle, "球车")
    for label, logit in zip(predictor.labels, logits):
        assert found[label] == pytest.approx(1 / (1 + math.exp(-logit)))


def predictor_example(text):
    from prompt_kit.data.dataset import Example

    return Example(text)


def test_json_lines_have_the_probability_of_every_label(run, bundle):
    record = json.loads(run("--text", "球车", "--output_format", "jsonl")[0])
    found = probabilities(bundle, "球车")
    assert record == {
        "text": "球车",
        "labels": [label for label in ("sports", "car", "finance") if found[label] >= 0.7],
        "scores": {label: round(score, 6) for label, score in found.items()},
    }


def test_a_row_has_the_labels_and_their_probabilities(run, bundle):
    row = run("--text", "球车", "--output_format", "tsv")[0].split("\t")
    found = probabilities(bundle, "球车")
    names = [label for label in ("sports", "car", "finance") if found[label] >= 0.7]
    assert row == ["球车", ",".join(names), ",".join(f"{found[label]:.6f}" for label in names)]


def test_a_table_keeps_its_columns(run, bundle, tmp_path):
    (tmp_path / "in.csv").write_text("id,text\n1,球车\n2,新\n", encoding="utf-8")
    run("--input_file", tmp_path / "in.csv", "--output_file", tmp_path / "out.csv")
    rows = list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8")))
    assert [row["predicted_label"] for row in rows] == run("--text", "球车", "新")
    assert [row["id"] for row in rows] == ["1", "2"]
    run("--input_file", tmp_path / "in.csv", "--output_file", tmp_path / "out.jsonl")
    first = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first["predicted_label"] == rows[0]["predicted_label"].split(",")
    assert len(first["predicted_score"]) == len(first["predicted_label"])


def test_top_k_is_refused(run, tmp_path):
    with pytest.raises(
        ConfigError, match="--top_k 2 is for models of one label a text, and this one is multi-label; drop it"
    ):
        run("--text", "球", "--top_k", "2", "--output_format", "jsonl")


def test_a_resumed_run_goes_on(run, tmp_path):
    lines = run("--text", *TEXTS)
    output = tmp_path / "out.txt"
    output.write_text(lines[0] + "\n" + lines[1] + "\n", encoding="utf-8")
    run("--text", *TEXTS, "--output_file", output, "--resume")
    assert output.read_text(encoding="utf-8").splitlines() == lines


def test_the_decision_is_in_the_configuration(bundle):
    config = json.loads((bundle / "prompt_config.json").read_text(encoding="utf-8"))
    assert (config["task_type"], config["threshold"], config["at_least_one"]) == ("multi-label", 0.7, False)
    assert config["format_version"] == 3, "an earlier prompt-kit, which would answer one label, must refuse it"


def test_a_bundle_of_one_label_is_what_it_was(tmp_path):
    config = json.loads((write_toy_bundle(tmp_path / "one") / "prompt_config.json").read_text(encoding="utf-8"))
    assert "threshold" not in config and config["format_version"] == 1


@pytest.mark.parametrize("change", [{"threshold": 7}, {"task_type": "regression"}, {"at_least_one": 1}])
def test_a_damaged_task_is_refused(bundle, change):
    path = bundle / "prompt_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(BundleError, match=f"prompt_config.json is damaged: {next(iter(change))} is"):
        Predictor(bundle, device="cpu")


def test_an_ensemble_has_one_label_a_text(bundle, tmp_path):
    from prompt_kit.inference.ensemble_export import copy_bundle, write_ensemble

    members = [(lambda folder: copy_bundle(bundle, folder), 1.0)] * 2
    with pytest.raises(BundleError, match="multi-label, but an ensemble's members have one label a text"):
        write_ensemble(tmp_path / "ensemble", ("sports", "car", "finance"), members)
