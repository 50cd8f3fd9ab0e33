"""A report about texts that may have several labels."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from prompt_kit.cli import report as command
from prompt_kit.data.dataset import Example
from prompt_kit.prompt.task import HIERARCHICAL, MULTI_LABEL, Task
from prompt_kit.report.evaluation import Case, Evaluation
from prompt_kit.report.writer import write_report

for name in ("matplotlib", "sklearn", "jinja2"):
    pytest.importorskip(name)

LABELS = ("a", "b", "b##c")
EXAMPLES = [Example("一", ("a", "b")), Example("二", ("b", "b##c")), Example("三", ()), Example("四", ("a",))]
PROBABILITIES = np.array([[0.9, 0.6, 0.1], [0.8, 0.7, 0.2], [0.1, 0.2, 0.1], [0.7, 0.1, 0.05]])


def evaluation(kind=MULTI_LABEL):
    return Evaluation("test", LABELS, EXAMPLES, PROBABILITIES, 0, task=Task(kind, 0.5, at_least_one=False))


def test_what_is_counted():
    found = evaluation()
    assert found.num_right == 3 and found.accuracy == 0.75
    # right: a b, b, -, a; missing: b##c; too much: a of the second
    assert found.scores["micro_f1"] == pytest.approx(2 * 4 / (2 * 4 + 2))
    assert [round(one.recall, 6) for one in found.classes] == [1.0, 1.0, 0.0]
    assert found.cases == [Case(1, "二", "b,b##c", "a,b", 0.2, 0.8)]
    assert sum(one.texts for one in found.bins) == 12, "every label of every text"


def test_page_and_table(tmp_path):
    for language, word in (("en", "All labels right"), ("zh", "全部标签正确的比例")):
        path = write_report(tmp_path / language, evaluation(HIERARCHICAL), language)
        page = path.read_text(encoding="utf-8")
        assert word in page and "b,b##c" in page and 'id="confusion"' not in page
        assert ("Level 2 right" if language == "en" else "第 2 级正确的比例") in page
        assert not (path.parent / "confusion_matrix.png").exists()
        with open(path.parent / "test_bad_cases.tsv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        assert rows == [{"text": "二", "predicted": "a,b", "probability": "0.800000", "gold": "b,b##c"}]


def test_the_command(tmp_path, capsys):
    from toy_bundle import write_toy_bundle

    bundle = write_toy_bundle(tmp_path / "export", task=Task(MULTI_LABEL, 0.6))
    (tmp_path / "test.txt").write_text("球队\tsports\n球车\tsports,car\n新\tfinance\n", encoding="utf-8")
    command.main(
        [
            "--model_path_prefix",
            str(bundle),
            "--data_dir",
            str(tmp_path),
            "--output_dir",
            str(tmp_path / "r"),
            "--device",
            "cpu",
        ]
    )
    assert "of 3 texts of test.txt are right" in capsys.readouterr().err
    assert (tmp_path / "r" / "report.html").is_file()
