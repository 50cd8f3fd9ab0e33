"""benchmarks/augmentation.py on a tiny model: a row a run, the same head where there are no variants."""

from __future__ import annotations

import json

from scripts import load_script


def test_every_run_is_a_row(tiny_folder, tiny_data, tmp_path, capsys):
    out = tmp_path / "runs.json"
    load_script("benchmarks/augmentation").main(
        [*"--shots 1 2 --seeds 0 1 --augment 2 --max_seq_length 32".split(), "--data_dir", str(tiny_data),
         "--model_name_or_path", str(tiny_folder), "--output_file", str(out)]
    )  # fmt: skip
    runs = json.loads(out.read_text("utf-8"))
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == runs
    assert {(run["data_txt"], run["shots"], run["seed"], run["augment"]) for run in runs} == {
        (texts, shots, seed, count)
        for texts in (False, True)
        for shots in (1, 2)
        for seed in (0, 1)
        for count in (0, 2)
    }
    assert all(round(5 * run["test_accuracy"], 6) in range(6) for run in runs)  # five texts in test.txt
    assert all(run["variants"] == 0 for run in runs if run["augment"] == 0)
