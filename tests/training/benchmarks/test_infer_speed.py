"""benchmarks/infer_speed.py: what it counts and how it shows it; running it takes minutes."""

from __future__ import annotations

import runpy

import pytest
from toy_bundle import write_toy_bundle


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
    row.update(
        sgemm_share=0.75, cold_start_s=0.5, peak_mb=90.0, ratio_to_peer=2.5, cpu_ratio_to_peer=2.0, first_pass=1.5
    )
    result = {"size": "toy", "lines": 3, "tokens": 9, "sgemm_gflops": 80.0, "speeds": {"fp32": row}}
    lines = benchmark["table"](result).splitlines()
    assert lines[0] == "toy: 3 lines, 9 tokens, sgemm 80 GFLOP/s"
    assert len(lines) == 3 and lines[2].split() == [
        "fp32",
        "7",
        "7",
        "7",
        "75%",
        "7.00",
        "7.00",
        "0.50",
        "90",
        "2.50",
        "2.00",
        "1.50",
    ]
    part = {"lines": 4, "seconds": 2.0, "cpu_seconds": 3.0, "peak_mb": 90.0}
    assert benchmark["table"]({**result, "long_file": {"int8": part}}).splitlines()[3] == (
        "int8: 4 lines, 2 lines/s, 3 s of CPU, 90 MB"
    )


def test_arguments(benchmark):
    args = benchmark["parse"](["--sizes", "nano", "--threads", "1"])
    assert (args.sizes, args.threads, args.worker) == (["nano"], 1, None)


def test_sides(benchmark):
    def sides(*arguments):
        return benchmark["sides_of"](benchmark["parse"](list(arguments)))

    assert sides() == ("fp32", "int8", "peer", "sgemm")
    assert sides("--engines", "openvino") == ("openvino-fp32", "openvino-bf16", "openvino-int8", "peer", "sgemm")
    assert sides("--engines", "onnxruntime", "openvino", "--whole_batches")[:4] == (
        "fp32-whole",
        "int8-whole",
        "fp32",
        "int8",
    )
    of = benchmark["engine_and_precision"]
    assert [of(side) for side in ("openvino-bf16", "int8", "int8-whole")] == [
        ("openvino", "bf16"),
        ("onnxruntime", "int8"),
        ("onnxruntime", "int8"),
    ]


def test_infer_py_on_a_long_file(benchmark, tmp_path):
    write_toy_bundle(tmp_path / "export")
    long_file = tmp_path / "headlines.txt"  # whatever its name: it goes to stdin
    long_file.write_text("球队\n车\n" * 150, encoding="utf-8")
    args = benchmark["parse"](["--long_file", str(long_file), "--threads", "1"])
    found = benchmark["infer_file"](args, "fp32", tmp_path)
    assert (
        found["lines"] == 300 and found["seconds"] > 0 and 10 < found["peak_mb"] < 300
    )  # of infer.py, not of this process


def test_a_rate_of_the_large_product(benchmark):
    session, inputs, flop = benchmark["sgemm_session"](1)
    (product,) = session.run(None, inputs)
    assert product.shape == (1024, 1024) and (product == 1024).all() and flop == 2 * 1024**3
