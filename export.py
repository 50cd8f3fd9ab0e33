#!/usr/bin/env python
"""Export a trained prompt model as a folder that infer.py runs without Paddle: ONNX, tokenizer, labels."""


def main(argv=None):
    from prompt_kit.cli.export import main  # under the guard, which answers a Ctrl-C at any moment

    main(argv)


if __name__ == "__main__":
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the guard is there, a Ctrl-C ends without a traceback
    from prompt_kit.cli.parser import run

    run(main)
