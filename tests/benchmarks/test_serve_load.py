"""benchmarks/serve_load.py: its arithmetic, and a short run where hey is installed."""

from __future__ import annotations

import json
import shutil

import pytest
from scripts import load_script
from toy_bundle import write_toy_bundle


@pytest.fixture(scope="module")
def tool():
    return load_script("benchmarks/serve_load")


def test_percentiles_by_hand(tool):
    values = [float(number) for number in range(100, 0, -1)]
    assert (tool.percentile(values, 0.5), tool.percentile(values, 0.99), tool.percentile([7.0], 0.99)) == (51, 100, 7)


def test_what_the_service_is_started_with(tool):
    args = tool.build_parser().parse_args(["--num_threads", "1"])
    flags = tool.service_flags(args)
    from prompt_kit.cli.serve import parse

    parsed = parse(flags)
    assert (parsed.num_threads, parsed.precision, parsed.host) == (1, "auto", "127.0.0.1")
    assert args.clients == [1, 8, 64]


@pytest.mark.skipif(shutil.which("hey") is None, reason="needs hey")
def test_a_short_run(tool, tmp_path, capsys):
    for name in ("fastapi", "uvicorn", "prometheus_client", "onnxruntime"):
        pytest.importorskip(name)
    write_toy_bundle(tmp_path / "toy")
    (tmp_path / "in.txt").write_text("球队\tsports\n股票\tfinance\n", encoding="utf-8")
    flags = ["--model_path_prefix", str(tmp_path / "toy"), "--input", str(tmp_path / "in.txt"), "--clients", "2"]
    tool.main([*flags, "--texts", "2", "--requests", "20", "--seconds", "20", "--output", str(tmp_path / "out.json")])
    (row,) = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert row["requests"] == 20 and row["statuses"] == {"200": 20}
    assert row["lines_per_second"] > 0 and 0 < row["p50_ms"] <= row["p99_ms"]
