#!/usr/bin/env python
"""What a second task costs in memory, and what sharing costs in time: one folder of tasks beside a folder a task.

Each figure is of processes of its own that open the folders and answer the texts, in turn; medians are printed with all
runs. Memory is what the system counts as the process's own (RSS) after the last answer, in MB.

    python export.py --resume_from_checkpoint news --output_dir news/export
    python export.py --resume_from_checkpoint reviews --output_dir reviews/export
    python export.py --resume_from_checkpoint news --task_names news --output_dir one
    python export.py --resume_from_checkpoint news reviews --output_dir both
    python benchmarks/shared_tasks.py --input data/tnews/test.txt --single news/export reviews/export --one one --both both
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.process_memory import resident_mb  # noqa: E402
from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402
from prompt_kit.data.lines import read_lines  # noqa: E402


def measure(folders: list[str], texts: list[str], threads: int, rounds: int) -> dict[str, float]:
    """In this process: MB, and texts a second of the best of `rounds` over all tasks of the folders."""
    from prompt_kit.inference.predictor import Predictor

    opened = [Predictor(folder, device="cpu", num_threads=threads, precision="fp32") for folder in folders]
    predictors = [part for one in opened for part in (map(one.for_task, one.tasks) if one.tasks else [one])]
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        for predictor in predictors:
            predictor.predict(texts)
        best = min(best, time.perf_counter() - begun)
    return {"mb": resident_mb(), "texts_a_second": len(texts) * len(predictors) / best}


def main(argv: list[str] | None = None) -> None:
    parser = ArgumentParser(prog="shared_tasks.py", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--input", required=True, help="a file of texts; what follows a tab is left out")
    add("--single", nargs="+", default=[], help="an exported folder of each task by itself")
    add("--one", help="a folder of tasks with one task")
    add("--both", help="a folder of tasks with all of them")
    add("--texts", type=int, default=500)
    add("--threads", type=int, default=1)
    add("--rounds", type=int, default=3, help="passes over the texts in a process; the best counts")
    add("--repeats", type=int, default=3, help="processes of each kind")
    add("--measure", nargs="+", help="measure these folders in this process, for the program itself")
    args = parser.parse_args(argv)
    texts = [
        line.rsplit("\t", 1)[0] for _, line in zip(range(args.texts), (text for _, text in read_lines(args.input)))
    ]
    if args.measure:
        print(json.dumps(measure(args.measure, texts, args.threads, args.rounds)))
        return
    kinds = {"one task by itself": args.single[:1], "each task by itself": args.single}
    kinds.update(
        {"folder of one task": [args.one] if args.one else [], "folder of all tasks": [args.both] if args.both else []}
    )
    found: dict[str, list[dict[str, float]]] = {name: [] for name, folders in kinds.items() if folders}
    for _ in range(args.repeats):
        for name in found:
            options = [f"--{key}={getattr(args, key)}" for key in ("input", "texts", "threads", "rounds")]
            command = [sys.executable, __file__, *options, "--measure", *kinds[name]]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
            found[name].append(json.loads(answer.stdout))
    for name, runs in found.items():
        parts = []
        for key, unit in (("mb", "MB"), ("texts_a_second", "texts/s")):
            values = [one[key] for one in runs]
            parts.append(f"{statistics.median(values):.1f} {unit} ({' '.join(f'{value:.1f}' for value in values)})")
        print(f"{name}: {', '.join(parts)}")


if __name__ == "__main__":
    run(main)
