#!/usr/bin/env python
"""Label texts with an exported prompt model, on CPU or GPU, without Paddle."""

from prompt_kit.cli.parser import run
from prompt_kit.cli.predict import main

if __name__ == "__main__":
    run(main)
