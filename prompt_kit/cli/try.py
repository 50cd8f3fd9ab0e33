"""Show what a language model makes of a template before anyone trains: tokens, masks, what is cut, its best words."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Optional

from prompt_kit.cli.parser import ArgumentParser, typed
from prompt_kit.cli.text_flag import Utf8Texts
from prompt_kit.data.texts import is_empty
from prompt_kit.errors import ConfigError, DataError, shown

if TYPE_CHECKING:
    from prompt_kit.training.models.template_trial import Trial

EXAMPLES = """\
In the list of tokens [MASK] is what the model fills in, and <体> a learnable vector that starts as the word 体.

examples:
  prompt-kit try --text 今晚国足迎战日本队 --model_name_or_path mini_zh
  prompt-kit try --prompt "{'mask'}{'mask'}新闻：{'text': 'text_a'}" 这条新闻标题的主题是 --text 今晚国足迎战日本队
  prompt-kit try --data_dir data/tnews --lines 5 --max_seq_length 20
"""


def main(argv: Optional[Sequence[str]] = None, prog: str = "prompt-kit try") -> None:
    args = parse(argv, prog)
    from prompt_kit.prompt.neutral_templates import neutral_templates
    from prompt_kit.prompt.template import Template

    templates = [Template.from_prompt(prompt) for prompt in args.prompt or ()] or neutral_templates()
    texts = read(args)
    from prompt_kit.training.models.backbone import load_backbone
    from prompt_kit.training.models.template_trial import try_template

    backbone = load_backbone(args.model_name_or_path, trust_pickle=args.trust_pickle)
    lengths = {name: getattr(args, name) for name in _LENGTHS}
    if args.output_format == "text":
        print(f"language model: {backbone.name} ({backbone.reason})")
    for template in templates:
        trials = try_template(backbone, template, texts, args.top_k, **lengths)
        if args.output_format == "text":
            print(f"\ntemplate: {template}")
        for trial in trials:
            print(_text(trial, args) if args.output_format == "text" else _jsonl(str(template), trial))


_LENGTHS = ("max_seq_length", "first_max_length", "other_max_length", "truncate_mode")


def build_parser(prog: str = "prompt-kit try") -> ArgumentParser:
    parser = ArgumentParser(prog=prog, description=__doc__, epilog=EXAMPLES.replace("prompt-kit try", typed(prog)))
    parser.set_defaults(prog=prog)
    add = parser.add_argument
    add("--prompt", nargs="+", metavar="TEMPLATE",
        help="templates, or plain words: then {'text': 'text_a'}{'soft': words}{'mask'} (default: the neutral ones that "
        "train.py chooses from)")  # fmt: skip
    add("--text", nargs="+", metavar="TEXT", action=Utf8Texts, help="try with these texts")
    add("--data_dir", metavar="FOLDER", help="try with the first lines of data.txt in this folder")
    add("--lines", type=int, default=3, metavar="N", help="of data.txt (default: %(default)s)")
    add("--model_name_or_path", metavar="NAME", help="language model, as in train.py")
    add("--trust_pickle", action="store_true", help="as in train.py")
    add("--top_k", type=int, default=5, metavar="K", help="words of each mask (default: %(default)s)")
    add("--max_seq_length", type=int, default=128, metavar="N", help="as in train.py (default: %(default)s)")
    add("--first_max_length", type=int, metavar="N", help="as in train.py")
    add("--other_max_length", type=int, metavar="N", help="as in train.py")
    add("--truncate_mode", choices=("tail", "head"), default="tail", help="as in train.py (default: %(default)s)")
    add("--output_format", choices=("text", "jsonl"), default="text",
        help="text, or a JSON object a template and text (default: %(default)s)")  # fmt: skip
    return parser


def parse(argv: Optional[Sequence[str]], prog: str = "prompt-kit try") -> argparse.Namespace:
    args = build_parser(prog).parse_args(argv)
    if (args.text is None) == (args.data_dir is None):
        given = "both given" if args.text is not None else "neither is given"
        raise ConfigError(f"--text and --data_dir: {given}; give one of them, for example --text 今晚国足迎战日本队")
    for name in ("lines", "top_k"):
        if getattr(args, name) < 1:
            raise ConfigError(f"--{name} must be 1 or more, got {getattr(args, name)}")
    return args


def read(args: argparse.Namespace) -> list[str]:
    """The texts of --text, or the first lines of data.txt."""
    from prompt_kit.data.dataset import unlabelled
    from prompt_kit.data.lines import read_lines

    if args.data_dir is not None:
        path = os.path.join(args.data_dir, "data.txt")
        return list(islice(unlabelled(read_lines(path), path, ()), args.lines))
    for number, text in enumerate(args.text, start=1):
        if is_empty(text):
            raise DataError(f"--text: text {number} is empty ({shown(text)}), expected some words")
    return args.text


def _text(trial: Trial, args: argparse.Namespace) -> str:
    shown = " ".join(f"<{one.piece}>" if one.kind == "soft" else one.piece for one in trial.tokens)
    lines = [f"  {' '.join(trial.text.split())}", f"    tokens ({len(trial.tokens)} of {args.max_seq_length}): {shown}"]
    lines += [
        f"    cut: {one.field}, {one.read} of {one.total} tokens are read, without {one.lost}" for one in trial.cuts
    ]
    for number, words in enumerate(trial.words, start=1):
        listed = "  ".join(f"{word} {probability:.3f}" for word, probability in words)
        lines.append(f"    mask {number}: {listed}")
    return "\n".join(lines)


def _jsonl(template: str, trial: Trial) -> str:
    record: dict[str, Any] = {"template": template, **asdict(trial)}
    record["words"] = [
        [{"word": word, "probability": round(probability, 6)} for word, probability in words] for words in trial.words
    ]
    return json.dumps(record, ensure_ascii=False)
