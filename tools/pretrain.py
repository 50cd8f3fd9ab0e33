#!/usr/bin/env python
"""Train a masked language model on plain text, so that prompts start from one that knows the domain."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prompt_kit.cli.parser import run  # noqa: E402


def main(argv=None):
    from prompt_kit.training.pretraining import session

    args = session.parse_arguments(argv)
    with session.output_folder(args):
        corpus = session.read(args)
        trainer = session.build(args, corpus)
        checkpoint = session.checkpoint_to_resume(args, trainer)
        before = session.evaluate(trainer, "before training")
        trainer.train(checkpoint)
        after = session.evaluate(trainer, "after training")
        session.finish(args, trainer, before, after)


def parse(argv):
    from prompt_kit.training.pretraining.arguments import build_parser

    return build_parser().parse_args(argv)


if __name__ == "__main__":
    run(main)
