#!/usr/bin/env python
"""Learn to learn: train a prompt on many small tasks, so that a new task, or a new label, takes a few examples."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prompt_kit.cli.parser import run  # noqa: E402


def main(argv=None):
    from prompt_kit.training.meta_learning import session
    from prompt_kit.training.meta_learning.arguments import parse_arguments

    args = parse_arguments(argv)
    with session.output_folder(args):
        meta = session.Session(args)
        before = meta.evaluate()
        loss = meta.train()
        after = meta.evaluate()
        session.report(before, after)
        meta.finish(loss, before, after)


def parse(argv):
    from prompt_kit.training.meta_learning.arguments import build_parser

    return build_parser().parse_args(argv)


if __name__ == "__main__":
    run(main)
