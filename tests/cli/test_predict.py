"""infer.py: labels on stdout in the order of the input, everything else on stderr, one line and exit 2 for a mistake."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from toy_bundle import write_toy_bundle

pytest.importorskip("onnxruntime")

from prompt_kit.cli import predict as infer
from prompt_kit.errors import BundleError, ConfigError, DataError

BLOCK_PADDLE = """
import runpy, sys
sys.modules.update(dict.fromkeys(["paddle", "paddlenlp", "paddle2onnx", "sklearn", "onnx"]))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_toy_bundle(tmp_path_factory.mktemp("bundle") / "export")


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data.txt").write_text("球队\n车新新\n股票\n", encoding="utf-8")
    return tmp_path


def pipe(monkeypatch, content: bytes, terminal: bool = False) -> None:
    stream = io.TextIOWrapper(io.BytesIO(content), encoding="ascii")  # a locale that knows no Chinese
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stdin", stream)


def labels(capsys, bundle, *arguments) -> list:
    infer.main(["--model_path_prefix", str(bundle), "--device", "cpu", *map(str, arguments)])
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


def test_data_dir(capsys, bundle, data):
    assert labels(capsys, bundle, "--data_dir", data) == ["sports", "car", "finance"]


def test_prefix_of_paddlenlp(capsys, bundle):
    assert labels(capsys, bundle / "model", "--text", "车") == ["car"]


def test_texts(capsys, bundle):
    assert labels(capsys, bundle, "--text", "新车", "球", "--batch_size", "1") == ["car", "sports"]


def test_stdin(capsys, bundle, monkeypatch):
    pipe(monkeypatch, "\ufeff股票\r\n球队\r\n\r\n".encode())
    assert labels(capsys, bundle) == ["finance", "sports"]


def test_labelled_lines_are_refused_wherever_they_come_from(capsys, bundle, data, monkeypatch):
    """Read as text, the label would decide the answer."""
    (data / "data.txt").write_text("球队\n车新新\tcar\n", encoding="utf-8")
    pipe(monkeypatch, "球队\n车新新\t car \n".encode())
    for arguments, where in (
        (("--data_dir", data), f"{data}/data.txt:2"),
        ((), "<stdin>:2"),
        (("--text", "球队", "车\tcar"), "--text:2"),
    ):
        with pytest.raises(DataError, match="ends with the label 'car', expected texts alone") as caught:
            labels(capsys, bundle, *arguments)
        assert str(caught.value).startswith(f"{where}: ")
        assert ("leave the label out" if where == "--text:2" else "cut -f1") in str(caught.value)


def test_tsv(capsys, bundle):
    rows = [
        row.split("\t") for row in labels(capsys, bundle, "--text", "车\t股", "--output_format", "tsv", "--top_k", "2")
    ]
    assert rows == [['"车', '股"', "car", "0.705385", "finance", "0.259496"]]  # e^3 / (e^3 + e^2 + 1), e^2 / …


def test_jsonl(capsys, bundle):
    arguments = ("--text", "车\t股", "--output_format", "jsonl")
    assert [json.loads(row) for row in labels(capsys, bundle, *arguments)] == [
        {"text": "车\t股", "label": "car", "score": 0.705385}
    ]
    (row,) = labels(capsys, bundle, *arguments, "--top_k", "3")
    assert "车" in row
    assert [one["label"] for one in json.loads(row)["top"]] == ["car", "finance", "sports"]


def test_notices_go_to_stderr(capsys, bundle):
    infer.main(["--model_path_prefix", str(bundle), "--device", "cpu", "--text", "车", "--model_name_or_path", "ernie"])
    captured = capsys.readouterr()
    assert captured.out == "car\n"
    assert "--model_name_or_path" in captured.err and captured.err.count("\n") == 1


def test_int8_that_was_not_asked_for_is_noted(capsys, bundle, tmp_path, monkeypatch):
    folder = write_toy_bundle(
        tmp_path / "export",
        models={"fp32": "model.onnx", "int8": "model.onnx"},
        agreement={"int8": {"share": 1.0, "texts": 9}},
    )
    monkeypatch.setattr("prompt_kit.inference.onnx_model.multiplies_int8", lambda: True)
    infer.main(["--model_path_prefix", str(folder), "--device", "cpu", "--text", "车"])
    captured = capsys.readouterr()
    assert captured.out == "car\n" and "model_int8.onnx" in captured.err and captured.err.count("\n") == 1
    for precision in ("int8", "fp32"):
        assert labels(capsys, folder, "--text", "车", "--precision", precision) == ["car"]
    assert labels(capsys, bundle, "--text", "车") == ["car"]


def test_the_engine_that_was_asked_for_is_noted(capsys, bundle, engine):
    infer.main(["--model_path_prefix", str(bundle), "--device", "cpu", "--engine", engine, "--text", "车"])
    captured = capsys.readouterr()
    assert captured.out == "car\n"
    assert captured.err == f"infer.py: running fp32 on {engine} (--engine and --precision say otherwise)\n"


def test_openvino_has_no_gpu_to_be_missed(capsys, bundle):
    pytest.importorskip("openvino")
    infer.main(["--model_path_prefix", str(bundle), "--engine", "openvino", "--text", "车"])
    assert "CUDA" not in capsys.readouterr().err


def test_bf16_that_was_not_asked_for_is_noted(capsys, tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    folder = write_toy_bundle(tmp_path / "export", agreement={"bf16": {"share": 1.0, "texts": 9}})
    monkeypatch.setattr("prompt_kit.inference.engines.choice.cpu_flags", lambda cpuinfo: {"amx_bf16"})
    infer.main(["--model_path_prefix", str(folder), "--device", "cpu", "--text", "车"])
    captured = capsys.readouterr()
    assert captured.out == "car\n" and "running bf16 on openvino" in captured.err and captured.err.count("\n") == 1


def test_speed_is_shown_on_a_terminal(capsys, bundle, monkeypatch):
    arguments = ["--model_path_prefix", str(bundle), "--device", "cpu", "--text", "车", "--num_threads", "1"]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    infer.main(arguments)
    assert capsys.readouterr() == ("car\n", "")  # over in no time: no speed to speak of
    ticks = iter(range(100))
    monkeypatch.setattr(infer.time, "perf_counter", lambda: next(ticks))  # a second at every look
    infer.main(arguments)
    captured = capsys.readouterr()
    assert captured.out == "car\n"
    assert "1 texts in" in captured.err and "CPU, 1 threads, fp32" in captured.err


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((), ConfigError, "--data_dir"),
        (("--text", "车", "--data_dir", "."), ConfigError, "--text and --data_dir"),
        (("--text", "车", " "), DataError, "text 2 is empty"),
        (("--text", "车", "--top_k", "2"), ConfigError, "tsv or jsonl"),
        (("--text", "车", "--top_k", "9", "--output_format", "tsv"), ConfigError, "3 labels"),
        (("--text", "车", "--max_seq_length", "512"), ConfigError, "512 exceeds the exported model's 16"),
        (("--text", "车", "--batch_size", "0"), ConfigError, "batch_size"),
        (("--text", "车", "--use_fp16", "--precision", "int8"), ConfigError, "--use_fp16 and --precision int8"),
        (("--text", "车", "--precision", "int8"), BundleError, "no int8 model"),
        (("--data_dir", "nowhere"), DataError, "nowhere"),
    ],
)
def test_mistakes(bundle, monkeypatch, arguments, error, says):
    pipe(monkeypatch, b"", terminal=True)
    with pytest.raises(error, match=says):
        infer.main(["--model_path_prefix", str(bundle), "--device", "cpu", *arguments])


def test_empty_line_in_the_middle(capsys, bundle, data):
    (data / "data.txt").write_text("球队\n\n车\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"data\.txt:2: blank line"):
        infer.main(["--model_path_prefix", str(bundle), "--device", "cpu", "--data_dir", str(data)])


def test_no_bundle(tmp_path):
    with pytest.raises(BundleError, match="export.py"):
        infer.main(["--model_path_prefix", str(tmp_path / "checkpoints" / "export"), "--text", "车"])


def script(root, *arguments, cwd, **options):
    """Run infer.py elsewhere, in a bare locale, with paddle out of reach."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", BLOCK_PADDLE, str(root / "infer.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, timeout=60, **options)


def test_help_without_paddle(root, tmp_path):
    done = script(root, "--help", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == b""
    for flag in ("--model_path_prefix", "--data_dir", "--max_seq_length", "--use_fp16", "--top_k", "examples:"):
        assert flag in done.stdout.decode()


def test_predicts_without_paddle(root, tmp_path, bundle):
    done = script(
        root, "--model_path_prefix", bundle, "--output_format", "tsv", cwd=tmp_path, input="球队\n新车\n".encode()
    )
    assert done.returncode == 0
    note = done.stderr.decode()  # --device auto says in one line that there is no GPU; --device cpu says nothing
    assert note.startswith("infer.py: running on the CPU") and note.count("\n") == 1
    assert [line.split("\t")[:2] for line in done.stdout.decode("utf-8").splitlines()] == [
        ["球队", "sports"],
        ["新车", "car"],
    ]


def test_one_line_and_exit_2(root, tmp_path, bundle):
    done = script(root, "--model_path_prefix", tmp_path / "none", "--text", "x", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith("infer.py: error: ") and done.stderr.count(b"\n") == 1
    done = script(root, "--model_path_prefix", bundle, "--text", "x", "--device", "gpu", cwd=tmp_path)
    assert done.returncode == 2 and b"pip uninstall -y onnxruntime onnxruntime-gpu" in done.stderr


def test_a_reader_that_goes_away_is_no_error(root, tmp_path, bundle):
    (tmp_path / "data.txt").write_text("球队\n" * 50_000, encoding="utf-8")
    command = [sys.executable, str(root / "infer.py"), "--model_path_prefix", str(bundle), "--data_dir", str(tmp_path)]
    command += ["--device", "cpu"]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline().strip() == b"sports"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) in (0, 141)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4 to know how much memory a process took")
def test_memory_does_not_grow_with_the_input(root, tmp_path, bundle):
    """A window of texts is held at a time, so ten times the lines take no more memory."""
    command = [sys.executable, str(root / "infer.py"), "--model_path_prefix", str(bundle), "--device", "cpu"]
    command += ["--data_dir", str(tmp_path), "--output_format", "jsonl", "--num_threads", "1", "--batch_size", "16"]
    peaks = []
    for lines in (5_000, 50_000):
        (tmp_path / "data.txt").write_text(
            "".join(f"球队{i}" + "新" * (i % 9) + "\n" for i in range(lines)), encoding="utf-8"
        )
        process = subprocess.Popen([*command, "--output_file", str(tmp_path / f"{lines}")], cwd=root)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        assert status == 0
        with open(tmp_path / f"{lines}", "rb") as stream:
            assert sum(1 for _ in stream) == lines
        peaks.append(usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10))
    assert peaks[1] < peaks[0] + 15, f"peaks in MiB: {peaks}"  # 45,000 texts with their tokens would be 50 and more


# --- a mistake in the middle ---


@pytest.mark.parametrize("batch_size", ["1", "2", "32"])
@pytest.mark.parametrize("bad", [b"", b"\xb9", "\u200b".encode(), "车\tcar".encode(), b'{"text": "x"}'])
def test_the_lines_before_a_bad_one_are_answered(capsys, bundle, tmp_path, monkeypatch, bad, batch_size):
    lines = [*["球队".encode()] * 5, "车".encode(), bad, "股票".encode()]
    (tmp_path / "data.txt").write_bytes(b"\n".join(lines))
    arguments = ["--model_path_prefix", str(bundle), "--device", "cpu", "--batch_size", batch_size]
    pipe(monkeypatch, b"\n".join(lines))
    with pytest.raises(DataError, match="^<stdin>:7: "):
        infer.main(arguments)
    assert capsys.readouterr().out == "sports\n" * 5 + "car\n"
    output = tmp_path / "out"
    with pytest.raises(DataError, match=r"data\.txt:7: "):
        infer.main([*arguments, "--data_dir", str(tmp_path), "--output_file", str(output)])
    assert output.read_bytes() == b"sports\n" * 5 + b"car\n"
    (tmp_path / "data.txt").write_bytes(b"\n".join([*lines[:6], "队".encode(), "股票".encode()]))
    infer.main([*arguments, "--data_dir", str(tmp_path), "--output_file", str(output), "--resume"])
    assert output.read_bytes() == b"sports\n" * 5 + b"car\nsports\nfinance\n"


# --- --text ---


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\x01", "\ufffd", "\udcff\u200b"])
def test_an_empty_text(bundle, text):
    with pytest.raises(DataError, match=r"--text"):
        infer.main(["--model_path_prefix", str(bundle), "--text", "车", text])


@pytest.mark.skipif(os.name != "posix", reason="needs bytes on the command line")
def test_bytes_of_another_encoding(root, bundle, tmp_path):
    gbk = "新车".encode("gbk")
    done = script(root, "--model_path_prefix", bundle, "--text", os.fsdecode(gbk), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"infer.py: error: --text:1: not UTF-8: byte 0xd0 at byte offset 0 of the text; ")
    assert done.stderr.count(b"\n") == 1


def test_utf8_in_a_bare_locale(root, bundle, tmp_path):
    done = script(root, "--model_path_prefix", bundle, "--device", "cpu", "--text", "新车", "球", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"car\nsports\n", b"")


@pytest.mark.parametrize("flag", ["--data_dir", "--model_path_prefix", "--output_file"])
def test_an_empty_path(bundle, flag):
    """What a shell makes of a variable that is not set: it would mean the folder one is in."""
    with pytest.raises(ConfigError, match=f"{flag} is given, but empty"):
        infer.main(["--text", "车", flag, ""] if flag != "--data_dir" else [flag, ""])


@pytest.mark.parametrize(
    ("flag", "value", "most"), [("--batch_size", 10**12, 65536), ("--num_threads", 10**9, None), ("--top_k", 10**30, 3)]
)
def test_huge_numbers(bundle, flag, value, most):
    arguments = ["--model_path_prefix", str(bundle), "--device", "cpu", "--text", "车", "--output_format", "tsv"]
    with pytest.raises(ConfigError, match=f"{flag[2:]} .*{most or 'from 1 to'}"):
        infer.main([*arguments, flag, str(value)])


# --- places that take no output ---


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("lines", [1, 50_000])
def test_stdout_on_a_full_disk(root, bundle, tmp_path, lines):
    with open("/dev/full", "wb") as full:
        command = [sys.executable, root / "infer.py", "--model_path_prefix", bundle, "--device", "cpu"]
        done = subprocess.run(command, input="球队\n".encode() * lines, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 2
    assert done.stderr == b"infer.py: error: cannot write to stdout: No space left on device\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of the system")
def test_an_output_file_on_a_full_disk(root, bundle, tmp_path):
    """A limit of the size stands for the disk: whole lines stay, and --resume goes on behind them."""
    (tmp_path / "data.txt").write_text("球队\n" * 30_000, encoding="utf-8")
    command = (
        f"{sys.executable} {root}/infer.py --model_path_prefix {bundle} --device cpu --data_dir . --output_file out"
    )
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 20; exec {command}"], cwd=tmp_path, capture_output=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.decode().startswith(
        f"infer.py: error: cannot write {tmp_path / 'out'}: File too large; make room"
    )
    assert done.stderr.count(b"\n") == 1
    written = (tmp_path / "out").read_bytes()
    assert 15_000 < len(written) <= 20 * 1024 and written == b"sports\n" * (len(written) // 7)
    assert subprocess.run([*command.split(), "--resume"], cwd=tmp_path, timeout=60).returncode == 0
    assert (tmp_path / "out").read_bytes() == b"sports\n" * 30_000


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_closed_streams(root, bundle, tmp_path):
    command = f"{sys.executable} {root}/infer.py --model_path_prefix {bundle} --device cpu --text 车"

    def shell(redirections):
        done = subprocess.run(
            ["bash", "-c", f"{command} {redirections}"], cwd=tmp_path, capture_output=True, timeout=60
        )
        return done.returncode, done.stdout, done.stderr.decode()

    code, _, says = shell(">&-")
    assert code == 2 and says.startswith("infer.py: error: stdout is closed, so there is no place for the labels")
    assert shell("--output_file out >&-") == (0, b"", "") and (tmp_path / "out").read_bytes() == b"car\n"
    assert shell("--model_name_or_path x 2>&-") == (0, b"car\n", "")  # the notice does not go to stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_ctrl_c_at_the_start(root, bundle, tmp_path):
    """At whatever moment: one line and 130, and before the guard is there no line at all; never advice to install."""
    endings = set()
    for moment in range(30):
        if moment >= 6 and endings:  # a busy machine takes longer to come to our first line
            break
        command = [sys.executable, root / "infer.py", "--model_path_prefix", bundle, "--device", "cpu"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.15 + moment * 0.1)
        process.send_signal(signal.SIGINT)
        _, written = process.communicate(timeout=60)
        pythons_own_start = written.startswith(b"Fatal Python error") or b"line 0, in <module>" in written
        if not pythons_own_start:
            endings.add((process.returncode, written))
    assert endings <= {(130, b"interrupted\n"), (-signal.SIGINT, b"")} and endings
