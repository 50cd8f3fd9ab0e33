"""The tasks that the benchmark of task types makes of single headlines."""

from __future__ import annotations

from pathlib import Path

from scripts import load_script

ROOT = Path(__file__).resolve().parents[2]
task_types = load_script("benchmarks/task_types")

WORDS = dict(line.split("==") for line in (ROOT / "data/tnews/label.txt").read_text("utf-8").split())


def tasks(seed):
    splits = {name: task_types.read_rows(ROOT / f"data/tnews/{name}.txt") for name in ("train", "dev")}
    splits["test"] = splits["dev"] * 3  # it takes 500
    return splits, task_types.make_tasks(splits, WORDS, seed)


def test_each_answer_is_that_of_its_headlines():
    splits, made = tasks(1)
    label_of = dict(splits["train"])
    for text, labels in made["multi-label"]["train"]:
        parts = [text] if text in label_of or len(labels) == 1 else None
        if parts:
            assert {label_of.get(text) or label_of[f"{text}。"]} == set(labels)
        else:
            assert len(set(labels)) == 2 and set(labels) <= set(WORDS)
    for (first, second), answer in made["pairs"]["train"]:
        assert (label_of[first] == label_of[second]) == (answer == "same")
    for text, (above, below) in made["hierarchical"]["train"]:
        assert below == f"{above}##{WORDS[label_of[text]]}" and label_of[text] in task_types.GROUPS[above]
    assert len(made["hierarchical"]["labels"]) == len(WORDS) + len(task_types.GROUPS)


def test_a_seed_draws_the_same_lines_again():
    assert tasks(1)[1] == tasks(1)[1] and tasks(1)[1] != tasks(2)[1]
