"""Export a trained prompt model as a folder that infer.py runs without Paddle: ONNX, tokenizer, labels."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from prompt_kit.cli.parser import ArgumentParser, note, typed
from prompt_kit.disk import check_place
from prompt_kit.errors import ConfigError

if TYPE_CHECKING:
    from prompt_kit.data.dataset import Example
    from prompt_kit.prompt_config import BundleConfig

EXAMPLES = """\
examples:
  python export.py
  python export.py --resume_from_checkpoint checkpoints/checkpoint-60 --output_dir exported
  python export.py --int8 --data_dir data/tnews
  python export.py --resume_from_checkpoint news reviews --output_dir both     (tasks on one frozen language model)
  python export.py --with_examples --data_dir data/tnews      (explanations name the nearest training texts)
  python export.py --check bf16 --data_dir data/tnews     (does OpenVINO's bfloat16 keep the labels?)
  python export.py --model_path_prefix checkpoints/export/model     (convert a static graph again)
"""


def main(argv: Optional[Sequence[str]] = None, prog: str = "export.py") -> None:
    args = parse(argv, prog)
    from prompt_kit.training.export.bf16 import Bf16
    from prompt_kit.training.export.exporter import Int8, export_checkpoint, export_static

    if len(args.resume_from_checkpoint) > 1 or args.task_names:
        _export_tasks(args, prog)
        return
    (folder,) = args.resume_from_checkpoint
    data_dir = args.data_dir[0] if args.data_dir else ""
    int8 = Int8(data_dir, args.force) if args.int8 else None
    bf16 = Bf16(data_dir, args.force) if args.check == "bf16" else None
    examples = read_training_lines(folder, data_dir) if args.with_examples else None
    if args.model_path_prefix:
        output_dir = args.output_dir or os.path.dirname(os.path.abspath(args.model_path_prefix))
        config = export_static(args.model_path_prefix, output_dir, not args.no_fp16, int8, bf16)
    else:
        output_dir = args.output_dir or os.path.join(folder, "export")
        base = args.model_name_or_path
        config = export_checkpoint(
            folder,
            output_dir,
            not args.no_fp16,
            int8,
            bf16,
            states=args.with_states or args.with_examples,
            base_model=base,
        )
    served = _write_triton(args, output_dir, config) if args.triton else ""
    carried = "" if examples is None else write_training_examples(output_dir, examples)
    exact = {name: value for name, value in config.parity.items() if name not in config.agreement}
    rounded = {"fp16": " (half precision)"}
    differences = ", ".join(f"{config.models[n]} {value:.1e}{rounded.get(n, '')}" for n, value in exact.items())
    kept = [
        f"; {config.models.get(name, name)} gives {found['share']:.2%} of {found['texts']} texts the same label"
        for name, found in config.agreement.items()
    ]
    note(
        prog,
        f"wrote {output_dir} ({len(config.labels)} labels, {config.max_seq_length} tokens at most); "
        f"every best label agrees with Paddle, largest difference of a logit: {differences}{''.join(kept)}{carried}{served}",
    )


def _write_triton(args: argparse.Namespace, output_dir: str, config: BundleConfig) -> str:
    """The model in a Triton repository; what to say of it."""
    from prompt_kit.inference.triton import write_triton

    return f"; Triton model {write_triton(output_dir, config, args.triton, args.triton_name or 'prompt_kit')}"


def _export_tasks(args: argparse.Namespace, prog: str) -> None:
    """Several folders into one, which share a language model."""
    from prompt_kit.inference.tasks import task_file
    from prompt_kit.training.export.exporter import Int8
    from prompt_kit.training.export.task_exporter import export_tasks

    folders = args.resume_from_checkpoint
    if args.output_dir is None:
        raise ConfigError("several tasks go into a folder of their own; give --output_dir")
    if args.check or args.with_states or args.with_examples or args.triton:
        given = {"--with_states": args.with_states, "--with_examples": args.with_examples, "--triton": args.triton}
        flag = f"--check {args.check}" if args.check else next(name for name, value in given.items() if value)
        raise ConfigError(f"{flag} is for a folder of one task; leave it out")
    if args.int8 and len(args.data_dir) != len(folders):
        raise ConfigError(
            f"--int8 of {len(folders)} tasks needs texts of each; give --data_dir as many folders, in the order of the tasks"
        )
    int8 = [Int8(data_dir, args.force) for data_dir in args.data_dir] if args.int8 else None
    base = args.model_name_or_path
    config = export_tasks(folders, args.output_dir, args.task_names, not args.no_fp16, int8, base)
    sizes = {name: os.path.getsize(os.path.join(args.output_dir, task_file(name))) for name in config.tasks}
    worst = max(one.parity["fp32"] for one in config.tasks.values())
    kept = [
        f"; {config.models[name]} gives {found['share']:.2%} of a task's texts or more the same label"
        for name, found in config.agreement.items()
    ]
    listed = ", ".join(f"{name} ({size / 1000:.0f} KB)" for name, size in sizes.items())
    note(
        prog,
        f"wrote {args.output_dir}, one language model with the tasks {listed}; every best label agrees with Paddle, "
        f"largest difference of a logit: {worst:.1e}{''.join(kept)}",
    )


def read_training_lines(folder: str, data_dir: str) -> list[Example]:
    """train.txt of --data_dir, read before anything is written, so that a mistake in it leaves nothing behind."""
    from prompt_kit.data.dataset import read_examples
    from prompt_kit.prompt_config import ModelConfig, read_prompt_config

    config = read_prompt_config(folder, ModelConfig)
    line_format = config.task.line_format("text_b" in config.template.fields)
    return read_examples(os.path.join(data_dir, "train.txt"), config.verbalizer.labels, True, line_format)


def write_training_examples(folder: str, examples: list[Example]) -> str:
    """Put them into the exported folder; what to say of it."""
    from prompt_kit.inference.carried_examples import EXAMPLES_FILE, write_examples
    from prompt_kit.inference.predictor import Predictor

    predictor = Predictor(folder, device="cpu", precision="fp32", engine="onnxruntime")
    size = write_examples(folder, examples, predictor.states(examples))
    return f"; {EXAMPLES_FILE} carries {len(examples)} training texts ({size / 1e6:.1f} MB): whoever gets the folder gets them"


def build_parser(prog: str = "export.py") -> ArgumentParser:
    parser = ArgumentParser(prog=prog, description=__doc__, epilog=EXAMPLES.replace("python export.py", typed(prog)))
    parser.add_argument("--resume_from_checkpoint", metavar="FOLDER", nargs="+",
        help="the training folder, or a checkpoint-N in it (default: ./checkpoints); several that --freeze_plm trained on one "
        "language model: a folder that serves them all")  # fmt: skip
    parser.add_argument("--task_names", metavar="NAME", nargs="+",
        help="what the tasks of several folders are called (default: as the folders)")  # fmt: skip
    parser.add_argument("--output_dir", metavar="FOLDER",
        help="the exported folder (default: export in the training folder, or the static graph's folder)")  # fmt: skip
    parser.add_argument("--model_path_prefix", metavar="PREFIX",
        help="convert PREFIX.json and PREFIX.pdiparams, with prompt_config.json and tokenizer.json beside them")  # fmt: skip
    parser.add_argument("--model_name_or_path", metavar="NAME",
        help="of a folder that --save_prompt_only wrote: its language model, if it is not where it was")  # fmt: skip
    parser.add_argument("--no_fp16", action="store_true", help="leave out model_fp16.onnx")
    parser.add_argument("--with_states", action="store_true",
        help="give the graph an output more, by which infer.py --support_file adds labels from examples")  # fmt: skip
    parser.add_argument("--triton", metavar="REPOSITORY",
        help="also put the model into this model repository of a Triton server, as REPOSITORY/NAME")  # fmt: skip
    parser.add_argument("--triton_name", metavar="NAME", help="there (default: prompt_kit)")
    parser.add_argument("--with_examples", action="store_true",
        help="put the texts of --data_dir's train.txt into the folder, for explanations and infer.py --nearest to name the "
        "nearest of them; whoever gets the folder gets these texts (implies --with_states)")  # fmt: skip
    parser.add_argument("--int8", action="store_true",
        help="also write model_int8.onnx, for CPUs: faster, and refused if it changes more than 1 %% of the labels")  # fmt: skip
    parser.add_argument("--data_dir", metavar="FOLDER", nargs="+",
        help="for --int8 and --check: compare on its dev.txt, and test.txt and data.txt if there; one a task")  # fmt: skip
    parser.add_argument("--check", choices=("bf16",),
        help="compare OpenVINO's bfloat16 with fp32: refused if it changes more than 0.5 %% of the labels")  # fmt: skip
    parser.add_argument("--force", action="store_true", help="write the folder whatever int8 or bf16 changes")
    return parser


def parse(argv: Optional[Sequence[str]], prog: str = "export.py") -> argparse.Namespace:
    args = build_parser(prog).parse_args(argv)
    for name in (
        "resume_from_checkpoint",
        "output_dir",
        "model_path_prefix",
        "data_dir",
        "model_name_or_path",
        "triton",
    ):
        value = getattr(args, name)
        for one in value if isinstance(value, list) else [value] if value is not None else []:
            check_place(f"--{name}", one)
    if args.int8 and not args.data_dir:
        raise ConfigError("--int8 needs texts to be compared on; add --data_dir data/tnews, the folder with dev.txt")
    if args.check and not args.data_dir:
        raise ConfigError(f"--check {args.check} needs texts to be compared on; add --data_dir data/tnews")
    if args.with_examples and not args.data_dir:
        raise ConfigError(
            "--with_examples needs the training texts; add --data_dir data/tnews, the folder with train.txt"
        )
    reads = args.int8 or args.check or args.with_examples
    if (args.data_dir and not reads) or (args.force and not args.int8 and not args.check):
        flag = "--data_dir" if args.data_dir and not reads else "--force"
        raise ConfigError(f"{flag} is for --int8 and --check; add one of them, or leave it out")
    if args.triton_name and not args.triton:
        raise ConfigError(
            f"--triton_name {args.triton_name} is for --triton; add --triton FOLDER, or drop --triton_name"
        )
    if args.model_path_prefix and (args.with_states or args.with_examples):
        raise ConfigError(
            f"--{'with_states' if args.with_states else 'with_examples'} changes the graph, but --model_path_prefix converts "
            "it as it is; export the training folder"
        )
    if args.model_path_prefix and args.resume_from_checkpoint:
        raise ConfigError("--model_path_prefix and --resume_from_checkpoint are both given; give one of them")
    args.resume_from_checkpoint = args.resume_from_checkpoint or ["./checkpoints"]
    if len(args.data_dir or ()) > 1 and len(args.resume_from_checkpoint) == 1:
        raise ConfigError(f"--data_dir names {len(args.data_dir)} folders, but there is one task; give one")
    return args
