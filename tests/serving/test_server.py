"""The process: it stops when it is told to, with the requests under way answered, and says what it cannot do."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
pytest.importorskip("onnxruntime")

from toy_bundle import write_toy_bundle  # noqa: E402

from prompt_kit.cli import main as command  # noqa: E402
from prompt_kit.cli.serve import model_folders, parse  # noqa: E402
from prompt_kit.errors import ConfigError  # noqa: E402
from prompt_kit.serving.server import bind, is_loopback  # noqa: E402

START = (
    "import sys; sys.modules.update(paddle=None, paddlenlp=None); from prompt_kit.cli.main import console; console()"
)


@pytest.fixture
def serve(root, tmp_path):
    """Start `prompt-kit serve` with the toy bundle and flags; (process, port)."""
    write_toy_bundle(tmp_path / "toy")
    started = []

    def start(*flags):
        process = subprocess.Popen(
            [sys.executable, "-c", START, "serve", "--model", f"toy={tmp_path / 'toy'}", "--port", "0", *flags],
            env={**os.environ, "PYTHONPATH": str(root)}, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        started.append(process)
        for line in process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:(\d+) ", line):
                return process, int(found[1])
        raise AssertionError("it did not start")

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()


def ask(port, texts):
    body = json.dumps({"texts": texts}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return [one["label"] for one in json.loads(answer.read())["predictions"]]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_with_exit_code_0(serve, number):
    process, port = serve()
    assert ask(port, ["球", "股票", "车"]) == ["sports", "finance", "car"]
    process.send_signal(number)
    rest = process.communicate(timeout=30)[1]
    assert process.returncode == 0 and rest.splitlines()[-1] == "prompt-kit serve: stopped"
    assert "Traceback" not in rest


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
def test_requests_under_way_are_answered(serve):
    process, port = serve("--max_wait_ms", "3000")  # the first text waits for others that long
    found = []
    thread = threading.Thread(target=lambda: found.append(ask(port, ["球"])))
    thread.start()
    for _ in range(400):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            if b'prompt_kit_waiting_texts{model="toy"} 1.0' in answer.read():
                break
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    thread.join(60)
    assert found == [["sports"]]
    process.communicate(timeout=30)
    assert process.returncode == 0
    with pytest.raises(urllib.error.URLError):
        ask(port, ["球"])


def test_models_by_name():
    assert model_folders(parse([])) == {"default": "./checkpoints/export/model"}
    assert model_folders(parse(["--model", "a=x", "--model", "b=y=z"])) == {"a": "x", "b": "y=z"}
    assert list(model_folders(parse(["--model", "a=x", "--model_path_prefix", "p"]))) == ["default", "a"]
    with pytest.raises(ConfigError, match="--model a: expected NAME=PATH"):
        model_folders(parse(["--model", "a"]))
    with pytest.raises(ConfigError, match="there are two models called a"):
        model_folders(parse(["--model", "a=x", "--model", "a=y"]))


def test_addresses():
    with bind("127.0.0.1", 0) as listener:
        assert is_loopback(listener)
        port = listener.getsockname()[1]
        with pytest.raises(
            ConfigError, match=f"cannot listen on 127.0.0.1:{port} .Address already in use.; give another"
        ):
            bind("127.0.0.1", port)
    with bind("0.0.0.0", 0) as listener:
        assert not is_loopback(listener)
    with pytest.raises(ConfigError, match="cannot listen on no.such.host.invalid:80"):
        bind("no.such.host.invalid", 80)
    with pytest.raises(ConfigError, match="--port 70000: expected 0 to 65535"):
        bind("127.0.0.1", 70000)


def test_mistakes_are_told_before_anything_is_served(tmp_path):
    write_toy_bundle(tmp_path / "toy")
    with pytest.raises(ConfigError, match="model name 'a/b'"):
        command.main(["serve", "--model", f"a/b={tmp_path / 'toy'}"])
    with pytest.raises(ConfigError, match="--max_texts must be 1 or more"):
        command.main(["serve", "--model", f"a={tmp_path / 'toy'}", "--max_texts", "0"])


def test_without_the_extra_one_line_names_it(root, tmp_path):
    program = f"import sys; sys.modules['fastapi'] = None; sys.argv[0] = 'prompt-kit'; {START}"
    done = subprocess.run([sys.executable, "-c", program, "serve"], env={**os.environ, "PYTHONPATH": str(root)}, cwd=tmp_path,
                          capture_output=True, encoding="utf-8", timeout=60)  # fmt: skip
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert 'fastapi is not installed; the service needs: pip install ".[infer,serve]"' in done.stderr
