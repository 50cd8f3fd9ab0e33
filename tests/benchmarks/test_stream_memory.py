"""benchmarks/stream_memory.py, on a toy model: what it measures, and that its checks find what they look for."""

from __future__ import annotations

import gzip
import json
import runpy
import sys

import pytest
from toy_bundle import write_toy_bundle

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the benchmark reads /proc, which is Linux's"
)


@pytest.fixture(scope="module")
def benchmark(root):
    return runpy.run_path(str(root / "benchmarks" / "stream_memory.py"), run_name="imported")


def test_lines_are_repeated(benchmark, tmp_path):
    (tmp_path / "a.txt").write_text("球队\tsports\n\n新\t车\tcar\n", encoding="utf-8")
    with gzip.open(tmp_path / "b.gz", "wt", encoding="utf-8") as stream:
        stream.write("股\n球队\n")
    distinct = benchmark["write_lines"]([tmp_path / "a.txt", tmp_path / "b.gz"], tmp_path / "data.txt", 6)
    assert distinct == 3
    assert (tmp_path / "data.txt").read_text(encoding="utf-8") == "球队\n新\t车\n股\n球队\n球队\n新\t车\n"


def test_lines_of_a_growing_file(benchmark, tmp_path):
    counter = benchmark["LineCounter"](tmp_path / "out")
    assert counter.count() == 0
    for written, lines, behind in (("一\n二", 1, 3), ("二", 1, 6), ("\n", 2, 0), ("三\n四\n", 4, 0), ("x", 4, 1)):
        with open(tmp_path / "out", "a", encoding="utf-8") as stream:
            stream.write(written)
        assert (counter.count(), counter.behind) == (lines, behind)


def test_checks(benchmark, tmp_path):
    data, output, other = (tmp_path / name for name in ("data.txt", "out", "other"))
    data.write_text("球\n车 \t新\n", encoding="utf-8")
    good = "球\tsports\t0.9\n车 新\tcar\t0.8\n"
    output.write_text(good, encoding="utf-8")
    benchmark["check_lines"](data, output)
    benchmark["check_start"](output, output)
    for bad, says in (
        ("球\tsports\t0.9\n", "line 2 of"),  # lost at the end
        ("车 新\tcar\t0.8\n", "line 1 of"),  # lost at the start
        ("球\tsports\t0.9\n" + good, "line 2 of"),  # repeated
        (good + "车 新\tcar\t0.8\n", "more lines than its input"),
        (good[:-1], "line 2 of"),  # half a line
    ):
        other.write_text(bad, encoding="utf-8")
        with pytest.raises(SystemExit, match=says):
            benchmark["check_lines"](data, other)
    other.write_text(good.replace("0.8", "0.7"), encoding="utf-8")
    with pytest.raises(SystemExit, match="line 2 differs"):
        benchmark["check_start"](output, other)
    other.write_text(good[:20], encoding="utf-8")
    with pytest.raises(SystemExit, match="line 2 differs"):
        benchmark["check_start"](output, other)


@pytest.mark.slow
def test_the_whole_way(benchmark, tmp_path, capsys):
    bundle = write_toy_bundle(tmp_path / "export")
    (tmp_path / "texts").write_text("球队\n车新新\n股票\n新车股票新车\n" * 50, encoding="utf-8")
    report = tmp_path / "report.json"
    benchmark["main"](
        ["--model_path_prefix", str(bundle), "--input", str(tmp_path / "texts"), "--lines", "40000", "--kills", "2",
         "--alone_lines", "20480",
         "--interval", "0.01", "--work_dir", str(tmp_path), "--output", str(report), "--seed", "1"]
    )  # fmt: skip
    said = capsys.readouterr().out
    assert (
        "each of the 40000 lines is there once" in said
        and "first 20480 are the same" in said
        and "killed after" in said
    )
    runs = json.loads(report.read_text(encoding="utf-8"))["runs"]
    assert len(runs["killed"]["kills"]) == 2 and runs["left alone"]["kills"] == []
    assert all(0 <= done <= 40000 for done, _ in runs["killed"]["kills"])
    assert {sample[0] for sample in runs["killed"]["samples"]} == {0, 1, 2}
    assert 10 < runs["left alone"]["peak_mb"] < 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", "report.json", "texts"]
