"""Write a page about how an exported model does on a labelled file, without Paddle."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from prompt_kit.cli.model_flags import add_model_flags
from prompt_kit.cli.parser import ArgumentParser, note, typed
from prompt_kit.disk import check_place
from prompt_kit.errors import ConfigError, DataError

if TYPE_CHECKING:
    from prompt_kit.data.dataset import Example
    from prompt_kit.data.line_format import LineFormat
    from prompt_kit.inference.explanation import Explanation
    from prompt_kit.inference.predictor import Predictor
    from prompt_kit.report.evaluation import Evaluation

SPLITS = ("test", "dev", "train")
EXAMPLES = """\
reads test.txt of --data_dir, if it has labels, else dev.txt. Needs the extras 'infer' and 'report'.

examples:
  prompt-kit report --model_path_prefix checkpoints/export --data_dir data/tnews
  prompt-kit report --data_dir data/tnews --split dev --language zh --output_dir report_zh
"""


def main(argv: Optional[Sequence[str]] = None, prog: str = "prompt-kit report") -> None:
    args = parse(argv, prog)
    from prompt_kit.cli.predict import load
    from prompt_kit.report.curves import read_curves
    from prompt_kit.report.writer import check_report, write_report

    check_place("--output_dir", args.output_dir)
    check_report(args.output_dir, args.language)
    predictor = load(args)
    line_format = predictor.decision.line_format(predictor.reads_pairs)
    split, examples = read(args.data_dir, args.split, predictor.labels, line_format)
    evaluation = evaluate(predictor, split, examples, args.explain)
    run = args.run or predictor.folder.parent
    path = write_report(args.output_dir, evaluation, args.language, facts_of(predictor), read_curves(run))
    print(path)
    low, high = evaluation.interval
    note(
        prog,
        f"{evaluation.num_right} of {len(examples)} texts of {split}.txt are right, {evaluation.accuracy:.1%} "
        f"(95 % interval {low:.1%} to {high:.1%})",
    )


def build_parser(prog: str = "prompt-kit report") -> ArgumentParser:
    parser = ArgumentParser(prog=prog, description=__doc__, epilog=EXAMPLES.replace("prompt-kit report", typed(prog)))
    parser.set_defaults(prog=prog, use_fp16=False, support_file=None, only_support=False)
    add = parser.add_argument
    add_model_flags(parser, "fp32", "which of the exported graphs")
    add("--data_dir", required=True, metavar="FOLDER", help="folder with the labelled file")
    add("--split", choices=SPLITS, help="which of its files (default: test, or dev where test.txt has no labels)")
    add("--output_dir", default="./report", metavar="FOLDER", help="where report.html goes (default: %(default)s)")
    add("--language", choices=("en", "zh"), default="en", help="of the page (default: %(default)s)")
    add("--run", metavar="FOLDER",
        help="training folder, for the curves (default: the folder that the exported one is in, if it is one)")  # fmt: skip
    add("--explain", type=int, default=30, metavar="N",
        help="mark the characters that mattered in the N most confident wrong cases (default: %(default)s)")  # fmt: skip
    return parser


def parse(argv: Optional[Sequence[str]], prog: str = "prompt-kit report") -> argparse.Namespace:
    args = build_parser(prog).parse_args(argv)
    if args.explain < 0:
        raise ConfigError(f"--explain must be 0 or more, got {args.explain}")
    return args


def read(
    data_dir: str, split: Optional[str], labels: Sequence[str], line_format: LineFormat
) -> tuple[str, list[Example]]:
    """(split, its examples): the one that was asked for, else test.txt where it is there and labelled, else dev.txt."""
    from prompt_kit.data.dataset import read_examples

    for name in (split,) if split else ("test", "dev"):
        path = os.path.join(data_dir, f"{name}.txt")
        if name == "test" and not split and not os.path.exists(path):
            continue
        examples = read_examples(path, labels, name != "test", line_format)
        if all(one.label is not None for one in examples):
            return name, examples
        if split:
            break
    raise DataError(
        f"{path}: no labels, expected text<TAB>label; a report compares with labels: label it, or --split dev"
    )


def evaluate(predictor: Predictor, split: str, examples: Sequence[Example], num_explained: int) -> Evaluation:
    """The model's answers, how many texts are cut, and why the most confident wrong ones are wrong.

    A text with several labels may lack one, for which nothing speaks: of such no character is marked.
    """
    from prompt_kit.report.evaluation import Evaluation

    cut = [
        any(read.is_cut for one in reads for read in one)
        for reads in zip(*(model.prompt_tokenizer.what_is_read(examples) for model in predictor.models))
    ]
    probabilities, task = predictor.probabilities(examples), predictor.decision
    evaluation = Evaluation(split, predictor.labels, examples, probabilities, sum(cut), task=task)
    explanations: dict[int, Explanation] = evaluation.explanations
    cases = [] if task.several else evaluation.cases[:num_explained]
    found = predictor.explain_stream([examples[case.row] for case in cases])
    explanations.update({case.row: one for case, one in zip(cases, found)})
    evaluation.neighbours.update({row: one.nearest for row, one in explanations.items() if one.nearest})
    return evaluation


def facts_of(predictor: Predictor) -> dict[str, str]:
    """What an exported folder says of its model, or of the models of an ensemble."""
    configs = [model.config for model in predictor.models]
    columns = {
        "model": [config.base_model for config in configs],
        "template": [str(config.template) for config in configs],
        "mode": [config.mode for config in configs],
    }
    return {name: "; ".join(dict.fromkeys(values)) for name, values in columns.items()}
