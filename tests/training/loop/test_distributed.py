"""Two processes over gloo on this CPU are one process with twice the batch, and only the first of them speaks.

Twice, with and without accumulated gradients: Paddle takes another road to the same sum.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from runs import names, saved_weights
from tiny import VOCABULARY, tiny_backbone

# The states of a random model differ little between texts, and a cosine head magnifies what they differ by, rounding too;
# one step of Adam moves a weight by the rate, 1e-3.
ROUNDING = 3e-4
RUN = (
    "--device cpu --report_to none --do_train --do_eval --do_predict --num_train_epochs 3 --learning_rate 1e-3 "
    "--max_seq_length 32 --logging_strategy epoch --per_device_eval_batch_size 2"
)


@pytest.fixture(scope="module")
def still_folder(tmp_path_factory):
    """The tiny model without dropout, which no two processes could draw alike."""
    folder = tmp_path_factory.mktemp("still") / "ernie-still"
    tiny_backbone(dropout=0.0).save_pretrained(str(folder), safe_serialization=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def data(tiny_data, tmp_path_factory):
    """Seven dev and five test lines: the last batch of the second process has to be filled up."""
    folder = tmp_path_factory.mktemp("data")
    for name, count in (("train.txt", 16), ("dev.txt", 7), ("test.txt", 5), ("label.txt", 3)):
        lines = (tiny_data / name).read_text(encoding="utf-8").splitlines()[:count]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def one(root, still_folder, data, tmp_path_factory):
    """The folder of a run in one process, started as the two are: the matrix library is told of the processor before it loads."""
    folder = tmp_path_factory.mktemp("one")
    done = subprocess.run(
        [
            sys.executable, str(root / "train.py"), *RUN.split(), "--output_dir", "out", "--data_dir", data,
            "--model_name_or_path", still_folder, "--per_device_train_batch_size", "8",
        ],
        cwd=folder, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder / "out"


@pytest.fixture(scope="module", params=[1, 2], ids=["plain", "accumulating"])
def two(request, root, still_folder, data, tmp_path_factory):
    """The folder of a run in two processes; their logs are beside it."""
    folder, accumulation = tmp_path_factory.mktemp("two"), request.param
    done = subprocess.run(
        [
            sys.executable, *"-m paddle.distributed.launch --nproc_per_node 2 --log_dir logs".split(),
            str(root / "train.py"), *RUN.split(), "--output_dir", "out", "--data_dir", data,
            "--model_name_or_path", still_folder, "--per_device_train_batch_size", str(4 // accumulation),
            "--gradient_accumulation_steps", str(accumulation),
        ],
        cwd=folder, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder / "out"


pytestmark = pytest.mark.slow


def read(path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_same_weights(one, two):
    expected, got = saved_weights(one), saved_weights(two)
    assert expected.keys() == got.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(got[name], array, atol=ROUNDING, err_msg=name)


def test_the_same_losses_and_scores(one, two):
    logs = [read(folder / "trainer_state.json")["log_history"] for folder in (one, two)]
    for key in ("loss", "eval_loss", "eval_accuracy", "eval_macro_f1", "learning_rate"):
        expected, got = ([entry[key] for entry in log if key in entry] for log in logs)
        assert len(expected) >= 3 and got == pytest.approx(expected, abs=2 * ROUNDING), key


def test_the_same_results_and_predictions(one, two):
    expected, got = (read(folder / "all_results.json") for folder in (one, two))
    assert expected.keys() == got.keys()
    for key in ("eval_loss", "eval_accuracy", "test_accuracy", "train_loss"):
        assert got[key] == pytest.approx(expected[key], abs=2 * ROUNDING), key
    for key in ("mode", "seed", "data", "template", "test_samples"):
        assert got[key] == expected[key], key
    tables = [(folder / "test_predictions.tsv").read_text(encoding="utf-8").splitlines() for folder in (one, two)]
    rows = [[line.split("\t") for line in table] for table in tables]
    assert [row[:2] + row[3:] for row in rows[0]] == [row[:2] + row[3:] for row in rows[1]]
    assert len(rows[0]) == 6


def test_each_file_is_written_once(one, two):
    assert names(one) == names(two)
    assert [name for name in names(two) if name.startswith("checkpoint-")]


def test_the_first_process_alone_speaks(two):
    logs = two.parent / "logs"
    first, second = (sorted(logs.glob("*workerlog.*"))[rank].read_text(encoding="utf-8") for rank in (0, 1))
    assert first.count("dev accuracy") == 4  # before the first step too
    assert first.count("language model: ") == 1
    assert "dev accuracy" not in second and "language model" not in second
    assert second.strip() == "" or "Error" not in second
