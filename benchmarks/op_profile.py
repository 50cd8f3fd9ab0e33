#!/usr/bin/env python
"""Where an exported model's time goes, operator by operator, by ONNX Runtime's own profile.

The texts are batched as a Predictor batches them and run several times, in one thread; of an operator's times on a batch
the shortest counts, the one that other work on the machine disturbed least. GFLOP/s is beside that of one large float32
product in the same process, by its CPU seconds.

    python benchmarks/op_profile.py --model_path_prefix checkpoints/export --input data/tnews/test.txt
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from infer_speed import sgemm_session  # noqa: E402

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402

KINDS = {
    "float products": ("MatMul", "Gemm", "FusedGemm"),
    "8-bit products": ("MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"),
    "attention products": ("FusedMatMul",),
    "softmax": ("Softmax",),
    "layer norms": ("LayerNormalization", "SkipLayerNormalization"),
    "activation": ("Gelu", "BiasGelu", "FastGelu", "Erf"),
    "rounding to 8 bits": ("DynamicQuantizeLinear", "QuantizeLinear"),
    "sums and factors": ("Add", "Mul", "Sub", "Div"),
    "transposes": ("Transpose",),
}
KIND = {operator: kind for kind, operators in KINDS.items() for operator in operators}


def main(argv=None):
    args = parse(argv)
    batches, tokens = make_batches(args)
    rows = sum(batch["input_ids"].size for batch in batches)
    kinds = by_kind(profile(args, batches), args.repeats)
    report = {"batches": len(batches), "tokens": tokens, "rows": rows, "sgemm_gflops": sgemm(), "kinds": kinds}
    print(table(report))
    if args.output:
        report["arguments"] = vars(args)
        Path(args.output).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def parse(argv):
    parser = ArgumentParser(prog="op_profile.py", description=__doc__)
    parser.add_argument("--model_path_prefix", default="checkpoints/export", help="the exported folder")
    parser.add_argument("--input", default="data/tnews/test.txt", help="lines: text, or text<TAB>label")
    parser.add_argument("--lines", type=int, default=512, help="how many of them")
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--output", help="write the numbers as JSON")
    return parser.parse_args(argv)


def make_batches(args) -> tuple:
    """(the arrays of each batch, how many tokens they hold)."""
    from prompt_kit.data.dataset import Example
    from prompt_kit.data.lines import read_lines
    from prompt_kit.inference.bundle import load_prompt_tokenizer, read_bundle
    from prompt_kit.prompt.prompt_tokenizer import collate

    prompt_tokenizer = load_prompt_tokenizer(args.model_path_prefix, read_bundle(args.model_path_prefix))
    texts = [line.rpartition("\t")[0] or line for _, line in read_lines(args.input)][: args.lines]
    features = sorted(
        prompt_tokenizer.encode_many([Example(text) for text in texts]), key=lambda one: len(one.input_ids)
    )
    starts = range(0, len(features), args.batch_size)
    pad = prompt_tokenizer.tokenizer.pad_id
    batches = [collate(features[start : start + args.batch_size], pad) for start in starts]
    return batches, sum(len(one.input_ids) for one in features)


def profile(args, batches: list) -> list:
    """ONNX Runtime's events of every operator of every run, in the order of the runs."""
    import onnxruntime

    from prompt_kit.inference.bundle import read_bundle

    name = read_bundle(args.model_path_prefix).models[args.precision]
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        path = str(Path(args.model_path_prefix) / name)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for _ in range(args.repeats):
            for batch in batches:
                session.run(None, batch)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]


def by_kind(events: list, repeats: int) -> dict:
    """Kind of operator -> [seconds, floating-point operations] of all batches once."""
    times: dict = defaultdict(list)
    for event in events:
        times[event["name"]].append(event)
    kinds: dict = defaultdict(lambda: [0.0, 0.0])
    for runs in times.values():
        batches = len(runs) // repeats
        for number in range(batches):
            same = runs[number::batches]
            kind = kinds[KIND.get(same[0]["args"]["op_name"], "the rest")]
            kind[0] += min(event["dur"] for event in same) / 1e6
            kind[1] += flops(same[0]["args"])
    return dict(sorted(kinds.items(), key=lambda item: -item[1][0]))


def flops(arguments: dict) -> float:
    """Of a matrix product: two for every number of the result and every term of its sum. Other operators: 0."""
    if "product" not in KIND.get(arguments["op_name"], ""):
        return 0.0
    (left,), (result,) = (list(arguments[key][0].values()) for key in ("input_type_shape", "output_type_shape"))
    return 2.0 * math.prod(result) * left[-1]


def sgemm() -> float:
    """GFLOP/s of one large float32 product in one thread."""
    session, inputs, flop = sgemm_session(1)
    best = math.inf
    for _ in range(50):
        begin = time.process_time()  # this one takes too long to be left alone by a busy machine
        session.run(None, inputs)
        best = min(best, time.process_time() - begin)
    return flop / best / 1e9


def table(report: dict) -> str:
    total = sum(seconds for seconds, _ in report["kinds"].values())
    work = sum(flop for _, flop in report["kinds"].values())
    padding = 1 - report["tokens"] / report["rows"]
    head = f"{report['batches']} batches, {report['tokens']} tokens, {padding:.1%} padding"
    head += f"; sgemm {report['sgemm_gflops']:.0f} GFLOP/s"
    lines = [head, f"{'':20}{'ms':>9}{'share':>8}{'GFLOP/s':>9}{'of sgemm':>10}"]
    for name, (seconds, flop) in [*report["kinds"].items(), ("all", (total, work))]:
        line = f"{name:20}{1e3 * seconds:9.1f}{seconds / total:8.1%}"
        if flop:
            rate = flop / seconds / 1e9
            line += f"{rate:9.0f}{rate / report['sgemm_gflops']:10.0%}"
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
