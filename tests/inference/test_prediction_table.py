"""The tables that a run leaves: rows by hand, of one label a text and of several."""

from __future__ import annotations

import csv

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.inference.prediction_table import text_of, write_bad_cases, write_prediction_table, wrong_sets
from prompt_kit.metrics import BadCase
from prompt_kit.prompt.task import MULTI_LABEL, Task

TEXTS = ["今晚国足 迎战，日本队", 'a"b', "一\t二"]  # test_table.py has more


def test_the_table_of_predictions(tmp_path):
    examples = [Example(text, "b") for text in TEXTS]
    write_prediction_table(tmp_path / "t.tsv", examples, np.array([[0.25, 0.75]] * len(TEXTS)), ["a", "b"])
    with open(tmp_path / "t.tsv", encoding="utf-8", newline="") as file:
        header, *found = csv.reader(file, delimiter="\t")
    assert header == ["text", "label", "probability", "gold"]
    assert found == [[text, "b", "0.750000", "b"] for text in TEXTS]


def test_without_a_label_gold_is_empty(tmp_path):
    write_prediction_table(tmp_path / "t.tsv", [Example("一")], np.array([[0.25, 0.75]]), ["a", "b"])
    assert (tmp_path / "t.tsv").read_text("utf-8") == "text\tlabel\tprobability\tgold\n一\tb\t0.750000\t\n"


def test_several_labels_stand_in_one_column(tmp_path):
    task = Task(MULTI_LABEL, 0.5, at_least_one=False)
    examples = [Example("一", ("a", "c")), Example("二", ())]
    write_prediction_table(
        tmp_path / "t.tsv", examples, np.array([[0.5, 0.2, 0.9], [0.1, 0.2, 0.3]]), ["a", "b", "c"], task
    )
    assert (tmp_path / "t.tsv").read_text("utf-8").splitlines()[1:] == ["一\ta,c\t0.500000,0.900000\ta,c", "二\t\t\t"]


def test_two_texts_are_one_quoted_field(tmp_path):
    pair = Example("一", "a", "二")
    assert text_of(pair) == "一\t二"
    write_prediction_table(tmp_path / "t.tsv", [pair], np.array([[1.0, 0.0]]), ["a", "b"])
    assert (tmp_path / "t.tsv").read_text("utf-8").splitlines()[1] == '"一\t二"\ta\t1.000000\ta'


def test_wrong_sets_are_the_most_confident_first():
    task = Task(MULTI_LABEL, 0.5)
    examples = [Example("right", ("b", "a")), Example("less", ("a",)), Example("none", ()), Example("more", ("a", "b"))]
    probabilities = np.array([[0.9, 0.6], [0.4, 0.7], [0.1, 0.3], [0.95, 0.2]])
    assert wrong_sets(examples, probabilities, ["a", "b"], task) == [
        BadCase("more", "a", 0.95, "a,b"), BadCase("less", "b", 0.7, "a"), BadCase("none", "b", 0.3, ""),
    ]  # fmt: skip


def test_the_table_of_wrong_cases(tmp_path):
    write_bad_cases(tmp_path / "bad.tsv", [BadCase('a"b', "x", 0.25, "y")])
    assert (tmp_path / "bad.tsv").read_text("utf-8") == 'text\tpredicted\tprobability\tgold\n"a""b"\tx\t0.250000\ty\n'
