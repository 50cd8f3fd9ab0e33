#!/usr/bin/env python
"""When training stops, and which model is kept: the default rule beside others, over numbers of labels and of examples.

The default keeps the model of the best dev accuracy, of equal ones that of the lowest dev loss, and stops after five
evaluations, of 60 steps at least, without a better one. Beside it: training to the end (`full`), and both decided by dev
loss (`loss`). Tasks are made of one folder: some of its labels, drawn by the seed, with their lines of train.txt, dev.txt
and test.txt; dev.txt is cut to as many examples a label as training has, as a person with few examples would have it.
Each run is `train.py`; writes early_stopping.json (every run) into --output_dir and prints a table.

    python benchmarks/early_stopping.py --data_dir data/fewclue_tnews --output_dir results
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from prompt_kit.atomic import replace_file  # noqa: E402
from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402
from prompt_kit.data.dataset import Example, read_dataset, sample_few_shot  # noqa: E402
from prompt_kit.errors import ConfigError, PromptKitError  # noqa: E402
from prompt_kit.prompt.verbalizer import Verbalizer  # noqa: E402
from prompt_kit.versions import installed_versions  # noqa: E402

RULES = {
    "default": (),
    "full": ("--early_stopping_patience", "0"),
    "loss": ("--metric_for_best_model", "loss"),
}


def main(argv=None):
    args = parse(argv)
    folder, runs = Path(args.output_dir), []
    for labels in args.labels:
        for shots in args.shots:
            for seed in args.seeds:
                for rule in args.rules:
                    runs.append(measure(args, folder / "runs", labels, shots, seed, rule))
                    print(json.dumps(runs[-1]), flush=True)
    report = {"arguments": vars(args), "versions": installed_versions(), "runs": runs}
    with replace_file(folder / "early_stopping.json") as staging:
        staging.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print("\n" + table(runs, args.rules))


def measure(args, folder: Path, labels: int, shots: int, seed: int, rule: str) -> dict:
    """One run of train.py; one that was measured before is read."""
    name = f"{labels}-labels-{shots}-shots-seed{seed}"
    path = folder / f"{name}-{rule}.json"
    if path.is_file():
        found: dict = json.loads(path.read_text("utf-8"))
        return found
    data, output = folder / "data" / name, folder / "models" / f"{name}-{rule}"
    write_task(Path(args.data_dir), data, labels, shots, seed)
    command = [
        sys.executable, str(ROOT / "train.py"), "--do_train", "--do_eval", "--do_predict", "--data_dir", str(data),
        "--model_name_or_path", args.model_name_or_path, "--seed", str(seed), "--output_dir", str(output),
        "--overwrite_output_dir", "--report_to", "none", *args.flags, *RULES[rule],
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise PromptKitError(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1]}")
    results = json.loads((output / "all_results.json").read_text("utf-8"))
    found = {"labels": labels, "shots": shots, "seed": seed, "rule": rule}
    found |= {name: results[name] for name in ("eval_accuracy", "test_accuracy")}
    with replace_file(path) as staging:
        staging.write_text(json.dumps(found) + "\n", encoding="utf-8")
    return found


def write_task(source: Path, target: Path, labels: int, shots: int, seed: int) -> None:
    """A data folder of `labels` labels of source, with `shots` examples of each in train.txt and in dev.txt."""
    verbalizer = Verbalizer.from_file(source / "label.txt")
    if labels > len(verbalizer):
        raise ConfigError(f"--labels {labels}: {source} has {len(verbalizer)}; give fewer")
    chosen = sorted(np.random.default_rng(seed).permutation(len(verbalizer))[:labels])
    names = [verbalizer.labels[place] for place in chosen]
    data = read_dataset(source, verbalizer, ("train", "dev", "test"))
    target.mkdir(parents=True, exist_ok=True)
    lines = [f"{verbalizer.labels[place]}=={','.join(verbalizer.words[place])}" for place in chosen]
    (target / "label.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for split, examples in (("train", data.train), ("dev", data.dev), ("test", data.test)):
        kept: list[Example] = [one for one in examples if one.label in names]
        if split != "test":
            kept = sample_few_shot(kept, shots, seed, names)
        text = "".join(f"{one.text_a}\t{one.label}\n" for one in kept)
        (target / f"{split}.txt").write_text(text, encoding="utf-8")


def table(runs: list[dict], rules: list[str]) -> str:
    """Mean test accuracy of each rule in percent, with every run, a row a number of labels and of examples."""
    lines = ["| labels | examples a label | " + " | ".join(rules) + " |", "|---" * (len(rules) + 2) + "|"]
    for labels, shots in dict.fromkeys((one["labels"], one["shots"]) for one in runs):
        cells = []
        for rule in rules:
            found = [
                100 * one["test_accuracy"]
                for one in runs
                if (one["labels"], one["shots"], one["rule"]) == (labels, shots, rule)
            ]
            cells.append(f"{statistics.mean(found):.1f} ({' '.join(f'{one:.1f}' for one in found)})")
        lines.append(f"| {labels} | {shots} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def parse(argv):
    parser = ArgumentParser(prog="early_stopping.py", description=__doc__)
    parser.add_argument("--data_dir", required=True, help="folder with train, dev, test (labelled) and label.txt")
    parser.add_argument("--output_dir", default="early_stopping", help="where runs and table go")
    parser.add_argument("--labels", nargs="+", type=int, default=[2, 5, 15], help="numbers of labels")
    parser.add_argument("--shots", nargs="+", type=int, default=[2, 4, 16], help="examples a label")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=list(RULES))
    parser.add_argument("--model_name_or_path", default="mini_zh")
    parser.add_argument("--flags", nargs="*", default=[], help="more flags of train.py, after everything else")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
