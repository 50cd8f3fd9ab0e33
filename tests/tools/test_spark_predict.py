"""tools/spark_predict.py: on a local Spark where there is one, else what it does before Spark starts."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from toy_bundle import write_toy_bundle

pytest.importorskip("onnxruntime")

from prompt_kit.errors import BundleError, DependencyError
from prompt_kit.inference.predictor import Predictor

HAS_JAVA = "JAVA_HOME" in os.environ or shutil.which("java") is not None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_toy_bundle(tmp_path_factory.mktemp("bundle") / "export")


@pytest.fixture
def tool(root, monkeypatch):
    """The script as a module; what it caches is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(root / "tools"))
    module = importlib.import_module("spark_predict")
    yield module
    module.predictor.cache_clear()
    del sys.modules["spark_predict"]


def test_frames(tool, folder):
    pandas = pytest.importorskip("pandas")
    frames = [
        pandas.DataFrame({"text": ["球队", "车"]}),
        pandas.DataFrame({"text": []}),
        pandas.DataFrame({"text": ["股"]}),
    ]
    labelled = list(tool.label(iter(frames), str(folder), "fp32"))
    assert [frame["label"].tolist() for frame in labelled] == [["sports", "car"], [], ["finance"]]
    assert list(labelled[0].columns) == ["text", "label", "score"]
    expected = [one.score for one in Predictor(folder, "cpu").predict(["球队", "车"])]
    assert labelled[0]["score"].tolist() == pytest.approx(expected)


def test_a_worker_opens_one_predictor_with_one_thread(tool, folder):
    first = tool.predictor(str(folder), "fp32")
    assert tool.predictor(str(folder), "fp32") is first and first.num_threads == 1


def test_a_mistake_in_the_bundle_comes_before_spark(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "start_spark", lambda master: pytest.fail("Spark was started"))
    with pytest.raises(BundleError, match="is missing: not an exported folder"):
        tool.main(["--model_path_prefix", str(tmp_path), "--input", "x", "--output", "y"])


def test_what_is_not_installed(tool, folder, monkeypatch):
    options = ["--model_path_prefix", str(folder), "--input", "x", "--output", "y"]
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(tool.shutil, "which", lambda name: None)
    with pytest.raises(DependencyError, match="Spark needs Java"):
        tool.main(options)
    monkeypatch.setenv("JAVA_HOME", "/java")
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(DependencyError, match=r'pip install "\.\[infer,spark\]"'):
        tool.main(options)


def test_the_error_of_a_worker_is_found_in_javas_account(tool):
    trace = (
        "An error occurred while calling o67.json.\n: org.apache.spark.SparkException: Job aborted\n\tat a.b\n"
        "Caused by: org.apache.spark.api.python.PythonException: Traceback (most recent call last):\n"
        "  File \"x.py\", line 1, in <module>\n    import tokenizers\nModuleNotFoundError: No module named 'tokenizers'\n"
        "\n\tat org.apache.spark.x\n"
    )
    assert tool.reason(trace) == "ModuleNotFoundError: No module named 'tokenizers'"
    assert tool.reason("No space left\n\tat a.b") == "No space left"


def test_the_page_shows_this_code(root):
    source = (root / "tools" / "spark_predict.py").read_text("utf-8")
    shown = re.findall(r"```python\n(.*?)```", (root / "docs" / "scale.md").read_text("utf-8"), re.DOTALL)
    assert shown and all(block in source for block in shown)


@pytest.mark.skipif(not HAS_JAVA, reason="Spark needs Java")
def test_local_spark(root, folder, tmp_path):
    """Four tasks or more on two workers: every line once, labelled as a Predictor labels it."""
    pytest.importorskip("pyspark")
    texts = [text + "新" * (number % 9) for number, text in enumerate(["球队", "车", "股票", "0\t车"] * 50)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("\n".join(texts[:150]) + "\n\n \t\n", encoding="utf-8")
    (tmp_path / "in" / "b.txt").write_text("\r\n".join(texts[150:]) + "\r\n", encoding="utf-8")
    command = [sys.executable, str(root / "tools" / "spark_predict.py"), "--model_path_prefix", str(folder)]
    command += ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--master", "local[2]"]
    small = "--conf spark.sql.files.maxPartitionBytes=1000 --conf spark.sql.files.openCostInBytes=0"
    environment = {**os.environ, "PYSPARK_SUBMIT_ARGS": f"{small} --conf spark.ui.enabled=false pyspark-shell"}

    def start():
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")

    done = start()
    assert done.returncode == 0, done.stderr[-2000:]
    parts = sorted((tmp_path / "out").glob("part-*.json"))
    assert len(parts) >= 4 and (tmp_path / "out" / "_SUCCESS").exists()
    rows = [json.loads(line) for part in parts for line in part.read_text("utf-8").splitlines()]
    expected = Predictor(folder, "cpu").predict(texts)
    assert sorted((row["text"], row["label"]) for row in rows) == sorted((one.text, one.label) for one in expected)
    scores = {one.text: one.score for one in expected}
    assert all(row["score"] == pytest.approx(scores[row["text"]], abs=1e-6) for row in rows)

    again = start()  # the output is there
    assert again.returncode == 2
    assert "already exists" in again.stderr.splitlines()[-1] and "Traceback" not in again.stderr
