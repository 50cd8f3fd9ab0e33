"""The flags that say which exported folder is run and on what, which several commands have."""

from __future__ import annotations

import argparse


def add_model_flags(parser: argparse.ArgumentParser, precision: str, about_precision: str) -> None:
    """Add them; `precision` is the default of --precision, and `about_precision` its help."""
    add = parser.add_argument
    add("--model_path_prefix", default="./checkpoints/export/model", metavar="PATH",
        help="the exported folder, or PaddleNLP's prefix folder/model (default: %(default)s)")  # fmt: skip
    add("--task", metavar="NAME", help="of a folder that serves several tasks: which")
    add("--max_seq_length", type=int, metavar="N", help="shorter than the exported model's, for speed")
    add_hardware_flags(parser, precision, about_precision)


def add_hardware_flags(parser: argparse.ArgumentParser, precision: str, about_precision: str) -> None:
    """Those of them that say on what it is run."""
    add = parser.add_argument
    add("--device", choices=("auto", "cpu", "gpu"), default="auto",
        help="auto: the GPU if onnxruntime can use it (default: %(default)s)")  # fmt: skip
    add("--device_id", type=int, default=0, metavar="N", help="which GPU (default: 0)")
    add("--num_threads", type=int, metavar="N", help="CPU threads (default: the physical cores)")
    add("--precision", choices=("auto", "fp32", "fp16", "int8", "bf16"), default=precision,
        help=f"{about_precision} (default: %(default)s)")  # fmt: skip
    add("--engine", choices=("auto", "onnxruntime", "openvino"), default="auto",
        help="what computes on a CPU; auto: the faster of those that are installed (default: auto)")  # fmt: skip
