#!/usr/bin/env python
"""Train, evaluate, predict with and export a prompt model: `python train.py --do_train --do_eval`."""


def main(argv=None):
    from prompt_kit.cli.train import main  # under the guard, which answers a Ctrl-C at any moment

    main(argv)


if __name__ == "__main__":
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the guard is there, a Ctrl-C ends without a traceback
    from prompt_kit.cli.parser import run

    run(main)
