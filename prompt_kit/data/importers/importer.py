"""An export -> the files of a data folder: read, vote, divide. The command and its flags are in prompt_kit/cli/import_data.py."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Callable, Optional

from prompt_kit.data.dataset import Example
from prompt_kit.data.importers.doccano import SUFFIXES as DOCCANO_SUFFIXES
from prompt_kit.data.importers.doccano import read_doccano, read_label_names
from prompt_kit.data.importers.label_studio import SUFFIXES as LABEL_STUDIO_SUFFIXES
from prompt_kit.data.importers.label_studio import read_label_studio
from prompt_kit.data.importers.plain_table import CSV_SUFFIXES, EXCEL_SUFFIXES, read_csv, read_excel
from prompt_kit.data.importers.records import Record
from prompt_kit.data.importers.sources import decode, open_sources
from prompt_kit.data.importers.split import NAMES, stratified
from prompt_kit.data.importers.tables import listed
from prompt_kit.data.importers.votes import Decided, decide
from prompt_kit.data.line_format import has_comma, label_text, labels_of, split_labels
from prompt_kit.data.lines import read_lines
from prompt_kit.errors import ConfigError, DataError, VerbalizerError, shown
from prompt_kit.prompt.task import MULTI_CLASS, MULTI_LABEL
from prompt_kit.prompt.verbalizer import Verbalizer

FORMATS = ("doccano", "label-studio", "csv", "excel")
_SUFFIXES = {
    "doccano": DOCCANO_SUFFIXES,
    "label-studio": LABEL_STUDIO_SUFFIXES,
    "csv": CSV_SUFFIXES,
    "excel": EXCEL_SUFFIXES,
}


@dataclass(frozen=True)
class Settings:
    """How an export is read and divided.

    text_pair_column  of the second texts, where a record has two
    shares       of train, dev and test, summing to 1; fewer than three leave out the last files
    label_file   a label.txt to keep: its order, its words, and no label beyond it; None makes one from the labels found
    label_names  id -> name, for doccano's exports of ids
    delimiter, quotes, has_header, sheet  are of tables (CSV, Excel)
    task_type    MULTI_CLASS, or MULTI_LABEL: several of a text, which in a table's cell have commas between
    """

    text_column: Optional[str] = None
    label_column: Optional[str] = None
    text_pair_column: Optional[str] = None
    encoding: Optional[str] = None
    shares: Sequence[float] = (0.8, 0.1, 0.1)
    seed: int = 0
    label_file: Optional[str] = None
    label_config: Optional[str] = None
    delimiter: Optional[str] = None
    quotes: bool = True
    has_header: bool = True
    sheet: Optional[str] = None
    task_type: str = MULTI_CLASS


@dataclass
class Imported:
    """files: name -> lines, as a data folder has them; notes: what the import decided, left out or changed."""

    files: dict[str, list[str]]
    notes: list[str] = field(default_factory=list)


def import_data(kind: str, paths: Sequence[str], settings: Settings) -> Imported:
    """Read the exports at `paths`, all of one kind (FORMATS), and divide their texts.

    Raises DataError with file:line for what cannot be read, ConfigError for settings that do not fit the files.
    """
    if kind not in FORMATS:
        raise ConfigError(f"unknown format {kind!r}, expected one of {', '.join(FORMATS)}")
    notes: list[str] = []
    first: dict[str, str] = {}  # label -> where it was met, for messages
    several = settings.task_type == MULTI_LABEL
    records = _records(kind, paths, settings, notes)
    if several and kind in ("csv", "excel"):
        records = (replace(one, votes=split_labels(",".join(one.votes))) for one in records)
    decided = decide(_remembered(records, first), several)
    notes += decided.counts.notes()
    if not decided.examples:
        raise DataError(
            f"{', '.join(paths)}: no labelled text ({'; '.join(notes) or 'no label in any record'}); label some, or name "
            "the column with --label_column"
        )
    label_lines = _label_lines(decided, settings.label_file, first)
    return Imported({"label.txt": label_lines, **_divided(decided, settings, notes)}, notes)


def _records(kind: str, paths: Sequence[str], settings: Settings, notes: list[str]) -> Iterator[Record]:
    read = _reader(kind, settings)
    for source in open_sources(paths, _SUFFIXES[kind]):
        if kind == "excel":
            yield from read_excel(
                source, settings.text_column, settings.label_column, settings.sheet, settings.has_header,
                settings.text_pair_column,
            )  # fmt: skip
            continue
        text, encoding = decode(source, settings.encoding)
        if encoding != "utf-8" and settings.encoding is None:
            notes.append(f"{source.name} read as {encoding.upper()}")
        yield from read(source.name, text)


def _reader(kind: str, settings: Settings) -> Callable[[str, str], Iterator[Record]]:
    text_column, label_column, pair_column = settings.text_column, settings.label_column, settings.text_pair_column
    if kind == "doccano":
        names: Optional[Mapping[int, str]] = None
        if settings.label_config is not None:
            (source,) = open_sources([settings.label_config], (".json",))
            names = read_label_names(source)
        return lambda name, text: read_doccano(name, text, text_column, label_column, names, pair_column)
    if kind == "label-studio":
        return lambda name, text: read_label_studio(name, text, text_column, label_column, pair_column)
    return lambda name, text: read_csv(
        name, text, text_column, label_column, settings.delimiter, settings.has_header, settings.quotes, pair_column
    )


def _remembered(records: Iterator[Record], first: dict[str, str]) -> Iterator[Record]:
    for record in records:
        for label in record.votes:
            first.setdefault(" ".join(label.split()), record.where)
        yield record


def _label_lines(decided: Decided, label_file: Optional[str], first: Mapping[str, str]) -> list[str]:
    """The lines of label.txt: those of `label_file`, or the labels in the order in which their texts come."""
    found = list(dict.fromkeys(label for example in decided.examples for label in labels_of(example.label)))

    def where(label: str) -> str:
        return first.get(" ".join(label.split()), "label")

    if label_file is not None:
        known = Verbalizer.from_file(label_file).labels
        for label in found:
            if label not in known:
                raise DataError(
                    f"{where(label)}: label {shown(label)} is not in {label_file}; add it there, or mend the export"
                )
        return [line for _, line in read_lines(label_file)]
    for label in found:
        if has_comma(label) and any(not isinstance(example.label, str) for example in decided.examples):
            raise DataError(
                f"{where(label)}: label {shown(label)} holds a comma, which separates the labels of a text; rename it"
            )
        if "==" in label:
            raise DataError(
                f"{where(label)}: label {shown(label)} holds '==', which label.txt puts before words; rename it"
            )
    try:
        Verbalizer.from_lines(found)
    except VerbalizerError as problem:
        raise DataError(f"the labels found ({listed(found, 8)}) make no label.txt: {problem}") from None
    return found


def _divided(decided: Decided, settings: Settings, notes: list[str]) -> dict[str, list[str]]:
    examples = decided.examples
    counts = Counter(label for example in examples for label in labels_of(example.label))
    # of several labels the rarest decides: so each label has its share of the files, as far as that goes
    strata = [min(labels_of(example.label), key=lambda label: (counts[label], label)) for example in examples]
    parts = stratified(strata, settings.shares, settings.seed)
    files = {}
    for name, share, places in zip(NAMES, settings.shares, parts):
        if places:
            files[f"{name}.txt"] = [_line(examples[place]) for place in places]
        elif share:
            notes.append(f"no {name}.txt: {share:.3g} of {len(examples)} texts is none")
    if decided.unlabelled:
        files["data.txt"] = [one if isinstance(one, str) else _line(one) for one in decided.unlabelled]
    return files


def _line(example: Example) -> str:
    """The line of a data file: the text or the two texts, and behind them the label where there is one."""
    label = None if example.label is None else label_text(example.label)
    return "\t".join(one for one in (example.text_a, example.text_b, label) if one is not None)


def label_hint(lines: Sequence[str], output_dir: str) -> str:
    """What to do with label.txt next, where its labels stand for themselves and look like codes; else ''."""
    bare = [line for line in lines if "==" not in line and line.isascii()]
    if not bare:
        return ""
    return (
        f"the label words are the labels themselves: in {os.path.join(output_dir, 'label.txt')} give {bare[0]!r} and the like "
        "words that a sentence would have, as in news_car==汽车"
    )
