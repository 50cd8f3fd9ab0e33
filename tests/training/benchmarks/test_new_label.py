"""benchmarks/new_label.py and transfer_start.py: real runs of a tiny model, and a case that is known."""

from __future__ import annotations

import numpy as np
import pytest
from scripts import load_script
from tiny import LABELS

from prompt_kit.training.models.prompt_model import PromptModel

new_label, transfer_start = load_script("benchmarks/new_label"), load_script("benchmarks/transfer_start")


def test_labels_that_are_far_apart_lose_nothing():
    """Three labels at three corners: a label that is added by one example is found as if it had been there."""
    rng = np.random.default_rng(0)
    corners = np.eye(3) * 10
    ids = np.repeat(np.arange(3), 4)
    known = {split: (corners[ids] + rng.normal(size=(12, 3)) * 0.1, ids) for split in ("train", "test")}
    found = new_label.added(corners, [1, 1, 1], known, np.empty((0, 3)), shots=1, seed=0, with_word=False)
    assert found == pytest.approx(1.0)


def test_a_run_prints_a_row_a_seed_and_their_mean(tiny_folder, tiny_data, capsys):
    flags = ["--data_dir", str(tiny_data), "--model_name_or_path", str(tiny_folder), "--prompt", "新闻主题"]
    flags += ["--max_seq_length", "32"]
    new_label.main([*flags, "--shots", "1", "--seeds", "0", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[1:]] == [
        "1 no 0", "1 no 1", "1 no mean", "1 yes 0", "1 yes 1", "1 yes mean",
    ]  # fmt: skip
    seeds = [list(map(float, line.split(" | ")[1].split())) for line in lines[1:4]]
    assert np.mean(seeds[:2], axis=0) == pytest.approx(seeds[2], abs=0.11)


def test_sources_are_compared_with_the_fresh_prompt(tiny_folder, tiny_data, tmp_path, capsys):
    model = PromptModel.build(LABELS, "新闻主题", str(tiny_folder), "none", max_seq_length=32)
    model.soft_prompt.vectors.set_value(model.soft_prompt.vectors + 0.5)
    model.save_pretrained(tmp_path / "source")
    transfer_start.main(
        ["--sources", str(tmp_path / "source"), "--data_dir", str(tiny_data), "--shots", "1", "2", "--seeds", "0"]
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 2 * 2 + 1 and lines[1].startswith("1 0 | ") and lines[2].startswith("1 mean | ")
    assert lines[-1].endswith(" of 2 draws")
