"""benchmarks/infer_speed.py: what it counts and how it shows it; running it takes minutes."""

from __future__ import annotations

import runpy

import pytest


@pytest.fixture(scope="module")
def benchmark(root):
    return runpy.run_path(str(root / "benchmarks" / "infer_speed.py"), run_name="imported")


def test_flops_by_hand(benchmark, monkeypatch):
    monkeypatch.setitem(benchmark["SIZES"], "toy", (2, 3, 1, 5, 7))  # hidden 2, 3 layers, inner 5
    # a layer of 4 rows: query, key, value and output 4 * 2 * 2 * 2 = 32 a row, feed-forward 2 * 2 * 2 * 5 = 40,
    # scores and mixture 2 * 2 * 2 * 4 = 32
    assert benchmark["flops"](4, "toy", False) == 3 * 4 * (32 + 40 + 32)
    # the last with one row: keys and values of all four, 16 a row, and the rest once
    assert benchmark["flops"](4, "toy", True) == 2 * 4 * (32 + 40 + 32) + 4 * 16 + (16 + 40 + 32)


def test_table(benchmark):
    row = dict.fromkeys(("lines_per_second", "tokens_per_second", "gflops", "p50_ms", "p99_ms"), 7.0)
    row.update(cold_start_s=0.5, peak_mb=90.0, ratio_to_peer=2.5, cpu_ratio_to_peer=2.0)
    result = {"size": "toy", "lines": 3, "tokens": 9, "sgemm_gflops": 80.0, "speeds": {"fp32": row}}
    lines = benchmark["table"](result).splitlines()
    assert lines[0] == "toy: 3 lines, 9 tokens, sgemm 80 GFLOP/s"
    assert len(lines) == 3 and lines[2].split() == ["fp32", "7", "7", "7", "7.00", "7.00", "0.50", "90", "2.50", "2.00"]


def test_arguments(benchmark):
    args = benchmark["parse"](["--sizes", "nano", "--threads", "1"])
    assert (args.sizes, args.threads, args.worker) == (["nano"], 1, None)
