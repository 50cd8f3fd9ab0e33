"""`prompt-kit predict --input_file`: a table in, the same table with predictions out, its other columns as they were."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable

from prompt_kit.cli.predict_lines import labels_to_show, neighbours
from prompt_kit.errors import ConfigError

if TYPE_CHECKING:
    from prompt_kit.inference.predictor import Prediction, Predictor

LABEL, SCORE, TOP, NEAREST = "predicted_label", "predicted_score", "predicted_top", "predicted_nearest"

FLAGS = ("text_column", "text_pair_column", "encoding")  # which say how --input_file is read


def add_flags(add: Callable[..., Any]) -> None:
    """The flags of tables, for the parser of prompt_kit.cli.predict."""
    add("--input_file", metavar="PATH",
        help="label the rows of a CSV, TSV or JSON lines file and keep its other columns")  # fmt: skip
    add("--text_column", metavar="NAME", help="the column of the texts in --input_file, where it cannot be told")
    add("--text_pair_column", metavar="NAME",
        help="the column of the second texts, for a model that reads two")  # fmt: skip
    add("--encoding", metavar="NAME", help="of --input_file, instead of telling UTF-8, UTF-16 and GB18030 apart")


def run(args: argparse.Namespace, load: Callable[[argparse.Namespace], Predictor]) -> None:
    """Label the rows of --input_file; write --output_file whole, or print the table."""
    from prompt_kit.atomic import replace_file
    from prompt_kit.disk import writing_to
    from prompt_kit.inference.call_arguments import check_number
    from prompt_kit.inference.table_file import check_new_columns, format_of, read_table_file, write_rows

    check(args)
    asked = format_of(args.output_file) if args.output_file is not None else None
    if asked is not None and args.output_format not in ("label", asked):
        raise ConfigError(
            f"--output_format {args.output_format} contradicts --output_file {args.output_file}, whose name says {asked}; drop "
            "--output_format, or give another name"
        )
    predictor = load(args)
    labels_to_show(args, predictor)
    if args.text_pair_column is not None and not predictor.reads_pairs:
        raise ConfigError(
            f"--text_pair_column {args.text_pair_column} is for models that read two texts, and this one reads one; drop it"
        )
    table = read_table_file(
        args.input_file, args.text_column, args.encoding, args.text_pair_column, predictor.reads_pairs
    )
    format_ = asked or shown_format(args, table.format)
    if check_number("nearest", args.nearest, 0) and format_ != "jsonl":
        raise ConfigError(
            f"--nearest {args.nearest} has no place in a {format_} table; write JSON lines: --output_file NAME.jsonl"
        )
    new = new_columns(format_, args.top_k, args.nearest)
    check_new_columns(table, new, args.input_file)
    texts = table.texts()  # all of them, so that a mistake in the last row costs no time
    predictions = predictor.predict_stream(texts, args.batch_size, args.top_k, args.nearest)
    rows = labelled((row for _, row in table.rows), predictions, format_, predictor.decision.several)
    header = (*table.header, *new)
    if args.output_file is None:
        write_rows(sys.stdout, format_, header, rows)
        return
    with (
        writing_to("--output_file", args.output_file),
        replace_file(args.output_file) as staging,
        open(staging, "w", encoding="utf-8", errors="replace", newline="") as stream,
    ):
        write_rows(stream, format_, header, rows)


def check(args: argparse.Namespace) -> None:
    """Refuse flags that contradict --input_file."""
    for name, given in (
        ("--text", args.text is not None),
        ("--text_pair", args.text_pair is not None),
        ("--data_dir", args.data_dir is not None),
    ):
        if given:
            raise ConfigError(f"{name} and --input_file are both given; give one of them")
    if not args.input_file:
        raise ConfigError("--input_file is given, but empty (a variable without a value?); give a path")
    if args.only_support and args.support_file is None:
        raise ConfigError("--only_support needs --support_file, the examples to classify by; add it")
    if args.resume:
        raise ConfigError("--resume is for lines of text: a table is written whole, or not at all")
    if args.output_file is not None and os.path.exists(args.output_file):
        if os.path.exists(args.input_file) and os.path.samefile(args.output_file, args.input_file):
            raise ConfigError(f"--output_file {args.output_file} is the file that is read; give another")
        if not args.overwrite:
            raise ConfigError(f"--output_file {args.output_file} is there already; give another, or --overwrite")


def shown_format(args: argparse.Namespace, read: str) -> str:
    """What is printed without --output_file: --output_format, else what was read."""
    return args.output_format if args.output_format in ("tsv", "jsonl") else read


def new_columns(format_: str, top_k: int, nearest: int = 0) -> list[str]:
    """predicted_label and predicted_score, with a number from the second best on; in JSON lines the best in one list, and
    the nearest training texts in another."""
    if format_ == "jsonl":
        return [LABEL, SCORE, *([TOP] if top_k > 1 else []), *([NEAREST] if nearest else [])]
    ranks = ["", *(f"_{rank}" for rank in range(2, top_k + 1))]
    return [name + rank for rank in ranks for name in (LABEL, SCORE)]


def labelled(
    rows: Iterable[Mapping[str, Any]], predictions: Iterable[Prediction], format_: str, several: bool = False
) -> Iterator[dict[str, Any]]:
    """Each row with what was predicted for it behind its own columns."""
    for row, prediction in zip(rows, predictions):
        new = added_of_several(prediction, format_) if several else added(prediction.top, format_)
        near = {NEAREST: neighbours(prediction)} if prediction.nearest else {}
        yield {**row, **new, **near}


def added_of_several(prediction: Prediction, format_: str) -> dict[str, Any]:
    """The new columns where a text may have several labels: lists in JSON lines, else with commas between."""
    if format_ == "jsonl":
        return {
            LABEL: [label for label, _ in prediction.labels],
            SCORE: [round(score, 6) for _, score in prediction.labels],
        }
    return {LABEL: prediction.label, SCORE: ",".join(f"{score:.6f}" for _, score in prediction.labels)}


def added(top: Sequence[tuple[str, float]], format_: str) -> dict[str, Any]:
    """The new columns of a row, probabilities with six digits."""
    if format_ != "jsonl":
        names = new_columns(format_, len(top))
        return dict(zip(names, (value for label, score in top for value in (label, f"{score:.6f}"))))
    new: dict[str, Any] = {LABEL: top[0][0], SCORE: round(top[0][1], 6)}
    if len(top) > 1:
        new[TOP] = [{"label": label, "score": round(score, 6)} for label, score in top]
    return new
