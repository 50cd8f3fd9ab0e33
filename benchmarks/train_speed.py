#!/usr/bin/env python
"""Training speed and memory against the installed paddlenlp.prompt: same random weights, texts, batch size and losses.

Each side is one process that is asked for a few training steps in turn (ours, peer, ours, peer, …), data loading
included; medians of the samples per second and of the ratios of neighbouring rounds are printed, and all rounds are
written as JSON. The peer runs as it starts by itself (Paddle gives it one thread); `--peer_threads 2` gives it more.

What had to be worked around to run the peer: it gets a hard prompt, since its soft encoders do not run on Paddle 3, and
its collator is its own; its losses, template, verbalizer and trainer are untouched. Ours gets the same hard prompt.

    python benchmarks/train_speed.py --data_dir data/tnews --sizes nano base --losses plain rdrop rgl both

With --ablate the other sides are ours without one of the CPU kernels (prompt_kit/training/cpu/kernels.py), and without
the average of the weights, and the ratio is how many times faster a step is with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from process_memory import peak_mb  # noqa: E402

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402

PROMPT = "这条新闻标题的主题是"
SIZES = {"nano": (312, 4, 12, 1248, 40000), "base": (768, 12, 12, 3072, 40000), "mini_zh": (384, 4, 12, 768, 8000)}
KERNELS = ("last_layer", "packed_layer", "dropout", "trained_rows")  # of prompt_kit.training.cpu.kernels
AVERAGE = "averaging"
FEATURES = {"avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"}  # that a speed depends on
LOSSES = {
    "plain": {"use_rdrop": False, "use_rgl": False},
    "rdrop": {"use_rdrop": True, "use_rgl": False},
    "rgl": {"use_rdrop": False, "use_rgl": True},
    "both": {"use_rdrop": True, "use_rgl": True},
}


def main(argv=None):
    args = parse(argv)
    if args.worker:
        return serve(args)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for size in args.sizes:
            make_model(Path(folder) / size, size)
            for loss in args.losses:
                if args.profile:
                    profile(args, Path(folder) / size, loss)
                    continue
                for result in compare(args, Path(folder) / size, size, loss):
                    results.append(result)
                    print(row(result), flush=True)
    report = {"machine": machine(), "arguments": vars(args), "results": results}
    if args.output:
        Path(args.output).write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def parse(argv):
    parser = ArgumentParser(prog="train_speed.py", description=__doc__)
    parser.add_argument("--data_dir", default="data/tnews", help="folder with train.txt and label.txt")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["nano"])
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each side")
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="a round runs whole steps until this many seconds are over"
    )
    parser.add_argument("--peer_threads", type=int, help="threads for the peer (default: as Paddle starts, one)")
    parser.add_argument(
        "--profile", action="store_true", help="instead of comparing, print the operators of our step and their time"
    )
    parser.add_argument("--output", help="write every round as JSON")
    parser.add_argument(
        "--ablate",
        nargs="*",
        choices=(*KERNELS, AVERAGE),
        help="compare with ours without these (all), not with the peer",
    )
    parser.add_argument("--worker", help="(internal) run one side, told by stdin")
    parser.add_argument("--model", help="(internal) the worker's model folder")
    return parser.parse_args(argv)


def compare(args, model: Path, size: str, loss: str) -> list[dict]:
    """Alternate rounds of our side and the others; for each other, samples/s of every round, ratios and peak memory."""
    others = ["peer"] if args.ablate is None else [f"without {part}" for part in args.ablate or (*KERNELS, AVERAGE)]
    sides = {side: start(args, side, model, loss) for side in ("ours", *others)}
    rounds: dict = {side: [] for side in sides}
    memory = {}
    for number in range(args.rounds + 1):
        for side, process in sides.items():
            process.stdin.write(f"{args.seconds}\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            memory[side] = answer["peak_mb"]
            if number:  # the first is a warm-up
                rounds[side].append(answer["samples_per_second"])
    for process in sides.values():
        process.stdin.close()
        process.wait()
    found = []
    for other in others:
        pair = {side: rounds[side] for side in ("ours", other)}
        ratios = [ours / theirs for ours, theirs in zip(*pair.values())]
        found.append(
            {
                "size": size, "loss": loss, "other": other, "samples_per_second": pair, "ratios": ratios,
                "ratio": median(ratios), "peak_mb": {side: memory[side] for side in pair},
            }
        )  # fmt: skip
    return found


def start(args, side: str, model: Path, loss: str):
    environment = dict(os.environ)
    if side == "peer":
        environment.pop("OMP_NUM_THREADS", None)
        if args.peer_threads:
            environment["OMP_NUM_THREADS"] = str(args.peer_threads)
    command = [sys.executable, __file__, "--worker", side, "--model", str(model), "--losses", loss]
    command += ["--data_dir", args.data_dir, "--batch_size", str(args.batch_size)]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def serve(args) -> None:
    """A worker: for every line on stdin, train for that many seconds and answer with a line of JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever PaddleNLP prints must not be taken for an answer
    losses = LOSSES[args.losses[0]]
    if args.worker == "peer":
        trainer = peer_trainer(args, losses)
    else:
        trainer = our_trainer(args, losses, args.worker.partition("without ")[2])
    trainer.create_optimizer_and_scheduler(num_training_steps=100_000)
    batches = endless(trainer.get_train_dataloader())
    for line in sys.stdin:
        samples, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < float(line) or not samples:
            samples += step(trainer, batches)
        speed = samples / (time.perf_counter() - begin)
        peak = peak_mb()
        print(json.dumps({"samples_per_second": speed, "peak_mb": peak}), file=answers, flush=True)


def step(trainer, batches) -> int:
    """One training step, for us with the average of the weights; returns the number of samples."""
    batch = next(batches)
    trainer.training_step(trainer.model, batch).item()
    trainer.optimizer.step()
    trainer.optimizer.clear_grad()
    average = getattr(trainer, "_average", None)
    if average is not None:
        average.on_step_end(trainer.args, trainer.state, trainer.control)
    return len(batch["labels"])


def profile(args, model: Path, loss: str, steps: int = 5) -> None:
    """Print what Paddle's profiler says of our steps. Operators inside the backward pass of a layer count for both."""
    import paddle.profiler

    args.model = str(model)
    trainer = our_trainer(args, LOSSES[loss])
    trainer.create_optimizer_and_scheduler(num_training_steps=100_000)
    batches = endless(trainer.get_train_dataloader())
    for _ in range(3):
        step(trainer, batches)
    with paddle.profiler.Profiler(
        targets=[paddle.profiler.ProfilerTarget.CPU], on_trace_ready=lambda profiler: None
    ) as profiler:
        for _ in range(steps):
            step(trainer, batches)
    profiler.summary(sorted_by=paddle.profiler.SortedKeys.CPUTotal, op_detail=False, thread_sep=False)


def endless(loader):
    while True:
        yield from loader


def our_trainer(args, losses: dict, removed: str = ""):
    """Ours; without `removed`, one of KERNELS or AVERAGE, if there is one."""
    from prompt_kit.data.dataset import read_dataset
    from prompt_kit.prompt.verbalizer import Verbalizer
    from prompt_kit.training.cpu.kernels import without
    from prompt_kit.training.loop.arguments import PromptTrainingArguments
    from prompt_kit.training.loop.trainer import PromptTrainer
    from prompt_kit.training.models.prompt_model import PromptModel

    verbalizer = Verbalizer.from_file(Path(args.data_dir) / "label.txt")
    arguments = PromptTrainingArguments(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=args.batch_size, report_to=[], **losses,
        **({"ema_decay": 0.0} if removed == AVERAGE else {}),
    )  # fmt: skip
    stack = contextlib.ExitStack()  # for as long as the process lives: the optimizer is made later
    stack.enter_context(without(removed))
    model = PromptModel.build(verbalizer, f"{{'text': 'text_a'}}{{'hard': '{PROMPT}'}}{{'mask'}}", args.model)
    trainer = PromptTrainer(model, arguments, train_dataset=read_dataset(args.data_dir, verbalizer, ["train"]).train)
    trainer.kernels = stack
    if trainer._average is not None:
        trainer._average.restart()
    return trainer


def peer_trainer(args, losses: dict):
    from peer import make_trainer

    from prompt_kit.data.dataset import read_dataset
    from prompt_kit.prompt.verbalizer import Verbalizer

    verbalizer = Verbalizer.from_file(Path(args.data_dir) / "label.txt")
    examples = read_dataset(args.data_dir, verbalizer, ["train"]).train
    return make_trainer(args.model, PROMPT, verbalizer, examples, per_device_train_batch_size=args.batch_size, **losses)


def make_model(folder: Path, size: str) -> None:
    """A folder with random ERNIE weights of the size, and mini_zh's vocabulary padded to it."""
    import paddle
    from paddlenlp.transformers import ErnieConfig, ErnieForMaskedLM

    import prompt_kit.training.runtime  # noqa: F401

    hidden, layers, heads, inner, vocabulary = SIZES[size]
    embedded = ROOT / "prompt_kit" / "models" / "mini_zh"
    paddle.seed(0)
    config = ErnieConfig(
        vocab_size=vocabulary, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=inner, max_position_embeddings=2048,
    )  # fmt: skip
    ErnieForMaskedLM(config).save_pretrained(str(folder), safe_serialization=True)
    words = (embedded / "vocab.txt").read_text("utf-8").splitlines()
    words += [f"[unused {number}]" for number in range(vocabulary - len(words))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        (embedded / "tokenizer_config.json").read_text("utf-8"), encoding="utf-8"
    )


def median(values: list) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def row(result: dict) -> str:
    other = result["other"]
    ours, peer = (median(result["samples_per_second"][side]) for side in ("ours", other))
    ratios = ", ".join(f"{ratio:.2f}" for ratio in result["ratios"])
    memory = ", ".join(f"{side} {peak:.0f}" for side, peak in result["peak_mb"].items())
    speed = f"ours {ours:7.1f} samples/s, {other} {peer:7.1f}, ratio {result['ratio']:6.2f} ({ratios})"
    return f"{result['size']:8} {result['loss']:6} {speed}; peak MB {memory}"


def machine() -> dict:
    from importlib import metadata

    from prompt_kit.inference.cores import physical_cores
    from prompt_kit.inference.cpu_flags import cpu_flags
    from prompt_kit.versions import installed_versions

    name = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    versions = installed_versions()
    with contextlib.suppress(metadata.PackageNotFoundError):
        versions["openvino"] = metadata.version("openvino").partition("-")[0]
    return {
        "processor": name,
        "cores": physical_cores(),
        "features": sorted(FEATURES & cpu_flags()),
        "versions": versions,
    }


if __name__ == "__main__":
    run(main)
