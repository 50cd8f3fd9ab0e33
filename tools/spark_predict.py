#!/usr/bin/env python
"""Label the lines of text files with Apache Spark, on one machine or on a cluster.

Reads one text a line and writes a folder of JSON lines {"text", "label", "score"}, one part a task. Blank lines are
left out. Needs the extras infer and spark, and Java 8, 11 or 17; on a cluster also prompt-kit on every machine and the
exported folder at the same path. Started with spark-submit, it runs where that says, else on all cores of this machine.

    pip install ".[infer,spark]"
    python tools/spark_predict.py --model_path_prefix checkpoints/export --input data/tnews/data.txt --output labelled
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402
from prompt_kit.errors import ConfigError, DependencyError, PromptKitError  # noqa: E402
from prompt_kit.inference.bundle import bundle_folder, read_bundle  # noqa: E402
from prompt_kit.inference.predictor import PRECISIONS, Predictor  # noqa: E402

if TYPE_CHECKING:
    import pandas


@lru_cache(maxsize=1)
def predictor(folder: str, precision: str) -> Predictor:
    """One a Python worker, which Spark keeps for its next tasks; one thread, since Spark starts a worker a core."""
    return Predictor(folder, device="cpu", num_threads=1, precision=precision)


def label(frames: Iterator[pandas.DataFrame], folder: str, precision: str) -> Iterator[pandas.DataFrame]:
    """Frames with a column `text` -> the same rows with columns `label` and `score` too."""
    for frame in frames:
        predictions = predictor(folder, precision).predict(frame["text"].tolist())
        yield frame.assign(label=[one.label for one in predictions], score=[one.score for one in predictions])


def main(argv: Optional[Sequence[str]] = None) -> None:
    args = parse(argv)
    folder = str(bundle_folder(args.model_path_prefix))
    read_bundle(folder)  # a mistake surfaces before Spark starts
    spark = start_spark(args.master)
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import AnalysisException

    try:
        label_files(spark, args.input, args.output, folder, args.precision)
    except AnalysisException as error:  # no such input, or an output that is there already
        raise ConfigError(str(error).splitlines()[0]) from None
    except Py4JJavaError as error:
        raise PromptKitError(f"a task failed: {reason(str(error))}") from None
    finally:
        spark.stop()


def label_files(spark: Any, inputs: Sequence[str], output: str, folder: str, precision: str) -> None:
    import spark_predict  # this file by its name, so that the workers import it and keep what it caches

    spark.sparkContext.addPyFile(spark_predict.__file__)
    answer = partial(spark_predict.label, folder=folder, precision=precision)
    texts = (
        spark.read.text(inputs, lineSep="\n").selectExpr("trim(BOTH ' \\t\\r' FROM value) AS text").filter("text != ''")
    )
    texts.mapInPandas(answer, "text string, label string, score double").write.json(output)


def parse(argv: Optional[Sequence[str]]) -> Any:
    parser = ArgumentParser(prog="spark_predict.py", description=__doc__)
    parser.add_argument("--model_path_prefix", required=True, metavar="PATH", help="the exported folder")
    parser.add_argument("--input", required=True, nargs="+", metavar="PATH",
        help="files or folders of lines, at any address that Spark reads; .gz too, but Spark cannot split those")  # fmt: skip
    parser.add_argument("--output", required=True, metavar="FOLDER", help="must not be there yet")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="as infer.py's (default: auto)")
    parser.add_argument("--master", metavar="URL", help="where to run (default: spark-submit's, or local[*])")
    return parser.parse_args(argv)


def reason(trace: str) -> str:
    """The error of a Python worker in Java's account of it, else the first line of that."""
    found = re.search(r"PythonException: Traceback.*?\n(\S[^\n]*)\n\n?\tat ", trace, re.DOTALL)
    return found.group(1) if found else trace.splitlines()[0]


def start_spark(master: Optional[str]) -> Any:
    """A Spark session whose workers are this Python, import this prompt_kit, and tokenize in one thread."""
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        raise DependencyError(
            "Spark needs Java, and there is none: install a Java 17 runtime (Debian: apt-get install "
            "openjdk-17-jre-headless), or set JAVA_HOME"
        )
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise DependencyError(f'pyspark cannot be imported ({error}); pip install ".[infer,spark]"') from None
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else it is the first python3 on the path
    builder = SparkSession.builder.appName("prompt-kit")
    builder = builder.config("spark.executorEnv.PYTHONPATH", str(ROOT))
    builder = builder.config("spark.executorEnv.RAYON_NUM_THREADS", "1")
    builder = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", "8192")  # four windows of a Predictor
    return (builder.master(master) if master else builder).getOrCreate()


if __name__ == "__main__":
    run(main)
