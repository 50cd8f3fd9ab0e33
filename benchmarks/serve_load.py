"""How a service answers under load, and what it does with bad requests. It starts the service itself, on loopback.

    python benchmarks/serve_load.py --model_path_prefix checkpoints/export/model --input data/tnews/test.txt
    python benchmarks/serve_load.py --model_path_prefix checkpoints/export/model --bad_requests
    python benchmarks/serve_load.py --model_path_prefix checkpoints/export/model --memory_minutes 10

The load comes from hey (Debian's package `hey`; github.com/rakyll/hey): a number of clients, each of which sends its next
request when it has its answer. Lines a second, the 50th and 99th percentile of the time to an answer, and CPU seconds of
the service. Every run is bounded in requests and in time.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import csv
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
BODY_BYTES, TEXTS, CHARACTERS = 1 << 20, 1000, 10_000


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model_path_prefix", default="./checkpoints/export/model", metavar="PATH", help="the exported folder")
    add(
        "--input",
        default=str(ROOT / "data/tnews/test.txt"),
        metavar="FILE",
        help="texts of the requests, before the last tab",
    )
    add("--clients", type=int, nargs="+", default=[1, 8, 64], metavar="N", help="clients at a time (default: 1 8 64)")
    add("--texts", type=int, nargs="+", default=[1, 32], metavar="N", help="texts in a request (default: 1 32)")
    add("--requests", type=int, default=2000, metavar="N", help="requests of a run at most (default: 2000)")
    add("--seconds", type=int, default=10, metavar="N", help="seconds of a run at most (default: 10)")
    add("--num_threads", type=int, metavar="N", help="threads of the model (default: the physical cores)")
    add("--precision", default="auto", help="as of prompt-kit serve")
    add(
        "--max_wait_ms",
        type=float,
        nargs="+",
        default=[2.0],
        metavar="N",
        help="as of prompt-kit serve; several are compared",
    )
    add(
        "--bad_requests",
        action="store_true",
        help="send benchmarks/bad_requests.py instead, and count the clean answers",
    )
    add(
        "--memory_minutes",
        type=float,
        default=0,
        metavar="N",
        help="watch the memory under 8 clients for so long instead",
    )
    add("--output", metavar="FILE", help="write the figures as JSON too")
    return parser


class Service:
    """`prompt-kit serve` in a process of its own, on a free port of this machine."""

    def __init__(self, *flags: str):
        program = "from prompt_kit.cli.main import console; console()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "serve", "--port", "0", *flags],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        self.port = 0
        shown = []
        for line in self.process.stderr or ():
            shown.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+) ", line):
                self.port = int(found[1])
                break
        if not self.port:
            raise SystemExit(f"the service did not start: {''.join(shown)}")
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(found[1]) / 1024 if found else float("nan")

    def mean_batch(self) -> float:
        """Texts that went through the model together, on average so far."""
        text = urllib.request.urlopen(f"{self.url}/metrics", timeout=30).read().decode()
        sums = {
            name: float(value) for name, value in re.findall(r"prompt_kit_batch_texts_(sum|count)\{[^}]*\} (\S+)", text)
        }
        return sums["sum"] / sums["count"] if sums.get("count") else float("nan")


def hey(url: str, body: Path, clients: int, requests: int, seconds: int) -> list[tuple[float, int]]:
    """(seconds to the answer, status) of each request of one run; hey stops at whichever bound comes first."""
    command = ["hey", "-n", str(max(requests, clients)), "-c", str(clients), "-t", "60", "-m", "POST", "-o", "csv",
               "-T", "application/json", "-D", str(body), url]  # fmt: skip
    done = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")
    try:
        output, _ = done.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        done.send_signal(signal.SIGINT)  # it then prints what it has
        output, _ = done.communicate(timeout=120)
    rows = list(csv.DictReader(io.StringIO(output)))
    return [(float(row["response-time"]), int(row["status-code"])) for row in rows]


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def load(args: argparse.Namespace, lines: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """One run for each number of clients, texts and milliseconds of waiting."""
    found = []
    for wait in args.max_wait_ms:
        for texts in args.texts:
            body = folder / f"{texts}.json"
            body.write_text(json.dumps({"texts": list(lines[:texts])}, ensure_ascii=False), encoding="utf-8")
            for clients in args.clients:
                with Service(*service_flags(args), "--max_wait_ms", str(wait)) as service:
                    hey(f"{service.url}/predict", body, clients, clients * 3, 10)  # the first ones are slower
                    cpu, start = service.cpu_seconds(), time.perf_counter()
                    answers = hey(f"{service.url}/predict", body, clients, args.requests, args.seconds)
                    elapsed, cpu = time.perf_counter() - start, service.cpu_seconds() - cpu
                    times = [seconds for seconds, _ in answers]
                    row = {
                        "clients": clients, "texts": texts, "max_wait_ms": wait, "requests": len(answers),
                        "statuses": dict(Counter(status for _, status in answers)),
                        "lines_per_second": len(answers) * texts / elapsed,
                        "lines_per_cpu_second": len(answers) * texts / cpu,
                        "p50_ms": 1000 * percentile(times, 0.5), "p99_ms": 1000 * percentile(times, 0.99),
                        "mean_batch": service.mean_batch(), "memory_mb": service.memory_mb(),
                        "load_average": os.getloadavg()[0],
                    }  # fmt: skip
                found.append(row)
                print(
                    f"{clients:3} clients, {texts:3} texts each, wait {wait:g} ms: {row['lines_per_second']:7.0f} lines/s, "
                    f"{row['lines_per_cpu_second']:7.0f} lines per CPU second, p50 {row['p50_ms']:.1f} ms, "
                    f"p99 {row['p99_ms']:.1f} ms, batches of {row['mean_batch']:.1f}, {row['memory_mb']:.0f} MB, "
                    f"{row['statuses']}, load {row['load_average']:.1f}",
                    flush=True,
                )
    return found


def bad_requests(args: argparse.Namespace) -> dict[str, Any]:
    """All of benchmarks/bad_requests.py, 16 at a time, and a good request after them."""
    spec = importlib.util.spec_from_file_location("bad_requests", ROOT / "benchmarks" / "bad_requests.py")
    assert spec is not None and spec.loader is not None
    bad = importlib.util.module_from_spec(spec)
    sys.modules["bad_requests"] = bad
    spec.loader.exec_module(bad)
    cases = bad.cases(BODY_BYTES, TEXTS, CHARACTERS)
    bounds = {"body_bytes": BODY_BYTES, "texts": TEXTS, "characters": CHARACTERS, "seconds": 3}
    flags = [word for name, value in bounds.items() for word in (f"--max_{name}", str(value))]
    with Service(*service_flags(args), *flags) as service:
        before = service.memory_mb()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            results = list(pool.map(lambda case: bad.send(case, service.port, 20.0), cases))
        health = json.loads(urllib.request.urlopen(f"{service.url}/health", timeout=10).read())["status"]
        after = service.memory_mb()
    clean = sum(fine for fine, _ in results)
    for case, (fine, what) in zip(cases, results):
        if not fine:
            print(f"NOT CLEAN: {case.name}: {what}")
    told = Counter(what for _, what in results)
    shown = ", ".join(f"{what} {count}" for what, count in sorted(told.items()))
    mb = f"{before:.0f} -> {after:.0f} MB"
    print(f"{clean} of {len(cases)} bad requests got a clean answer ({shown}); afterwards {health}, {mb}")
    return {"cases": len(cases), "clean": clean, "answers": dict(told), "memory_mb": [before, after]}


def memory(args: argparse.Namespace, lines: Sequence[str], folder: Path) -> dict[str, Any]:
    """Resident memory of the service under 8 clients, every ten seconds."""
    body = folder / "body.json"
    body.write_text(json.dumps({"texts": list(lines[:8])}, ensure_ascii=False), encoding="utf-8")
    seen, answered = [], 0
    end = time.monotonic() + 60 * args.memory_minutes
    with Service(*service_flags(args)) as service:
        while time.monotonic() < end:
            answered += len(hey(f"{service.url}/predict", body, 8, 100_000, 10))
            seen.append(service.memory_mb())
    part = max(1, len(seen) // 10)
    early, late = (sorted(some)[len(some) // 2] for some in (seen[part : 2 * part + 1], seen[-part - 1 :]))
    print(
        f"{answered} requests of 8 texts in {args.memory_minutes:g} minutes: peak {max(seen):.0f} MB, "
        f"median {early:.1f} MB in the second tenth, {late:.1f} MB in the last"
    )
    return {"requests": answered, "minutes": args.memory_minutes, "memory_mb": seen}


def service_flags(args: argparse.Namespace) -> list[str]:
    threads = [] if args.num_threads is None else ["--num_threads", str(args.num_threads)]
    return ["--model_path_prefix", args.model_path_prefix, "--precision", args.precision, "--device", "cpu", *threads]


def main(argv: Optional[Sequence[str]] = None) -> None:
    args = build_parser().parse_args(argv)
    if not args.bad_requests and shutil.which("hey") is None:
        raise SystemExit("hey is not installed: apt-get install hey")
    lines = [line.rpartition("\t")[0] or line for line in Path(args.input).read_text("utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as name:
        if args.bad_requests:
            found: Any = bad_requests(args)
        elif args.memory_minutes:
            found = memory(args, lines, Path(name))
        else:
            found = load(args, lines, Path(name))
    if args.output:
        Path(args.output).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
