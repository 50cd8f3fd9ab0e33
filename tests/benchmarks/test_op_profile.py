"""benchmarks/op_profile.py: how it adds up ONNX Runtime's events, on ones written by hand and on a toy model."""

from __future__ import annotations

import json
import runpy

import pytest
from toy_bundle import write_toy_bundle

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def benchmark(root):
    return runpy.run_path(str(root / "benchmarks" / "op_profile.py"), run_name="imported")


def event(name, operator, micros, left=(2, 3), right=(3, 5), result=(2, 5)):
    shapes = {
        "input_type_shape": [{"float": list(left)}, {"float": list(right)}],
        "output_type_shape": [{"float": list(result)}],
    }
    return {"name": name, "dur": micros, "args": {"op_name": operator, **shapes}}


def test_the_shortest_time_of_a_batch_counts(benchmark):
    # two batches, run twice: a product of 2 * 2 * 3 * 5 = 60 operations each, and a norm
    events = []
    for products, norms in (((10, 30), (4, 1)), ((20, 25), (3, 2))):
        for product, norm in zip(products, norms):
            events += [event("a_kernel_time", "MatMul", product), event("b_kernel_time", "LayerNormalization", norm)]
    kinds = benchmark["by_kind"](events, repeats=2)
    assert list(kinds) == ["float products", "layer norms"]  # the longest first
    assert kinds["float products"] == [pytest.approx((10 + 25) / 1e6), 120.0]
    assert kinds["layer norms"] == [pytest.approx((3 + 1) / 1e6), 0.0]


def test_operations_of_attention_by_hand(benchmark):
    scores = event("s", "FusedMatMul", 1, left=(2, 4, 7, 8), right=(2, 4, 8, 7), result=(2, 4, 7, 7))
    assert benchmark["flops"](scores["args"]) == 2 * (2 * 4 * 7 * 7) * 8
    assert benchmark["flops"](event("s", "Softmax", 1)["args"]) == 0


def test_table(benchmark):
    kinds = {"float products": [0.003, 6e9], "softmax": [0.001, 0.0]}
    report = {"batches": 2, "tokens": 90, "rows": 100, "sgemm_gflops": 4000.0, "kinds": kinds}
    lines = benchmark["table"](report).splitlines()
    assert lines[0] == "2 batches, 90 tokens, 10.0% padding; sgemm 4000 GFLOP/s"
    assert lines[2].split() == ["float", "products", "3.0", "75.0%", "2000", "50%"]
    assert lines[3].split() == ["softmax", "1.0", "25.0%"]
    assert lines[4].split() == ["all", "4.0", "100.0%", "1500", "38%"]


def test_the_whole_way(benchmark, tmp_path, capsys):
    bundle = write_toy_bundle(tmp_path / "export")
    (tmp_path / "texts").write_text("球队\tsports\n车新新\tcar\n股\tfinance\n", encoding="utf-8")
    output = tmp_path / "report.json"
    options = ["--input", str(tmp_path / "texts"), "--batch_size", "2", "--repeats", "2", "--output", str(output)]
    benchmark["main"](["--model_path_prefix", str(bundle), *options])
    report = json.loads(output.read_text(encoding="utf-8"))
    assert (report["batches"], report["tokens"]) == (2, (2 + 3 + 1) + 3 * 4)  # [CLS] text 是 [MASK] [SEP]
    assert report["rows"] == 2 * 6 + 7 and report["sgemm_gflops"] > 1
    assert capsys.readouterr().out.startswith("2 batches, 18 tokens, 5.3% padding")
