"""tools/ensemble.py on exported folders, in a Python without paddle; trained folders are in tests/training."""

from __future__ import annotations

import csv
import json
import math
import os
import runpy
import subprocess
import sys

import pytest
from scripts import load_script
from toy_bundle import LABELS, TEMPLATE, toy_config, write_toy_bundle

pytest.importorskip("onnxruntime")
pytest.importorskip("sklearn")

from prompt_kit.errors import BundleError, ConfigError, DataError
from prompt_kit.inference.bundle import read_bundle
from prompt_kit.inference.ensemble import read_models
from prompt_kit.prompt.verbalizer import Verbalizer

# Logits of a text: the sum of its tokens' scores (球 and 队 for sports, 车 for car, 股 and 票 for finance), and of the
# prompt's, which makes b prefer finance and c car.
PROMPTS = {"a": "是", "b": "股", "c": "车"}
DEV = [("球队", "sports"), ("车", "car"), ("队", "sports"), ("票", "finance")]


@pytest.fixture
def tool(root, monkeypatch, tmp_path):
    module = runpy.run_path(str(root / "tools" / "ensemble.py"), run_name="imported")
    monkeypatch.chdir(tmp_path)
    for name, words in PROMPTS.items():
        write_toy_bundle(tmp_path / name, prompt={**toy_config().prompt, "template": TEMPLATE.replace("是", words)})
    (tmp_path / "label.txt").write_text("sports\ncar\nfinance\n", encoding="utf-8")
    lines = "".join(f"{text}\t{label}\n" for text, label in DEV)
    (tmp_path / "dev.txt").write_text(lines, encoding="utf-8")
    (tmp_path / "test.txt").write_text(lines + "新队\tsports\n", encoding="utf-8")

    def call(arguments):
        module["main"]([*arguments.split(), "--data_dir", "."])

    return call


def results(folder="ensemble"):
    with open(f"{folder}/ensemble_results.json", encoding="utf-8") as file:
        return json.load(file)


def rows(folder="ensemble"):
    with open(f"{folder}/test_predictions.tsv", encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t"))


def softmax(*logits):
    return [math.exp(one) / sum(map(math.exp, logits)) for one in logits]


def test_scores_and_predictions_by_hand(tool, capsys, tmp_path):
    tool("--members a b c --do_eval --do_predict --do_export")
    found = results()
    # b takes 队 (1, 0, 2) for finance; c takes 球队 (3, 3, 0), a tie, for sports, and 队 (1, 3, 0) and 票 for car
    assert [one["eval_accuracy"] for one in found["members"]] == [1.0, 0.75, 0.5]
    assert [one["test_accuracy"] for one in found["members"]] == [1.0, 0.6, 0.4]
    assert [one["folder"] for one in found["members"]] == [str(tmp_path / name) for name in "abc"]
    assert [one["weight"] for one in found["members"]] == pytest.approx([1 / 3] * 3)
    assert found["members"][1]["template"] == TEMPLATE.replace("是", "股")
    assert found["members"][1]["base_model"] == "toy"
    means = [
        [sum(three) / 3 for three in zip(softmax(s, c, f), softmax(s, c, f + 2), softmax(s, c + 3, f))]
        for s, c, f in ((3, 0, 0), (0, 3, 0), (1, 0, 0), (0, 0, 1), (1, 0, 0))
    ]
    best = [LABELS.labels[mean.index(max(mean))] for mean in means]
    assert best == ["sports", "car", "car", "finance", "car"]  # c is so sure that it outvotes the others on 队
    assert found["ensemble"]["eval_accuracy"] == 0.75 and found["ensemble"]["test_accuracy"] == 0.6
    # dev: sports P 1 R 1/2 F 2/3; car P 1/2 R 1 F 2/3; finance 1
    assert found["ensemble"]["eval_macro_f1"] == pytest.approx(7 / 9)
    assert (found["eval_samples"], found["test_samples"]) == (4, 5)
    table = rows()
    assert table[0] == ["text", "label", "probability", "gold"]
    assert [(row[0], row[1], row[3]) for row in table[1:]] == [
        (text, label, gold) for (text, gold), label in zip([*DEV, ("新队", "sports")], best)
    ]
    assert [float(row[2]) for row in table[1:]] == pytest.approx([max(mean) for mean in means], abs=2e-6)

    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0].split() == ["weight", "eval_accuracy", "eval_macro_f1", "test_accuracy", "test_macro_f1", "model"]
    assert len(lines) == 5 and lines[4].split() == [
        "1.0000",
        "0.7500",
        "0.7778",
        "0.6000",
        lines[4].split()[4],
        "ensemble",
    ]

    config, parts = read_models("ensemble/export")
    assert config.metrics == {name: found["ensemble"][name] for name in ("eval_accuracy", "eval_macro_f1")}
    assert [part.config for part in parts] == [read_bundle(name) for name in "abc"]
    (tmp_path / "data.txt").write_text("".join(f"{row[0]}\n" for row in table[1:]), encoding="utf-8")
    load_script("infer").main(["--model_path_prefix", "ensemble/export", "--data_dir", ".", "--device", "cpu"])
    assert capsys.readouterr().out.splitlines() == best


def test_weights(tool):
    tool("--members a c --do_eval --do_export --weights 9 1")
    found = results()
    assert [one["weight"] for one in found["members"]] == pytest.approx([0.9, 0.1])
    assert found["ensemble"]["eval_accuracy"] == 1.0  # the one that is right about 队 has nearly all the say
    assert list(read_models("ensemble/export")[0].members.values()) == pytest.approx([0.9, 0.1])
    assert not os.path.exists("ensemble/test_predictions.tsv")


def test_the_best_are_chosen_on_dev_alone(tool, tmp_path):
    # on test, c is the best and a and b are wrong: nothing to choose by
    (tmp_path / "test.txt").write_text("队\tcar\n新队\tcar\n", encoding="utf-8")
    tool("--members c a b --do_predict --do_export --best 2 --weights 1 3 1")
    found = results()
    assert [one["weight"] for one in found["members"]] == [0.0, 0.75, 0.25]
    assert [one["test_accuracy"] for one in found["members"]] == [1.0, 0.0, 0.0]
    assert found["ensemble"]["test_accuracy"] == 0.0
    assert [part.config for part in read_models("ensemble/export")[1]] == [read_bundle(name) for name in "ab"]


def test_test_without_labels(tool, tmp_path):
    (tmp_path / "test.txt").write_text("球队\n车\n", encoding="utf-8")
    tool("--members a b --do_predict")
    assert results()["ensemble"] == {} and results()["test_samples"] == 2
    assert [row[1::2] for row in rows()[1:]] == [["sports", ""], ["car", ""]]


def test_only_what_is_asked_for_is_read_and_written(tool, tmp_path):
    for name in ("dev.txt", "test.txt", "label.txt"):
        (tmp_path / name).unlink()
    tool("--members a b --do_export")
    assert sorted(os.listdir("ensemble")) == ["ensemble_results.json", "export"]
    with pytest.raises(DataError, match=r"dev\.txt"):
        tool("--members a b --do_eval --output_dir other")
    assert not os.path.exists("other")


def test_an_earlier_ensemble_goes_only_if_told_and_other_files_never(tool, tmp_path):
    tool("--members a b --do_predict")
    before = results()
    with pytest.raises(ConfigError, match="--overwrite_output_dir"):
        tool("--members a c --do_eval")
    assert results() == before
    tool("--members a c --do_eval --overwrite_output_dir")
    assert os.listdir("ensemble") == ["ensemble_results.json"]  # no predictions of another ensemble
    (tmp_path / "ensemble" / "notes.txt").touch()
    for folder in ("ensemble", "a"):
        with pytest.raises(ConfigError, match="holds other files"):
            tool(f"--members a c --do_eval --overwrite_output_dir --output_dir {folder}")
    with pytest.raises(ConfigError, match="is a file"):
        tool("--members a c --do_eval --output_dir dev.txt")


def test_a_member_that_breaks_leaves_the_old_ensemble(tool, tmp_path):
    tool("--members a b --do_eval --do_export")
    before = sorted((tmp_path / "ensemble").rglob("*"))
    (tmp_path / "c" / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        tool("--members a c --do_eval --do_export --overwrite_output_dir")
    assert sorted((tmp_path / "ensemble").rglob("*")) == before
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_other_labels(tool, tmp_path):
    labels = Verbalizer.from_lines(["sports==球队", "finance==股票", "car==车"])
    write_toy_bundle(tmp_path / "d", verbalizer=labels)
    with pytest.raises(BundleError, match=r"number 2 differs: \S*/a has 'car' \(3 labels\), \S*/d has 'finance'"):
        tool("--members a b d --do_export")
    (tmp_path / "label.txt").write_text("sports\ncar\nfinance\nworld\n", encoding="utf-8")
    with pytest.raises(BundleError, match=r"number 4 differs: \S*/a has 3 labels only, label\.txt has 'world'"):
        tool("--members a b --do_eval")
    assert not os.path.exists("ensemble")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--members a b", "nothing to do"),
        ("--members a --do_eval", "two or more different folders"),
        ("--members a ./a --do_eval", "two or more different folders"),
        ("--members a b --do_eval --weights 1", "expected 2 numbers above 0"),
        ("--members a b --do_eval --weights 1 0", "expected 2 numbers above 0"),
        ("--members a b --do_eval --weights 1 nan", "expected 2 numbers above 0"),
        ("--members a b --do_eval --best 3", "expected 2 to 2"),
        ("--members a b c --do_eval --best 1", "expected 2 to 3"),
        ("--members a b --do_eval --batch_size 0", "--batch_size"),
        ("--members a . --do_eval", "no prompt_config.json in .*train.py finished"),
        ("--members a nowhere/x --do_eval", "--members nowhere/x: no prompt_config.json in .*nowhere"),
    ],
)
def test_mistakes(tool, arguments, says):
    with pytest.raises((ConfigError, BundleError), match=says) as caught:
        tool(arguments)
    assert "\n" not in str(caught.value) and not os.path.exists("ensemble")


def test_an_ensemble_is_no_member(tool):
    tool("--members a b --do_export")
    with pytest.raises(ConfigError, match="an ensemble itself.*member-0"):
        tool("--members ensemble/export c --do_eval --output_dir other")


def test_as_a_program_without_paddle(root, tool, tmp_path):
    code = (
        "import runpy, sys; sys.modules.update(paddle=None, paddlenlp=None, paddle2onnx=None); sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    base = [sys.executable, "-c", code, str(root / "tools" / "ensemble.py"), "--data_dir", ".", "--do_eval"]

    def call(*arguments):
        return subprocess.run([*base, *arguments], cwd=tmp_path, capture_output=True, timeout=120, encoding="utf-8")

    done = call("--members", "a", "b", "--do_predict", "--do_export")
    assert done.returncode == 0 and done.stdout.splitlines()[-1].endswith("ensemble"), done.stderr
    done = call("--members", "a", "nowhere/x", "--output_dir", "other")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ensemble.py: error: ") and done.stderr.count("\n") == 1
