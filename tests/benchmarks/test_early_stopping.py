"""benchmarks/early_stopping.py: the tasks that it makes, and its table."""

from __future__ import annotations

import pytest
from scripts import load_script

from prompt_kit.data.dataset import read_dataset
from prompt_kit.errors import ConfigError
from prompt_kit.prompt.verbalizer import Verbalizer

TNEWS = "data/tnews"


@pytest.fixture(scope="module")
def benchmark():
    return load_script("benchmarks/early_stopping")


def test_a_task_has_some_labels_with_so_many_examples(benchmark, tmp_path, pytestconfig):
    source = pytestconfig.rootpath / TNEWS
    (tmp_path / "source").mkdir()
    for name, taken in (("train", "train"), ("dev", "dev"), ("test", "dev")):
        (tmp_path / "source" / f"{name}.txt").write_bytes((source / f"{taken}.txt").read_bytes())
    (tmp_path / "source" / "label.txt").write_bytes((source / "label.txt").read_bytes())
    benchmark.write_task(tmp_path / "source", tmp_path / "task", 3, 2, seed=1)
    verbalizer = Verbalizer.from_file(tmp_path / "task" / "label.txt")
    data = read_dataset(tmp_path / "task", verbalizer, ("train", "dev", "test"))
    assert len(verbalizer) == 3
    for examples in (data.train, data.dev):
        assert sorted(one.label for one in examples) == sorted([*verbalizer.labels] * 2)
    assert len(data.test) == 3 * 16
    with pytest.raises(ConfigError, match="--labels 16: .* has 15; give fewer"):
        benchmark.write_task(tmp_path / "source", tmp_path / "other", 16, 2, seed=1)


def test_table(benchmark):
    runs = [
        {"labels": 2, "shots": 4, "seed": seed, "rule": rule, "test_accuracy": score}
        for rule, scores in (("default", (0.5, 0.75)), ("full", (0.25, 0.25)))
        for seed, score in enumerate(scores)
    ]
    assert (
        benchmark.table(runs, ["default", "full"]).splitlines()[2] == "| 2 | 4 | 62.5 (50.0 75.0) | 25.0 (25.0 25.0) |"
    )
