#!/usr/bin/env python
"""Does infer.py's memory grow with its input, and does a run that is killed lose or repeat a line?

infer.py labels a file of many lines twice with the same bundle: once left alone, once killed with SIGKILL at random
moments and started again with --resume. Both are watched: resident memory (VmRSS) and lines done, every second. Then
every line of the killed run is checked: the text in it is that of the input's line of the same number, and its labels and
probabilities equal those of the run left alone byte for byte. Linux only, since it reads /proc.

    python benchmarks/stream_memory.py --model_path_prefix checkpoints/export --input data/tnews/data.txt --lines 100000
"""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from process_memory import peak_mb, resident_mb  # noqa: E402
from train_speed import machine, median  # noqa: E402

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402
from prompt_kit.errors import DataError  # noqa: E402

COMPARED = 0.1  # the share of a run's lines whose memory is compared: the second tenth with the last


def main(argv=None):
    args = parse(argv)
    draw = random.Random(args.seed)
    alone_lines = min(args.lines, args.alone_lines or args.lines)
    with tempfile.TemporaryDirectory(dir=args.work_dir) as work:
        folder, short = Path(work), Path(work) / "short"
        short.mkdir()
        data, alone, killed = (folder / name for name in ("data.txt", "alone.tsv", "killed.tsv"))
        distinct = write_lines(args.input, data, args.lines)
        write_lines(args.input, short / "data.txt", alone_lines)
        print(f"{args.lines} lines, {distinct} of them distinct, {data.stat().st_size / 1e6:.0f} MB", flush=True)
        runs = {"left alone": follow(args, short, alone, alone_lines, [], draw)}
        print(row("left alone", runs["left alone"]), flush=True)
        moments = sorted(int(0.95 * draw.random() * args.lines) for _ in range(args.kills))
        runs["killed"] = follow(args, folder, killed, args.lines, moments, draw)
        print(row("killed", runs["killed"]), flush=True)
        check_lines(data, killed)
        check_start(alone, killed)
    print(
        f"each of the {args.lines} lines is there once, in its place; the first {alone_lines} are the same in both files"
    )
    report = {"machine": machine(), "arguments": vars(args), "distinct": distinct, "runs": runs}
    if args.output:
        Path(args.output).write_text(json.dumps(report, ensure_ascii=False) + "\n", encoding="utf-8")
    if args.plot:
        plot(report, args.plot)


def parse(argv):
    parser = ArgumentParser(prog="stream_memory.py", description=__doc__)
    parser.add_argument("--model_path_prefix", default="checkpoints/export", help="the exported folder")
    parser.add_argument("--input", nargs="+", default=["data/tnews/data.txt"],
        help="files of texts (or text<TAB>label), plain or .gz, repeated until there are enough lines")  # fmt: skip
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--alone_lines", type=int,
        help="how many of them the run that is left alone gets (default: all; a multiple of 2048 keeps its batches)")  # fmt: skip
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--precision", default="auto", help="as infer.py's")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two looks at the process")
    parser.add_argument("--work_dir", help="where the files of some hundred MB go for the time (default: the system's)")
    parser.add_argument("--output", help="write every sample as JSON")
    parser.add_argument("--plot", help="write memory against lines done as a picture")
    return parser.parse_args(argv)


def write_lines(sources: list, path: Path, count: int) -> int:
    """Write `count` texts to `path`, the sources' over and over; returns how many are distinct."""
    texts = []
    for source in sources:
        opened = gzip.open if str(source).endswith(".gz") else open
        with opened(source, "rt", encoding="utf-8-sig", newline="\n") as stream:
            texts += [line.rsplit("\t", 1)[0].strip() for line in stream]
    texts = [text for text in texts if text][:count]
    if not texts:
        raise DataError(f"{', '.join(sources)}: no text in there")
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(text + "\n" for text in islice(cycle(texts), count))
    return len(set(texts))


def follow(args, folder: Path, output: Path, lines: int, moments: list, draw: random.Random) -> dict:
    """Run infer.py on data.txt in `folder` until it is through, killing it when so many lines are done.

    samples  [process from 0, seconds since its start, lines done, VmRSS in MB] each
    kills    [whole lines found after the kill, bytes of a half line behind them] each
    """
    command = [sys.executable, str(ROOT / "infer.py"), "--model_path_prefix", args.model_path_prefix, "--device", "cpu"]
    command += ["--precision", args.precision, "--num_threads", str(args.threads), "--data_dir", str(folder)]
    command += ["--output_format", "tsv", "--output_file", str(output), "--resume"]
    samples, kills, moments, wanted, peak, seconds, spent = [], [], list(moments), len(moments), 0.0, 0.0, 0.0
    for number in range(wanted + 1):
        counter, begin = LineCounter(output), time.monotonic()
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        moment = moments.pop(0) if moments else None
        status = os.WNOHANG
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            done = counter.count()
            memory, peak = resident_mb(process.pid), max(peak, peak_mb(process.pid))
            if memory:
                samples.append([number, round(time.monotonic() - begin, 2), done, memory])
            if moment is not None and done >= moment:
                time.sleep(draw.random() * args.interval)  # not just after a window was written
                os.kill(process.pid, signal.SIGKILL)
                moment = None
            time.sleep(args.interval)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds += time.monotonic() - begin
        spent += usage.ru_utime + usage.ru_stime
        if process.returncode == -signal.SIGKILL:
            kills.append([counter.count(), counter.behind])
        elif process.returncode:
            raise SystemExit(f"infer.py failed with exit code {process.returncode}: {' '.join(command)}")
        elif len(kills) < wanted:
            raise SystemExit("infer.py was through before it could be killed; ask for more --lines")
        else:
            break
    return {
        "seconds": seconds,
        "cpu_seconds": spent,
        "peak_mb": peak,
        "early_mb": median(between(samples, lines, COMPARED, 2 * COMPARED)),
        "late_mb": median(between(samples, lines, 1 - COMPARED, 1)),
        "kills": kills,
        "samples": samples,
    }


class LineCounter:
    """Counts the lines of a file that grows, reading what is new; `behind`: the bytes after the last whole line."""

    def __init__(self, path: Path):
        self.path, self.position, self.lines, self.behind = path, 0, 0, 0

    def count(self) -> int:
        if self.path.exists():
            with open(self.path, "rb") as stream:
                stream.seek(self.position)
                for block in iter(lambda: stream.read(1 << 20), b""):
                    end = block.rfind(b"\n")
                    self.behind = len(block) - 1 - end if end >= 0 else self.behind + len(block)
                    self.lines += block.count(b"\n")
                    self.position += len(block)
        return self.lines


def between(samples: list, lines: int, start: float, end: float) -> list:
    """The memory while between these shares of the lines were done."""
    return [memory for _, _, done, memory in samples if start * lines <= done <= end * lines] or [0.0]


def check_lines(data: Path, output: Path) -> None:
    """Line n of the output is about line n of the input, for every n."""
    with open(data, encoding="utf-8", newline="\n") as texts, open(output, encoding="utf-8", newline="\n") as answers:
        for number, text in enumerate(texts, start=1):
            answer = next(answers, "")
            if not answer.endswith("\n") or answer.split("\t")[0] != " ".join(text.split()):
                raise SystemExit(f"line {number} of {output} is {answer!r}, expected the label of {text!r}")
        extra = next(answers, None)
        if extra is not None:
            raise SystemExit(f"{output} has more lines than its input, the first is {extra!r}")


def check_start(start: Path, whole: Path) -> None:
    """`whole` begins with the lines of `start`."""
    with open(start, "rb") as first, open(whole, "rb") as second:
        for number, line in enumerate(first, start=1):
            other = next(second, b"")
            if other != line:
                raise SystemExit(f"line {number} differs: {line!r} in {start}, {other!r} in {whole}")


def row(name: str, result: dict) -> str:
    lines = result["samples"][-1][2]
    kills = ", ".join(str(done) for done, _ in result["kills"])
    return (
        f"{name}: about {lines / result['seconds']:.0f} lines/s, {result['seconds']:.0f} s ({result['cpu_seconds']:.0f} s "
        f"of CPU), peak {result['peak_mb']:.0f} MB; median {result['early_mb']:.1f} MB early, "
        f"{result['late_mb']:.1f} MB late{f'; killed after {kills} lines' if kills else ''}"
    )


def plot(report: dict, path: str) -> None:
    """Memory over lines done: one line for the run left alone, one a process of the killed run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for name, color, style in (("left alone", "tab:blue", "-"), ("killed", "tab:orange", "--")):
        result = report["runs"][name]
        for process in sorted({sample[0] for sample in result["samples"]}):
            points = [(done / 1e3, memory) for number, _, done, memory in result["samples"] if number == process]
            label = None if process else f"{name} ({result['late_mb']:.0f} MB in the last tenth)"
            axes.plot(*zip(*points), style, color=color, label=label, linewidth=1.2)
        for done, _ in result["kills"]:
            axes.axvline(done / 1e3, color="tab:red", linewidth=0.8, linestyle=":", label=None)
    axes.plot([], [], ":", color="tab:red", linewidth=0.8, label="SIGKILL, then --resume")
    axes.set(xlabel="thousand lines done", ylabel="resident memory, MB", ylim=(0, None), xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    run(main)
