#!/usr/bin/env python
"""Export a trained prompt model as a folder that infer.py runs without Paddle: ONNX, tokenizer, labels."""

from prompt_kit.cli.export import main
from prompt_kit.cli.parser import run

if __name__ == "__main__":
    run(main)
