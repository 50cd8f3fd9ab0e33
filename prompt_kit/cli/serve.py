"""Answer requests over HTTP with exported models: `POST /predict {"texts": [...]}`, and a page to try them on."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from prompt_kit.cli.model_flags import add_hardware_flags
from prompt_kit.cli.parser import ArgumentParser, note
from prompt_kit.errors import ConfigError, DependencyError

if TYPE_CHECKING:
    from prompt_kit.inference.predictor import Predictor

EXAMPLES = """\
examples:
  prompt-kit serve --model_path_prefix checkpoints/export/model
  prompt-kit serve --model news=checkpoints/export/model --model reviews=other/export/model --port 8189
  curl http://127.0.0.1:8189/predict -H 'Content-Type: application/json' -d '{"texts": ["今晚国足迎战日本队"]}'
"""
# flag -> (type, what it bounds), each with the default that prompt_kit.serving.limits.Limits has
LIMITS = {
    "body_bytes": (int, "bytes of a request's body"),
    "texts": (int, "texts in a request"),
    "characters": (int, "characters of a text"),
    "waiting": (int, "texts of all requests that wait for a model"),
    "requests": (int, "requests that are answered at a time"),
    "connections": (int, "connections that are open at a time"),
    "seconds": (float, "seconds for a body to arrive, an answer to be ready, and a client to take it, each"),
    "wait_ms": (float, "milliseconds that a text waits for others to share its batch"),
}


def main(argv: Optional[Sequence[str]] = None, prog: str = "prompt-kit serve") -> None:
    args = parse(argv, prog)
    folders = model_folders(args)
    try:
        from prompt_kit.serving.app import create_app
        from prompt_kit.serving.limits import Limits
        from prompt_kit.serving.models import check_name
        from prompt_kit.serving.server import Server, bind, is_loopback
    except ImportError as problem:
        raise DependencyError(
            f'{problem.name} is not installed; the service needs: pip install ".[infer,serve]"'
        ) from None
    from prompt_kit.inference.predictor import Predictor

    given = {name: getattr(args, f"max_{name}") for name in LIMITS if getattr(args, f"max_{name}") is not None}
    limits = Limits(batch=args.batch_size, **given)
    for name in folders:
        check_name(name)
    listener = bind(args.host, args.port)  # before the models, which take longer
    with listener:
        predictors = {}
        for name, folder in folders.items():
            opened = Predictor(folder, device=args.device, device_id=args.device_id, num_threads=args.num_threads,
                               precision=args.precision, engine=args.engine)  # fmt: skip
            for served, one in models_of(name, opened).items():
                check_name(served)
                predictors[served] = one
                note(prog, f"model {served}: {len(one.labels)} labels, {one.device}, {one.precision} ({one.folder})")
        host, port = listener.getsockname()[:2]
        note(prog, f"http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C or SIGTERM stops)")
        if not is_loopback(listener):
            note(
                prog,
                "whoever reaches this machine can use the service: it has no passwords and no TLS; put a proxy before it",
            )
        logging.basicConfig(level=logging.WARNING, format=f"{prog}: %(message)s")
        Server(lambda stopping: create_app(predictors, limits, stopping), limits).run(sockets=[listener])
    note(prog, "stopped")


def build_parser(prog: str = "prompt-kit serve") -> ArgumentParser:
    parser = ArgumentParser(prog=prog, description=__doc__, epilog=EXAMPLES)
    add = parser.add_argument
    add("--model_path_prefix", metavar="PATH",
        help="an exported folder, or PaddleNLP's prefix folder/model (default: ./checkpoints/export/model)")  # fmt: skip
    add(
        "--model",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="another one, by name; may be given several times",
    )
    add("--host", default="127.0.0.1", metavar="ADDRESS",
        help="where to listen; 0.0.0.0 lets other machines in (default: %(default)s, this machine alone)")  # fmt: skip
    add("--port", type=int, default=8189, metavar="N", help="0 takes any that is free (default: %(default)s)")
    add_hardware_flags(parser, "auto", "as of prompt-kit predict")
    add("--batch_size", type=int, default=32, metavar="N", help="texts that go through a model together (default: 32)")
    for name, (kind, what) in LIMITS.items():
        add(f"--max_{name}", type=kind, metavar="N", help=f"most {what}")
    return parser


def parse(argv: Optional[Sequence[str]], prog: str = "prompt-kit serve") -> argparse.Namespace:
    return build_parser(prog).parse_args(argv)


def model_folders(args: argparse.Namespace) -> dict[str, str]:
    """Name -> path, that of --model_path_prefix first."""
    folders: dict[str, str] = {}
    if args.model_path_prefix is not None or not args.model:
        folders["default"] = args.model_path_prefix or "./checkpoints/export/model"
    for one in args.model:
        name, sign, path = one.partition("=")
        if not sign or not path:
            raise ConfigError(f"--model {one}: expected NAME=PATH, as in news=checkpoints/export/model")
        if name in folders:
            raise ConfigError(f"--model {one}: there are two models called {name}; give each a name of its own")
        folders[name] = path
    return folders


def models_of(name: str, opened: Predictor) -> dict[str, Predictor]:
    """Name -> model of an exported folder. The tasks of one are models of their own, on one language model in memory."""
    return {f"{name}.{task}": opened.for_task(task) for task in opened.tasks} or {name: opened}
