#!/usr/bin/env python
"""Inference speed from text to label against the installed paddlenlp.prompt, both in ONNX Runtime with the same threads.

Each side is one process: it classifies the whole file in turn (ours fp32, ours int8, peer, a matrix product, ours …),
and then some lines one at a time; medians are printed and all rounds are written as JSON. The weights are random and the
same, the prompt too. The cold start is a whole process that labels one text. GFLOP/s counts the matrix products that the
side really does for the tokens that are there, padding not; "sgemm" is its share of the rate of one large float32 product
in the same round, by CPU seconds.
"fp32-whole" and "int8-whole" (--whole_batches) give onnxruntime every batch whole, as the peer does, where ours otherwise run
in parts of prompt_kit.inference.onnx_model's _CPU_TOKENS.
"openvino-fp32", "openvino-bf16" and "openvino-int8" (--engines onnxruntime openvino) are ours on OpenVINO, where "fp32" and
"int8" are ours on onnxruntime; "first" is the first pass over the file, in which OpenVINO meets each length for the first time.
"x peer" is the median ratio of neighbouring rounds by the clock, "x cpu" by CPU seconds, which other work on the machine
disturbs less.

What had to be worked around to run the peer, whose example's infer.py does not run on Paddle 3:

- it gets a hard prompt, since its soft encoders crash; ours gets the same one;
- its trainer's export_model writes no ONNX here: its model is saved with paddle.jit by its own input specification, and
  converted with paddle2onnx's optimizer off, which would install packages;
- the collator's attention mask is [B, L] of 0 and 1, the graph wants [B, 1, 1, L] of -10000 and 0;
- the tokens are collated as numpy arrays, since its predictor hands them to ONNX Runtime.

    python benchmarks/infer_speed.py --input data/tnews/test.txt --sizes mini_zh nano
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from process_memory import peak_mb  # noqa: E402
from train_speed import PROMPT, SIZES, machine, make_model, median  # noqa: E402

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402

TEMPLATE = f"{{'text': 'text_a'}}{{'hard': '{PROMPT}'}}{{'mask'}}"
OURS = ("fp32", "int8")
OPENVINO = ("openvino-fp32", "openvino-bf16", "openvino-int8")
WHOLE = ("fp32-whole", "int8-whole")
SIDES = (*OURS, "peer", "sgemm")
ENGINE_SIDES = {"onnxruntime": OURS, "openvino": OPENVINO}
SENTENCE = "今晚国足迎战日本队"


def main(argv=None):
    args = parse(argv)
    if args.worker:
        return WORKERS[args.worker](args)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for size in args.sizes:
            model = Path(args.models or folder) / size
            if not (model / "export" / "prompt_config.json").is_file():
                worker(args, "prepare", model, size).communicate()
            results.append(compare(args, model, size))
            print(table(results[-1]), flush=True)
    report = {"machine": machine(), "arguments": vars(args), "results": results}
    print(json.dumps(report["machine"], ensure_ascii=False))
    if args.output:
        Path(args.output).write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def parse(argv):
    parser = ArgumentParser(prog="infer_speed.py", description=__doc__)
    parser.add_argument("--input", default="data/tnews/test.txt", help="lines to classify: text, or text<TAB>label")
    parser.add_argument("--data_dir", default="data/tnews", help="folder with label.txt and, for int8, dev.txt")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["mini_zh", "nano"])
    parser.add_argument("--threads", type=int, default=2, help="of ONNX Runtime and of the matrix product")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each side, after one to warm up")
    parser.add_argument("--singles", type=int, default=200, help="lines classified one at a time, for the latency")
    parser.add_argument(
        "--whole_batches", action="store_true", help="ours with batches in one part, too: sides of their own"
    )
    parser.add_argument(
        "--engines", nargs="+", choices=sorted(ENGINE_SIDES), default=["onnxruntime"], help="ours on these engines"
    )
    parser.add_argument("--sides", nargs="+", choices=(*OURS, *OPENVINO), help="only these of ours (all of --engines)")
    parser.add_argument("--long_file", help="a file of many texts, one a line: infer.py labels it, timed once")
    parser.add_argument(
        "--long_peer_lines", type=int, default=5000, help="how many of its lines the peer gets, from the start"
    )
    parser.add_argument("--cold_starts", type=int, default=5, help="whole processes of each side that label one text")
    parser.add_argument(
        "--models",
        help="keep the exports of the random weights in this folder, and take what is there from a run before",
    )
    parser.add_argument("--output", help="write every round as JSON")
    parser.add_argument(
        "--worker", choices=("prepare", "once", *WHOLE, *OPENVINO, *SIDES), help="(internal) one side, told by stdin"
    )
    parser.add_argument("--model", help="(internal) the worker's folder")
    return parser.parse_args(argv)


def compare(args, model: Path, size: str) -> dict:
    """Alternate rounds of all sides; returns their numbers, see `table`."""
    sides = sides_of(args)
    processes = {side: worker(args, side, model, size) for side in sides}
    seconds: dict = {side: [] for side in sides}
    cpu: dict = {side: [] for side in sides}
    answer: dict = {}
    first: dict = {}
    for number in range(args.rounds + 1):
        for side, process in processes.items():
            answer[side] = ask(process, "all")
            if not number:  # a warm-up
                first[side] = answer[side]["cpu_seconds"]
            else:
                seconds[side].append(answer[side]["seconds"])
                cpu[side].append(answer[side]["cpu_seconds"])
    latencies = {side: ask(processes[side], "singles")["latencies"] for side in sides[:-1]}
    cold: dict = {side: [] for side in sides[:-1]}
    for _ in range(args.cold_starts):
        for side in cold:
            cold[side].append(cold_start(args, side, model))
    for process in processes.values():
        process.communicate()
    tokens = next(found["lengths"] for side, found in answer.items() if side not in ("peer", "sgemm"))
    speeds = {}
    for side in sides[:-1]:
        ordered = sorted(latencies[side])
        spent = median(seconds[side])
        work = sum(flops(length, size, side != "peer") for length in tokens)
        speeds[side] = {
            "lines_per_second": len(tokens) / spent,
            "tokens_per_second": sum(tokens) / spent,
            "gflops": work / spent / 1e9,
            "sgemm_share": median(
                [work / own * gemm / answer["sgemm"]["flop"] for own, gemm in zip(cpu[side], cpu["sgemm"])]
            ),
            "p50_ms": 1e3 * median(ordered),
            "p99_ms": 1e3 * ordered[int(0.99 * (len(ordered) - 1))],
            "cold_start_s": median(cold[side]),
            "first_pass": first[side] / median(cpu[side]),
            "peak_mb": answer[side]["peak_mb"],
            "ratio_to_peer": median([peer / own for own, peer in zip(seconds[side], seconds["peer"])]),
            "cpu_ratio_to_peer": median([peer / own for own, peer in zip(cpu[side], cpu["peer"])]),
        }
    gemm = median([answer["sgemm"]["flop"] / each / 1e9 for each in seconds["sgemm"]])
    result = {"size": size, "lines": len(tokens), "tokens": sum(tokens), "sgemm_gflops": gemm, "speeds": speeds}
    result.update(seconds=seconds, cpu_seconds=cpu, latencies=latencies, cold_starts=cold)
    if args.long_file:
        result["long_file"] = long_file(args, model, size)
    return result


def sides_of(args) -> tuple:
    """What is compared, in turn."""
    ours = [side for engine in args.engines for side in ENGINE_SIDES[engine]]
    chosen = [side for side in (args.sides or ours) if side in ours]
    return (*(WHOLE if args.whole_batches else ()), *chosen, "peer", "sgemm")


def engine_and_precision(side: str) -> tuple:
    """("openvino", "bf16") of "openvino-bf16"; what has no engine in its name runs on onnxruntime."""
    first, _, second = side.partition("-")
    return ("openvino", second) if first == "openvino" else ("onnxruntime", first)


def flops(length: int, size: str, masks_only: bool) -> float:
    """Of the matrix products for one text; with `masks_only` the last layer has its queries at one row."""
    hidden, layers, _, inner, _ = SIZES[size]
    rest = 4 * hidden * hidden + 4 * hidden * inner  # a row's query and attention output, and its feed-forward
    keys = 4 * hidden * hidden

    def layer(rows):
        return length * keys + rows * (rest + 4 * length * hidden)

    return layer(length) * (layers - 1) + layer(1 if masks_only else length)


def table(result: dict) -> str:
    head = f"{result['size']}: {result['lines']} lines, {result['tokens']} tokens, sgemm {result['sgemm_gflops']:.0f} GFLOP/s"
    lines = [
        head,
        f"{'':14}{'lines/s':>9}{'tokens/s':>10}{'GFLOP/s':>9}{'sgemm':>7}{'p50 ms':>8}{'p99 ms':>8}{'cold s':>8}{'MB':>6}"
        "  x peer   x cpu   first",
    ]
    for side, row in result["speeds"].items():
        lines.append(
            f"{side:14}{row['lines_per_second']:9.0f}{row['tokens_per_second']:10.0f}{row['gflops']:9.0f}"
            f"{row['sgemm_share']:7.0%}{row['p50_ms']:8.2f}{row['p99_ms']:8.2f}{row['cold_start_s']:8.2f}{row['peak_mb']:6.0f}"
            f"{row['ratio_to_peer']:8.2f}{row['cpu_ratio_to_peer']:8.2f}{row['first_pass']:8.2f}"
        )
    for side, row in result.get("long_file", {}).items():
        lines.append(
            f"{side}: {row['lines']} lines, {row['lines'] / row['seconds']:.0f} lines/s, {row['cpu_seconds']:.0f} s of CPU, "
            f"{row['peak_mb']:.0f} MB"
        )
    return "\n".join(lines)


def worker(args, side: str, model: Path, size: str):
    command = [sys.executable, __file__, "--worker", side, "--model", str(model), "--sizes", size]
    command += ["--input", args.input, "--data_dir", args.data_dir, "--threads", str(args.threads)]
    command += ["--batch_size", str(args.batch_size), "--singles", str(args.singles)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def ask(process, what: str) -> dict:
    process.stdin.write(what + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def cold_start(args, side: str, model: Path) -> float:
    """Seconds of a process that labels one text."""
    if side == "peer":
        command = [__file__, "--worker", "once", "--model", str(model), "--threads", str(args.threads)]
    else:
        command = [str(ROOT / "infer.py"), "--model_path_prefix", str(model / "export"), "--device", "cpu"]
        engine, precision = engine_and_precision(side)
        command += ["--engine", engine, "--precision", precision, "--num_threads", str(args.threads)]
        command += ["--text", SENTENCE]
    begin = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return time.perf_counter() - begin


def long_file(args, model: Path, size: str) -> dict:
    """All the lines through infer.py, and as many as `--long_peer_lines` through the peer and through ours in its manner."""
    result = {side: infer_file(args, side, model) for side in OURS}
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.txt"
        with open(args.long_file, "rb") as source, open(part, "wb") as target:
            target.writelines(islice(source, args.long_peer_lines))
        short = argparse.Namespace(**{**vars(args), "input": str(part)})
        for side in (*OURS, "peer"):
            process = worker(short, side, model, size)
            answer = ask(process, "all")
            process.communicate()
            keys = ("seconds", "cpu_seconds", "peak_mb")
            result[f"{side}, first part"] = {"lines": args.long_peer_lines, **{key: answer[key] for key in keys}}
    return result


def infer_file(args, side: str, model: Path) -> dict:
    """infer.py on the long file: its time and its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "labels"
        command = [sys.executable, str(ROOT / "infer.py"), "--model_path_prefix", str(model / "export")]
        command += ["--device", "cpu", "--precision", side, "--num_threads", str(args.threads)]
        command += ["--output_file", str(output)]
        begin = time.perf_counter()
        with open(args.long_file, "rb") as stream:
            process, ended, peak = subprocess.Popen(command, stdin=stream), 0, 0.0
            while not ended:
                time.sleep(0.02)
                peak = max(peak, peak_mb(process.pid))
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit("infer.py failed on the long file")
        seconds = time.perf_counter() - begin
        with open(output, "rb") as stream:
            lines = sum(1 for _ in stream)
        return {
            "lines": lines,
            "seconds": seconds,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_mb": peak,
        }


def read_lines(args) -> list:
    from prompt_kit.data.dataset import read_examples
    from prompt_kit.prompt.verbalizer import Verbalizer

    labels = Verbalizer.from_file(Path(args.data_dir) / "label.txt").labels
    return [example.text_a for example in read_examples(args.input, labels)]


def serve(args, classify, lengths=()) -> None:
    """For "all" on stdin classify the whole file, for "singles" its first lines one at a time; answer as JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not be taken for an answer
    texts = read_lines(args)
    for line in sys.stdin:
        if line.strip() == "singles":
            latencies = []
            for text in texts[: args.singles]:
                begin = time.perf_counter()
                classify([text], 1)
                latencies.append(time.perf_counter() - begin)
            answer: dict = {"latencies": latencies}
        else:
            begin, cpu = time.perf_counter(), time.process_time()
            classify(texts, args.batch_size)
            answer = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu}
            answer["lengths"] = lengths
            answer["peak_mb"] = peak_mb()
        print(json.dumps(answer), file=answers, flush=True)


def serve_ours(args) -> None:
    from prompt_kit.data.dataset import Example
    from prompt_kit.inference import onnx_model
    from prompt_kit.inference.predictor import Predictor

    if args.worker in WHOLE:
        onnx_model._CPU_TOKENS = sys.maxsize
    engine, precision = engine_and_precision(args.worker)
    predictor = Predictor(
        Path(args.model) / "export", "cpu", num_threads=args.threads, precision=precision, engine=engine
    )
    features = predictor.prompt_tokenizer.encode_many([Example(text) for text in read_lines(args)])
    serve(
        args, lambda texts, batch_size: predictor.predict(texts, batch_size), [len(one.input_ids) for one in features]
    )


def serve_peer(args) -> None:
    serve(args, peer_classifier(args))


def peer_once(args) -> None:
    print(peer_classifier(args)([SENTENCE], 1))


def serve_sgemm(args) -> None:
    """One large float32 product, for half a second."""
    session, inputs, flop = sgemm_session(args.threads)
    for _ in sys.stdin:
        begin, cpu, done = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - begin < 0.5:
            session.run(None, inputs)
            done += 1
        seconds, spent = (time.perf_counter() - begin) / done, (time.process_time() - cpu) / done
        print(json.dumps({"seconds": seconds, "cpu_seconds": spent, "flop": flop}), flush=True)


def sgemm_session(threads: int) -> tuple:
    """(session, inputs, FLOP) of one large product in ONNX Runtime: numpy's is far slower where OpenBLAS misjudges the CPU."""
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    size = 1024
    left = np.ones((size, size), np.float32)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["left", "right"], ["product"])], "sgemm",
        [value("left", TensorProto.FLOAT, left.shape)], [value("product", TensorProto.FLOAT, left.shape)],
        [numpy_helper.from_array(left, "right")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session, {"left": left}, 2 * size**3


def peer_classifier(args):
    """Texts -> labels with the peer's template, tokenizer and collator, in its example's order: batches as they come."""
    import numpy as np
    import onnxruntime
    from paddlenlp.prompt import AutoTemplate
    from paddlenlp.prompt.prompt_utils import PromptDataCollatorWithPadding
    from paddlenlp.transformers import ErnieTokenizer

    tokenizer = ErnieTokenizer.from_pretrained(args.model)
    template = AutoTemplate.create_from(TEMPLATE, tokenizer, 128)
    collator = PromptDataCollatorWithPadding(tokenizer, padding=True, return_tensors="np", return_attention_mask=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        str(Path(args.model) / "peer" / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )

    def classify(texts, batch_size):
        labels = []
        for start in range(0, len(texts), batch_size):
            batch = collator([template({"text_a": text}) for text in texts[start : start + batch_size]])
            mask = (1 - batch["attention_mask"][:, None, None, :].astype("float32")) * -10000
            arrays = {"attention_mask": mask, "masked_positions": np.asarray(batch["masked_positions"], "int64")}
            for name in ("input_ids", "token_type_ids", "position_ids"):
                arrays[name] = np.asarray(batch[name], "int64")
            labels += session.run(None, arrays)[0].argmax(axis=1).tolist()
        return labels

    return classify


def prepare(args) -> None:
    """Random weights, and both sides' exports of them."""
    import prompt_kit.training.runtime  # noqa: F401  before paddle: it sets the environment
    from prompt_kit.prompt.verbalizer import Verbalizer
    from prompt_kit.prompt_config import write_prompt_config
    from prompt_kit.training.export.exporter import Int8, export_bundle
    from prompt_kit.training.models.prompt_model import PromptModel

    model = Path(args.model)
    make_model(model, args.sizes[0])
    verbalizer = Verbalizer.from_file(Path(args.data_dir) / "label.txt")
    ours = PromptModel.build(verbalizer, TEMPLATE, str(model), trust_pickle=True)  # the file of the line above
    config = export_bundle(ours, model / "export", fp16=False, int8=Int8(args.data_dir, force=True))
    # the labels of random weights are ties, which bf16 may well turn: its speed is measured all the same
    kept = {name: found for name, found in config.agreement.items() if name != "bf16"}
    write_prompt_config(model / "export", replace(config, agreement=kept))
    export_peer(model, verbalizer)


def export_peer(model: Path, verbalizer) -> None:
    import paddle
    import paddle2onnx
    from paddlenlp.prompt import AutoTemplate, PromptModelForSequenceClassification, SoftVerbalizer
    from paddlenlp.transformers import ErnieForMaskedLM, ErnieTokenizer

    tokenizer = ErnieTokenizer.from_pretrained(str(model))
    plm = ErnieForMaskedLM.from_pretrained(str(model))
    template = AutoTemplate.create_from(TEMPLATE, tokenizer, 128, model=plm)
    words = {index: words[0] for index, words in enumerate(verbalizer.words)}
    whole = PromptModelForSequenceClassification(plm, template, SoftVerbalizer(words, tokenizer, plm))
    whole.eval()
    prefix = str(model / "peer" / "model")
    paddle.jit.save(paddle.jit.to_static(whole, input_spec=whole.get_input_spec(), full_graph=True), prefix)
    serialized = paddle2onnx.export(
        prefix + ".json", prefix + ".pdiparams", None, opset_version=17, auto_upgrade_opset=False, optimize_tool="None"
    )
    (model / "peer" / "model.onnx").write_bytes(serialized)


WORKERS = {
    "prepare": prepare,
    "once": peer_once,
    **dict.fromkeys((*OURS, *WHOLE, *OPENVINO), serve_ours),
    "peer": serve_peer,
    "sgemm": serve_sgemm,
}

if __name__ == "__main__":
    run(main)
