"""benchmarks/faithfulness.py on a graph that adds token scores: what is named decides, what is drawn seldom does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from scripts import load_script
from toy_bundle import write_toy_bundle

from prompt_kit.errors import ConfigError
from prompt_kit.inference.predictor import Predictor

pytest.importorskip("onnxruntime")
faithfulness = load_script("benchmarks/faithfulness")

TEXTS = [
    "新新球新新",
    "新车新新新",
    "新新新新股",
    "票新新新新",
    "新新新新新新新新新新新新新新新",
]  # the last one is cut


@pytest.fixture
def folder(tmp_path):
    return write_toy_bundle(tmp_path / "export")


def test_named_characters_win(folder, tmp_path, capsys):
    (tmp_path / "test.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    output = tmp_path / "result.json"
    faithfulness.main(
        ["--model_path_prefix", str(folder), "--data_dir", str(tmp_path), "--k", "1", "4", "--output", str(output)]
    )
    shown = capsys.readouterr().out
    assert "5 texts explained" in shown and "1 are cut and left out" in shown
    one, four = json.loads(output.read_text("utf-8"))["rows"]
    # without its character a text is 新 alone, which the first label, sports, wins: 球's label stays
    assert (one["texts"], one["named"]) == (4, {"leave-one-out": {"taken away": 3, "alone": 4}})
    assert len(one["random"]) == 5 and all(each["taken away"] <= 3 and each["alone"] <= 4 for each in one["random"])
    assert sum(each["taken away"] for each in one["random"]) < 3 * 5
    assert four["named"] == {"leave-one-out": {"taken away": 3, "alone": 4}}
    assert "| 1 | 4 | leave-one-out | 75.0% (30.1% to 95.4%) | " in shown
    drawn = [f"{each['taken away'] / 4:.1%} / {each['alone'] / 4:.1%}" for each in one["random"]]
    assert "| k | seed 0 | seed 1 | seed 2 | seed 3 | seed 4 |" in shown and f"| 1 | {' | '.join(drawn)} |" in shown


def test_every_method_is_asked_of_the_same_texts(folder):
    """A second method that names the characters the other way round: its rows differ, chance is drawn once."""
    predictor = Predictor(folder, device="cpu", num_threads=1)
    found = predictor.explain(TEXTS[:4])
    turned = [
        replace(one, effects=tuple(replace(each, log_odds=-each.log_odds) for each in one.effects)) for one in found
    ]
    row = faithfulness.measure(predictor, {"leave-one-out": found, "integrated gradients": turned}, 1, [0, 1])
    assert list(row["named"]) == ["leave-one-out", "integrated gradients"] and len(row["random"]) == 2
    assert row["named"]["leave-one-out"]["taken away"] == 3 and row["named"]["integrated gradients"]["taken away"] == 0
    lines = faithfulness.table([row]).splitlines()
    assert [line.split(" | ")[2] for line in lines[2:]] == ["leave-one-out", "integrated gradients", "random"]


def test_characters_are_taken_at_their_places(folder):
    (one,) = Predictor(folder, device="cpu", num_threads=1).explain(["球新球 队"])
    assert faithfulness.left(one.text, [one.effects[0], one.effects[3]]) == "新球 "


def test_mistakes(folder, tmp_path):
    with pytest.raises(ConfigError, match="must be 1 or more"):
        faithfulness.main(["--k", "0"])
    (tmp_path / "data.txt").write_text("球\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="--k 2: no text has more"):
        faithfulness.main(
            ["--model_path_prefix", str(folder), "--data_dir", str(tmp_path), "--split", "data", "--k", "2"]
        )
