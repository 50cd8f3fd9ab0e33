"""What the commands share: an argument parser that fails in one line, and the guard around main()."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import sys
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Callable, NoReturn, Optional, Union

from prompt_kit.errors import PromptKitError

USER_ERROR = 2  # the exit code that argparse uses for a wrong command line
INTERRUPTED, READER_GONE = 130, 141  # what a shell shows for SIGINT and SIGPIPE
_LONGEST = 2000  # characters of a message: a few lines of a terminal
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class ArgumentParser(argparse.ArgumentParser):
    """argparse with one-line errors, no abbreviated flags, and help that keeps the examples' line breaks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)  # --eval must never silently mean --eval_steps
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"{self.prog}: error: {_one_line(message, 400)} (see {typed(self.prog)} --help)\n")


def typed(prog: str) -> str:
    """How a program is called: `python train.py`, `prompt-kit train`."""
    return f"python {prog}" if prog.endswith(".py") else prog


def run(main: Callable[[Optional[Sequence[str]]], Optional[int]]) -> NoReturn:
    """Call `main(None)` with UTF-8 output, and exit with its code.

    A PromptKitError and a full disk become one line on stderr and exit code 2, Ctrl-C exit code 130, a reader of stdout
    that has gone (head, less) 141. What was printed before stays. Any other exception is a mistake of ours, and raised.
    """
    _prepare_streams()
    message = ""
    code: Union[int, str]
    with _interrupts() as interrupts:
        try:
            code = main(None) or 0
        except PromptKitError as error:
            code, message = USER_ERROR, str(error)
        except BrokenPipeError:
            code = READER_GONE
        except KeyboardInterrupt:
            code = INTERRUPTED
        except SystemExit as end:  # argparse: --help, a wrong command line
            code = end.code or 0
        except OSError as error:
            if error.errno not in _NO_SPACE and not interrupts:
                raise
            code, message = USER_ERROR, f"cannot write{_place(error)}: {error.strerror}"
        except BaseException:
            if not interrupts:  # packages with C code make an ImportError or another one of a Ctrl-C in their import
                raise
            code = INTERRUPTED
        if interrupts and code == USER_ERROR:
            code = INTERRUPTED
    lost = _flush_stdout()
    if lost is not None and code == 0:
        code, message = (READER_GONE, "") if isinstance(lost, BrokenPipeError) else (USER_ERROR, _cannot_print(lost))
    if code == INTERRUPTED:
        _to_stderr("interrupted")
    elif message:
        _to_stderr(f"{os.path.basename(sys.argv[0])}: error: {_one_line(message, _LONGEST)}")
    sys.exit(code)


def note(prog: str, message: str) -> None:
    """A line of a command on stderr; on a terminal in the place of a count that stands there."""
    start = "\r" if sys.stderr.isatty() else ""
    print(f"{start}{prog}: {message}", file=sys.stderr, flush=True)


def _prepare_streams() -> None:
    """UTF-8 for stdout and stderr; one that is closed (`>&-`) keeps its number, which no file may get."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # print(file=None) would write to stdout
    for stream in (sys.stdout, sys.stderr):
        if hasattr(
            stream, "reconfigure"
        ):  # help and labels are Chinese whatever the locale; odd bytes leave as they came
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")


@contextlib.contextmanager
def _interrupts() -> Iterator[list[int]]:
    """The list of Ctrl-Cs so far, each of which raises KeyboardInterrupt as usual."""
    seen: list[int] = []

    def interrupt(number: int, frame: Any) -> None:
        seen.append(number)
        signal.default_int_handler(number, frame)

    before = signal.getsignal(signal.SIGINT)  # a job in the background ignores it, and so it stays
    ordinary = before in (signal.default_int_handler, signal.SIG_DFL)
    if not ordinary or threading.current_thread() is not threading.main_thread():
        yield seen
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)


def _flush_stdout() -> Optional[OSError]:
    """Write out what was printed, here and not at the interpreter's end; the error if that fails."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        with contextlib.suppress(OSError, ValueError):  # the rest goes nowhere, or the interpreter would complain again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    return None


def _cannot_print(error: OSError) -> str:
    return f"cannot write to stdout: {error.strerror or error}"


def _place(error: OSError) -> str:
    return f" {error.filename}" if isinstance(error.filename, str) else ""


def _one_line(message: str, most: int) -> str:
    """The message on one line, cut in its middle if it is long; what would steer a terminal is spelled out."""
    message = " ".join(message.splitlines())
    if len(message) > most:
        message = f"{message[: most * 3 // 4]} … {message[-most // 4 :]}"
    return "".join(ascii(char)[1:-1] if unicodedata.category(char) == "Cc" else char for char in message)


def _to_stderr(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # there is no further place to complain at
        print(line, file=sys.stderr, flush=True)
