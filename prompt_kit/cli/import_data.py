"""Turn exports of annotation tools, and plain tables, into the folder that `train.py --data_dir` reads."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from prompt_kit.cli.parser import ArgumentParser, note
from prompt_kit.data.importers import fewclue
from prompt_kit.data.importers.folder import check_folder, write_folder
from prompt_kit.data.importers.importer import Settings, import_data, label_hint
from prompt_kit.data.importers.split import parse_split
from prompt_kit.disk import check_place
from prompt_kit.prompt.task import MULTI_CLASS, MULTI_LABEL

HELP = {
    "doccano": "doccano: .jsonl, .json, .csv, or the .zip as it is downloaded",
    "label-studio": "Label Studio: JSON, JSON-MIN, CSV or TSV of a project with Choices",
    "csv": "a table with a column of texts and one of labels: CSV, TSV",
    "excel": 'a sheet of an .xlsx workbook (pip install ".[excel]")',
    "fewclue": "FewCLUE's tnews, bustm or ocnli, in FewCLUE's own division",
}

EXAMPLES = """\
examples:
  prompt-kit import doccano export.zip --output_dir data/mine
  prompt-kit import label-studio project-1.json --output_dir data/mine --split 0.7/0.3
  prompt-kit import csv reviews.csv --text_column 评论 --label_column 情感 --output_dir data/mine
  prompt-kit import excel reviews.xlsx --output_dir data/mine --label_file data/old/label.txt --overwrite
  prompt-kit import doccano export.zip --output_dir data/elements --task_type multi-label
  prompt-kit import csv pairs.csv --text_pair_column sentence2 --output_dir data/pairs
  prompt-kit import fewclue FewCLUE/datasets/tnews --output_dir data/fewclue_tnews
"""


def main(argv: Optional[Sequence[str]] = None, prog: str = "prompt-kit import") -> None:
    args = parse(argv, prog)
    check_place("--output_dir", args.output_dir)
    output = Path(args.output_dir)
    check_folder(output.resolve(), args.overwrite)
    if args.format == "fewclue":
        files, notes = fewclue.convert(Path(args.source[0]), args.fewclue_split), []
    else:
        imported = import_data(args.format, args.source, settings(args))
        files, notes = imported.files, imported.notes
    write_folder(output, files, args.overwrite)
    counts = ", ".join(f"{name} {len(lines)}" for name, lines in files.items())
    print(f"{args.output_dir}: {counts} (lines)")
    hint = label_hint(files["label.txt"], args.output_dir)
    for line in filter(None, ["; ".join(notes), hint]):
        note(prog, line)


def settings(args: argparse.Namespace) -> Settings:
    """The flags that the format has; the others keep their defaults."""
    names = Settings.__dataclass_fields__
    given = {name: value for name, value in vars(args).items() if name in names}
    return Settings(**given, shares=parse_split(args.split))


def build_parser(prog: str = "prompt-kit import") -> ArgumentParser:
    parser = ArgumentParser(
        prog=prog,
        usage=f"{prog} FORMAT SOURCE [SOURCE ...] --output_dir FOLDER [flags]",
        description=__doc__,
        epilog=f"{prog} FORMAT --help shows the flags of a format.\n\n{EXAMPLES}",
    )
    formats = parser.add_subparsers(dest="format", metavar="FORMAT", required=True, title="formats", prog=prog)
    for name, text in HELP.items():
        one = formats.add_parser(name, help=text, description=text)
        add = one.add_argument
        sources = "+" if name != "fewclue" else 1
        add("source", metavar="SOURCE", nargs=sources, help="files, folders of files, or a .zip; their votes are added up"
            if name != "fewclue" else "the folder of a task in a clone of FewCLUE, as datasets/tnews")  # fmt: skip
        add("--output_dir", required=True, metavar="FOLDER", help="folder to write; made if it is not there")
        add("--overwrite", action="store_true", help="replace an earlier import in output_dir")
        if name == "fewclue":
            add("--fewclue_split", choices=fewclue.SPLITS, default="0",
                help="which train_SPLIT.json and dev_SPLIT.json (default: %(default)s)")  # fmt: skip
            continue
        add("--split", default="0.8/0.1/0.1", metavar="TRAIN/DEV/TEST",
            help="shares of the texts, the same for every label; 0.8/0.2 writes no test.txt (default: %(default)s)")  # fmt: skip
        add("--seed", type=int, default=0, metavar="N", help="which texts go where (default: 0)")
        add("--text_column", metavar="NAME", help="column or key of the texts, where it cannot be told")
        add("--text_pair_column", metavar="NAME",
            help="column or key of second texts: each row is a pair of texts, for train.py --text_pairs")  # fmt: skip
        add("--label_column", metavar="NAME", help="column, key or question of the labels, where it cannot be told")
        add("--task_type", choices=[MULTI_CLASS, MULTI_LABEL], default=MULTI_CLASS,
            help="multi-label: a text keeps every label that most of its annotators gave it (default: %(default)s)")  # fmt: skip
        add("--label_file", metavar="PATH", help="a label.txt to keep: its words, its order, and no other label")
        if name != "excel":
            add("--encoding", metavar="NAME", help="instead of telling UTF-8, UTF-16 and GB18030 apart by the bytes")
        if name == "doccano":
            add("--label_config", metavar="PATH", help="doccano's label list, for exports that name labels by number")
        if name == "csv":
            add("--delimiter", metavar="C", help="what separates columns (default: tab, comma or semicolon, as is)")
            add("--no_quotes", dest="quotes", action="store_false", help='a " is part of the text and quotes nothing')
        if name == "excel":
            add("--sheet", metavar="NAME", help="which sheet (default: the first)")
        if name in ("csv", "excel"):
            add("--no_header", dest="has_header", action="store_false",
                help="the first line is data; columns have numbers: --text_column 1 --label_column 2")  # fmt: skip
    return parser


def parse(argv: Optional[Sequence[str]], prog: str = "prompt-kit import") -> argparse.Namespace:
    return build_parser(prog).parse_args(argv)
