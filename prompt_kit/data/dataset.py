"""train.txt, dev.txt, test.txt and data.txt -> Examples, checked against the labels of label.txt.

A labelled line is `text<TAB>label`; a further column is an error, since nobody knows what it is.
A file is labelled or it is not: mixed is an error, because a forgotten label must not become part of a headline.
"""

from __future__ import annotations

import hashlib
import logging
import os
import random
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Optional, TextIO, Union

from prompt_kit.data.encoding import command
from prompt_kit.data.layout import labelled_otherwise, list_names, no_tab, not_a_text, too_many_columns, wrong_label
from prompt_kit.data.lines import PathLike, number_lines, read_lines
from prompt_kit.data.texts import is_empty
from prompt_kit.errors import ConfigError, DataError, shown

if TYPE_CHECKING:
    from prompt_kit.prompt.verbalizer import Verbalizer

logger = logging.getLogger(__name__)

SPLITS = ("train", "dev", "test", "data")
OPTIONAL_SPLITS = ("test", "data")


@dataclass(frozen=True)
class Example:
    """One line of a data file. `text_b` is for templates over two texts; the line format fills `text_a` only."""

    text_a: str
    label: Optional[str] = None
    text_b: Optional[str] = None

    @property
    def gold(self) -> str:
        """The label, where there must be one; ValueError where there is none."""
        if self.label is None:
            raise ValueError(f"no label: {self.text_a!r}")
        return self.label


@dataclass(frozen=True)
class Dataset:
    """The files of one folder that were asked for; None for the others and for optional ones that are not there."""

    folder: Path
    train: Optional[list[Example]] = None
    dev: Optional[list[Example]] = None
    test: Optional[list[Example]] = None
    unlabelled: Optional[list[str]] = None
    to_pseudo_label: Optional[list[str]] = None  # the texts of self-training, from a file of their own
    files: tuple[Path, ...] = ()  # what was read, for `fingerprint`


def read_examples(path: PathLike, labels: Optional[Sequence[str]], require_labels: bool = False) -> list[Example]:
    """Read a file whose lines are all labelled or all unlabelled.

    With `labels`, a file counts as labelled when a line ends with a tab and a known label, or when most lines have a
    tab; one that has its labels in another layout is an error. `labels=None` takes every line as text, tabs included.
    `require_labels` is for train.txt and dev.txt.
    Raises DataError with file:line for a missing tab, an unknown label, an empty text, mixed lines, and what
    `unlabelled` raises for a file of texts alone.
    """
    name = os.fspath(path)
    rows = [(number, line, *_split(line)) for number, line in read_lines(path)]
    if labels is None:
        return [Example(line.strip()) for _, line, _, _ in rows]

    known = set(labels)
    labelled = [number for number, _, _, label in rows if label in known]
    bare = [(number, line) for number, line, _, label in rows if label is None]
    if not require_labels and not labelled and 2 * len(bare) >= len(rows):  # a tab here and there is part of the text
        place = labelled_otherwise((line for _, line, _, _ in rows), known)
        if place is not None:
            number, line = rows[place][:2]
            raise DataError(f"{name}:{number}: {no_tab(line, known)}")
        return [Example(text) for text in unlabelled(((number, line) for number, line, _, _ in rows), name, labels)]
    if bare:
        number, line = bare[0]
        if require_labels:
            raise DataError(f"{name}:{number}: {no_tab(line, known)}")
        other = labelled[0] if labelled else next(number for number, _, _, label in rows if label is not None)
        raise DataError(
            f"{name}:{number}: no label, but line {other} has one; label every line (text<TAB>label) or none of them"
        )
    for number, line, text, label in rows:
        if "\t" in (text or ""):
            raise DataError(f"{name}:{number}: {too_many_columns(line)}")
        if label not in known:
            raise DataError(f"{name}:{number}: {wrong_label(text or '', label or '', labels, known, number)}")
        if is_empty(text or ""):
            raise DataError(
                f"{name}:{number}: empty text before the tab, expected text<TAB>label; got label {shown(label)}"
            )
    return [Example(text or "", label) for _, _, text, label in rows]


def read_texts(path: PathLike, labels: Iterable[str] = ()) -> list[str]:
    """Read unlabelled texts, one a line (data.txt). A tab is part of the text, but no label of `labels` may follow it."""
    return list(unlabelled(read_lines(path), os.fspath(path), labels))


def iter_texts(stream: Union[BinaryIO, TextIO], name: str = "<stdin>", labels: Iterable[str] = ()) -> Iterator[str]:
    """The same of an open stream as they arrive, in constant memory. DataErrors name `name` and the line."""
    return unlabelled(number_lines(stream, name), name, labels)


def unlabelled(lines: Iterable[tuple[int, str]], name: str, labels: Iterable[str]) -> Iterator[str]:
    """The texts of numbered lines. DataError for a line that is no text alone: it would be answered, wrongly.

    That is a line with a label in a column of its own, a JSON object, and lines that are numbered in a first column.
    """
    known = set(labels)
    last = None  # the number before the tab of the line before
    for number, line in lines:
        if problem := not_a_text(line, known):
            raise DataError(f"{name}:{number}: {problem}{_cut_off(line, name, known)}")
        lead, tab, _ = line.partition("\t")
        count = int(lead) if tab and lead.isascii() and lead.isdigit() and len(lead) < 16 else None
        if count is not None and last is not None and count == last + 1:
            raise DataError(
                f"{name}:{number}: the lines are numbered ({last}, {count}), expected texts alone; cut the numbers off, for "
                f"example: {command('cut -f2-', name)}"
            )
        last = count
        yield line.strip()


def read_dataset(
    folder: PathLike,
    verbalizer: Verbalizer,
    splits: Sequence[str] = SPLITS,
    optional: Sequence[str] = OPTIONAL_SPLITS,
) -> Dataset:
    """Read the files of `folder` that `splits` names, and no others; one in `optional` may be absent (None).

    A train.txt that lacks a class only logs a warning: the label words still let the model predict that class.
    """
    unknown = [split for split in splits if split not in SPLITS]
    if unknown:
        raise ConfigError(f"unknown split {shown(unknown[0])}, expected some of {', '.join(SPLITS)}")
    root = Path(folder)
    if not os.path.isdir(root):
        found = "is a file" if os.path.exists(root) else "is not there"
        raise DataError(
            f"{os.fspath(folder)}: expected a folder with label.txt, train.txt and dev.txt, "
            f"but {root.absolute()} {found}"
        )
    read: dict[str, Any] = {}
    files = []
    for split in splits:
        path = root / f"{split}.txt"
        if split in optional and not os.path.lexists(path):
            continue
        files.append(path)
        if split == "data":
            read["unlabelled"] = read_texts(path, verbalizer.labels)
        else:
            read[split] = read_examples(path, verbalizer.labels, require_labels=split != "test")
    if "train" in read:
        present = {example.label for example in read["train"]}
        absent = [label for label in verbalizer.labels if label not in present]
        if absent:
            logger.warning("%s: no example of %d label(s): %s", root / "train.txt", len(absent), list_names(absent))
    return Dataset(folder=root, files=tuple(files), **read)


def sample_few_shot(
    examples: Sequence[Example], shots: int, seed: int, labels: Optional[Sequence[str]] = None
) -> list[Example]:
    """Take `shots` examples of every class, in file order. `labels` also demands the classes that have no example.

    Each class draws from its own random stream: a class keeps its sample when others change, and 4 shots are among the
    8 shots of the same seed, as a learning curve needs. Raises DataError naming the classes that have too few.
    """
    if shots < 1:
        raise ConfigError(f"shots must be at least 1, got {shots}")
    places: dict = {label: [] for label in labels or ()}
    for place, example in enumerate(examples):
        if example.label is None:
            raise DataError(
                f"example {place + 1} has no label ({shown(example.text_a)}); few-shot sampling needs labels"
            )
        places.setdefault(example.label, []).append(place)
    short = [f"{label} ({len(found)})" for label, found in places.items() if len(found) < shots]
    if short:
        raise DataError(f"{shots} shots a class were asked for, but too few for {list_names(short)}; use fewer shots")
    kept = []
    for label, found in places.items():
        # Only random() is promised to give the same numbers in every Python version; random.sample is not.
        draw = random.Random(f"{seed}/{label}")
        order = {place: draw.random() for place in found}
        kept += sorted(found, key=order.__getitem__)[:shots]
    return [examples[place] for place in sorted(kept)]


def fingerprint(paths: Iterable[PathLike]) -> str:
    """16 hex digits that change when a file's name or any byte changes, whatever folder they lie in and their order."""
    entries = []
    for path in paths:
        digest = hashlib.sha256()
        try:
            with open(path, "rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        except OSError as problem:
            raise DataError(
                f"{os.fspath(path)}: cannot be read ({problem.strerror}): {Path(path).absolute()}"
            ) from None
        entries.append(f"{digest.hexdigest()} {Path(path).name}\n")
    return hashlib.sha256("".join(sorted(entries)).encode("utf-8")).hexdigest()[:16]


def _split(line: str) -> tuple[Optional[str], Optional[str]]:
    """(text, label) at the last tab, or (None, None) without one."""
    text, tab, label = line.rpartition("\t")
    return (text.strip(), label.strip()) if tab else (None, None)


def _cut_off(line: str, name: str, known: Set[str]) -> str:
    """How to take the labels out of a file of columns; "" for a line without any."""
    columns = [column.strip() for column in line.split("\t")]
    if len(columns) < 2 or known.isdisjoint(columns):
        return ""
    if name.startswith("--"):
        return "; leave the label out"
    fields = "2-" if columns[0] in known else "1"
    return f"; cut the labels off, for example: {command(f'cut -f{fields}', name)}"
