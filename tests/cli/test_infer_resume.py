"""infer.py --output_file --resume: a run that is killed at any moment and started again ends with the same bytes."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import time

import pytest
from toy_bundle import write_toy_bundle

from prompt_kit.cli import predict as infer
from prompt_kit.errors import ConfigError, DataError

FORMATS = {"label": (), "tsv": ("--top_k", "2"), "jsonl": ("--top_k", "3")}
TEXTS = ["球队", "车新新", "股票", "新\t[MASK]", "球" * 30, "0.5车", "票\u2028车"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_toy_bundle(tmp_path_factory.mktemp("bundle") / "export")


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(engine):
    def infer_file(bundle, data, output, *arguments):
        command = ["--model_path_prefix", str(bundle), "--device", "cpu", "--engine", engine, "--data_dir", str(data)]
        infer.main([*command, "--output_file", str(output), *arguments])
        return output.read_bytes()

    return infer_file


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_cut_anywhere(run, engine, bundle, data, capsys, monkeypatch, output_format, batch_size):
    monkeypatch.setattr("prompt_kit.inference.text_windows.WINDOW", 2)
    options = ("--output_format", output_format, *FORMATS[output_format], "--batch_size", str(batch_size))
    output = data / "out"
    whole = run(bundle, data, output, *options)
    command = ["--model_path_prefix", str(bundle), "--device", "cpu", "--engine", engine, "--data_dir", str(data)]
    infer.main([*command, *options])
    assert capsys.readouterr().out.encode() == whole  # what stdout would have shown
    step = 17 if engine == "onnxruntime" else 97  # OpenVINO compiles the graph at each start
    for size in range(0, len(whole) + 1, 1 if batch_size == 2 and output_format == "label" else step):
        output.write_bytes(whole[:size])
        assert run(bundle, data, output, *options, "--resume") == whole, size


@pytest.mark.slow
@pytest.mark.parametrize("output_format", FORMATS)
def test_killed_again_and_again(root, bundle, tmp_path, engine, output_format):
    """kill -9 at random moments, the input on stdin; then byte for byte the output of a run that was left alone."""
    draw = random.Random(output_format)
    texts = "".join("".join(draw.choices("球队车股票新", k=draw.randint(1, 12))) + "\n" for _ in range(12_000)).encode()
    (tmp_path / "texts").write_bytes(texts)
    command = [sys.executable, str(root / "infer.py"), "--model_path_prefix", str(bundle), "--device", "cpu"]
    command += [
        "--engine",
        engine,
        "--num_threads",
        "1",
        "--output_format",
        output_format,
        *FORMATS[output_format],
        "--batch_size",
        "8",
    ]

    def start(output, *arguments):
        with open(tmp_path / "texts", "rb") as stream:
            return subprocess.Popen([*command, "--output_file", str(output), *arguments], stdin=stream, cwd=root)

    assert start(tmp_path / "whole").wait(timeout=60) == 0
    whole, output = (tmp_path / "whole").read_bytes(), tmp_path / "out"
    sizes = []
    for part in sorted(draw.random() for _ in range(4)):
        process = start(output, "--resume")
        while process.poll() is None and (not output.exists() or output.stat().st_size < part * len(whole)):
            time.sleep(0.001)
        time.sleep(draw.random() * 0.02)
        process.kill()
        process.wait(timeout=60)
        sizes.append(output.stat().st_size)
        assert whole.startswith(output.read_bytes())
    assert min(sizes) < len(whole), "no run was killed before its end"
    assert start(output, "--resume").wait(timeout=60) == 0
    assert output.read_bytes() == whole


def test_interrupted_by_the_user(run, bundle, data, monkeypatch):
    """What was answered before Ctrl-C is in the file."""
    show = infer.line_writer("label", False)
    left = iter([True] * 3)
    monkeypatch.setattr(infer, "line_writer", lambda *_: lambda one: show(one) if next(left, False) else interrupt())

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(bundle, data, data / "out")
    assert (data / "out").read_bytes() == b"sports\ncar\nfinance\n"


def test_another_batch_size_may_go_on(run, bundle, data):
    options = ("--output_format", "tsv")
    whole = run(bundle, data, data / "out", *options)
    (data / "out").write_bytes(whole[: len(whole) // 2])
    again = run(bundle, data, data / "out", *options, "--resume", "--batch_size", "3")
    assert [line.split("\t")[:2] for line in again.decode().splitlines()] == [
        line.split("\t")[:2] for line in whole.decode().splitlines()
    ]


def test_finished_already(run, bundle, data):
    whole = run(bundle, data, data / "out")
    before = os.stat(data / "out").st_ino
    assert run(bundle, data, data / "out", "--resume") == whole
    assert os.stat(data / "out").st_ino == before
    assert run(bundle, data, data / "out", "--overwrite") == whole


def test_the_output_of_something_else_is_left_alone(run, bundle, data):
    output = data / "out"
    for content, says in (
        (b"car\n", "out:1: not what this run writes for text 1"),
        (b"sports\tx\n", "out:1: not what"),
        (b"sports\ncar\nfinance\n" * 9, "27 lines, more than the input"),
    ):
        output.write_bytes(content)
        with pytest.raises(DataError, match=says):
            run(bundle, data, output, "--resume")
        assert output.read_bytes() == content


def test_mistakes(run, bundle, data, monkeypatch):
    (data / "out").write_bytes(b"mine\n")
    with pytest.raises(ConfigError, match=r"out is there already; add --resume"):
        run(bundle, data, data / "out")
    assert (data / "out").read_bytes() == b"mine\n"
    with pytest.raises(ConfigError, match="is the file that is read"):
        run(bundle, data, data / "data.txt", "--overwrite")
    for flag in ("--resume", "--overwrite"):
        with pytest.raises(ConfigError, match=f"{flag} is for --output_file"):
            infer.main(["--model_path_prefix", str(bundle), "--text", "车", flag])
    with pytest.raises(DataError, match="nowhere"):
        run(bundle, data / "nowhere", data / "out", "--overwrite")
    assert (data / "out").read_bytes() == b"mine\n"


def test_a_mistake_in_the_input_keeps_what_is_done(bundle, data, monkeypatch):
    monkeypatch.setattr("prompt_kit.inference.text_windows.WINDOW", 1)
    stream = io.TextIOWrapper(io.BytesIO("球队\n车\n\n股\n".encode()))
    stream.isatty = lambda: False
    monkeypatch.setattr(sys, "stdin", stream)
    with pytest.raises(DataError, match="<stdin>:3: blank line"):
        options = ["--device", "cpu", "--batch_size", "2", "--output_file", str(data / "out")]
        infer.main(["--model_path_prefix", str(bundle), *options])
    assert (data / "out").read_bytes() == b"sports\ncar\n"
