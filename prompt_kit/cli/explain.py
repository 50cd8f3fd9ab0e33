"""Say what each character of a text does for its label; with an exported prompt model, without Paddle."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Callable, Optional

from prompt_kit.cli.model_flags import add_model_flags
from prompt_kit.cli.parser import ArgumentParser, typed
from prompt_kit.cli.text_flag import add_text_flag
from prompt_kit.errors import ConfigError

if TYPE_CHECKING:
    from prompt_kit.inference.explanation import CharacterEffect, Explanation

METHODS = ("leave_one_out", "integrated_gradients")
EXPORTED_ONLY = ("model_path_prefix", "max_seq_length", "device", "device_id", "num_threads", "precision", "engine")
EXAMPLES = """\
input is one of: --data_dir, --text, or lines piped to stdin. leave_one_out classifies each text once without each of its
characters. integrated_gradients follows the model's gradients from padding to the text; it needs a training folder and Paddle.

examples:
  prompt-kit explain --text 今晚国足迎战日本队 新车上市售价公布
  prompt-kit explain --text 今晚国足迎战日本队 --label news_sports --top_k 3
  prompt-kit explain --data_dir data/tnews --output_format jsonl > why.jsonl
  prompt-kit explain --method integrated_gradients --resume_from_checkpoint checkpoints --text 今晚国足迎战日本队
"""


def main(argv: Optional[Sequence[str]] = None, prog: str = "prompt-kit explain") -> None:
    from prompt_kit.cli.predict import check_input, load, open_texts

    args = parse(argv, prog)
    check_input(args)
    show = FORMATS[args.output_format]
    if args.resume_from_checkpoint is not None:
        explanations = of_training_folder(args)
    else:
        predictor = load(args)
        texts = open_texts(args, predictor.labels, predictor.reads_pairs)
        explanations = predictor.explain_stream(texts, args.top_k, args.label, args.batch_size, args.nearest)
    for explanation in explanations:
        print(show(explanation))


def of_training_folder(args: argparse.Namespace) -> Iterator[Explanation]:
    """The explanations of a folder that train.py wrote, by its gradients or by leaving out; needs Paddle."""
    from prompt_kit.cli.predict import open_texts
    from prompt_kit.training.explanation.integrated_gradients import explain_by_gradients
    from prompt_kit.training.explanation.leave_one_out import explain_by_leaving_out
    from prompt_kit.training.models.prompt_model import PromptModel

    model = PromptModel.from_pretrained(args.resume_from_checkpoint)
    texts = open_texts(args, model.verbalizer.labels, model.reads_pairs)
    if args.method == "integrated_gradients":
        return explain_by_gradients(model, texts, args.top_k, args.label)
    return explain_by_leaving_out(model, texts, args.top_k, args.label, args.batch_size)


def build_parser(prog: str = "prompt-kit explain") -> ArgumentParser:
    parser = ArgumentParser(prog=prog, description=__doc__, epilog=EXAMPLES.replace("prompt-kit explain", typed(prog)))
    parser.set_defaults(prog=prog, use_fp16=False, output_file=None, support_file=None, only_support=False)
    add = parser.add_argument
    add_model_flags(parser, "fp32", "fp32 tells the small changes that one character makes best")
    add("--method", choices=METHODS, default=METHODS[0],
        help="how (default: %(default)s)")  # fmt: skip
    add("--resume_from_checkpoint", metavar="FOLDER",
        help="a training folder in place of an exported one (default with integrated_gradients: ./checkpoints)")  # fmt: skip
    add("--data_dir", metavar="FOLDER", help="explain the lines of data.txt in this folder")
    add_text_flag(parser, "explain these texts")
    add("--label", metavar="LABEL", help="what speaks for this label (default: for the predicted one)")
    add("--top_k", type=int, default=5, metavar="K", help="characters to name at most (default: %(default)s)")
    add("--nearest", type=int, default=3, metavar="N",
        help="training texts to name, where export.py --with_examples put them in (default: %(default)s)")  # fmt: skip
    add("--output_format", choices=sorted(FORMATS), default="text",
        help="text: lines for people; jsonl: a JSON object with every character (default: %(default)s)")  # fmt: skip
    add("--batch_size", type=int, default=32, metavar="N", help="texts at a time (default: %(default)s)")
    return parser


def parse(argv: Optional[Sequence[str]], prog: str = "prompt-kit explain") -> argparse.Namespace:
    parser = build_parser(prog)
    args = parser.parse_args(argv)
    if args.method == "integrated_gradients" and args.resume_from_checkpoint is None:
        args.resume_from_checkpoint = "./checkpoints"
    exported = [name for name in EXPORTED_ONLY if getattr(args, name) != parser.get_default(name)]
    if args.resume_from_checkpoint is not None and exported:
        raise ConfigError(
            f"--{exported[0]} is for exported folders, but a training folder is explained "
            f"({args.resume_from_checkpoint}); leave it out, or use --method leave_one_out without --resume_from_checkpoint"
        )
    return args


def _text(explanation: Explanation) -> str:
    """The label with its probability and the text, and under it the characters that speak for the label."""
    text = " ".join(explanation.text.split())
    named = "  ".join(f"{one.text} {one.log_odds:+.2f}" for one in explanation.top)
    cut = " (cut: not all of it is read)" if explanation.is_cut else ""
    near = "".join(
        f"\n\tnear {one.similarity:.2f} {one.label}: {' '.join(one.text.split())}" for one in explanation.nearest
    )
    return (
        f"{explanation.label}\t{explanation.score:.4f}\t{text}{cut}\n\t{named or '(no character speaks for it)'}{near}"
    )


def _jsonl(explanation: Explanation) -> str:
    def plain(one: CharacterEffect) -> dict:
        return {
            "text": one.text, "start": one.start,
            "log_odds": round(one.log_odds, 6), "probability": round(one.probability, 6),
        }  # fmt: skip

    record = {
        "text": explanation.text,
        "label": explanation.label,
        "score": round(explanation.score, 6),
        "is_cut": explanation.is_cut,
        "top": [plain(one) for one in explanation.top],
        "characters": [plain(one) for one in explanation.effects],
    }
    if explanation.nearest:
        record["nearest"] = [{**one._asdict(), "similarity": round(one.similarity, 6)} for one in explanation.nearest]
    return json.dumps(record, ensure_ascii=False)


FORMATS: dict[str, Callable[[Explanation], str]] = {"text": _text, "jsonl": _jsonl}
