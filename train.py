#!/usr/bin/env python
"""Train, evaluate, predict with and export a prompt model: `python train.py --do_train --do_eval`."""

from prompt_kit.cli.parser import run
from prompt_kit.cli.train import main

if __name__ == "__main__":
    run(main)
