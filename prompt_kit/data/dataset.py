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
from prompt_kit.data.line_format import TEXT_AND_LABEL, Label, LineFormat, labels_of
from prompt_kit.data.lines import PathLike, number_lines, read_lines
from prompt_kit.data.pairs import iter_pairs, read_labelled_pairs
from prompt_kit.data.texts import is_empty
from prompt_kit.errors import ConfigError, DataError, shown

if TYPE_CHECKING:
    from prompt_kit.prompt.verbalizer import Verbalizer

logger = logging.getLogger(__name__)

SPLITS = ("train", "dev", "test", "data")
OPTIONAL_SPLITS = ("test", "data")


@dataclass(frozen=True)
class Example:
    """One line of a data file; see LineFormat for what fills `text_b`, and for when a label is a tuple of them."""

    text_a: str
    label: Optional[Label] = None
    text_b: Optional[str] = None

    @property
    def gold(self) -> str:
        """The label, where there must be one; ValueError where there is none, or where there may be several."""
        if not isinstance(self.label, str):
            raise ValueError(f"not one label: {self.text_a!r}")
        return self.label


AText = Union[str, Example]  # a text without a label; of two, an Example


@dataclass(frozen=True)
class Dataset:
    """The files of one folder that were asked for; None for the others and for optional ones that are not there."""

    folder: Path
    train: Optional[list[Example]] = None
    dev: Optional[list[Example]] = None
    test: Optional[list[Example]] = None
    unlabelled: Optional[Sequence[AText]] = None
    to_pseudo_label: Optional[list[str]] = None  # the texts of self-training, from a file of their own
    files: tuple[Path, ...] = ()  # what was read, for `fingerprint`


def read_examples(
    path: PathLike,
    labels: Optional[Sequence[str]],
    require_labels: bool = False,
    line_format: LineFormat = TEXT_AND_LABEL,
) -> list[Example]:
    """Read a file whose lines are all labelled or all unlabelled.

    With `labels`, a file counts as labelled when a line ends with a tab and a known label, or when most lines have a
    tab; one that has its labels in another layout is an error. `labels=None` takes every line as text, tabs included.
    `require_labels` is for train.txt and dev.txt.
    Raises DataError with file:line for a missing tab, an unknown label, an empty text, mixed lines, and what
    `unlabelled` raises for a file of texts alone.
    """
    name = os.fspath(path)
    if line_format.pairs:
        pairs = read_labelled_pairs(read_lines(path), name, labels or (), require_labels, line_format)
        return [Example(text_a, label, text_b) for text_a, text_b, label in pairs]
    rows = [(number, line, *_split(line)) for number, line in read_lines(path)]
    if labels is None:
        return [Example(line.strip()) for _, line, _, _ in rows]

    known = set(labels)
    labelled = [number for number, _, _, label in rows if label is not None and line_format.is_label(label, known)]
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
        found = line_format.read_label(label or "")
        wrong = line_format.unknown(found, known)
        if wrong is not None:
            raise DataError(
                f"{name}:{number}: {wrong_label(text or '', wrong, labels, known, number, line_format.several)}"
            )
        if is_empty(text or ""):
            raise DataError(
                f"{name}:{number}: empty text before the tab, expected text<TAB>label; got label {shown(label)}"
            )
    return [Example(text or "", line_format.read_label(label or "")) for _, _, text, label in rows]


def read_texts(path: PathLike, labels: Iterable[str] = (), line_format: LineFormat = TEXT_AND_LABEL) -> Sequence[AText]:
    """Read unlabelled texts, one a line (data.txt), or two with a tab between.

    Of one, a tab is part of the text, but no label of `labels` may follow it.
    """
    return list(texts_of(read_lines(path), os.fspath(path), labels, line_format.pairs))


def iter_texts(
    stream: Union[BinaryIO, TextIO], name: str = "<stdin>", labels: Iterable[str] = (), pairs: bool = False
) -> Iterator[AText]:
    """The same of an open stream as they arrive, in constant memory. DataErrors name `name` and the line."""
    return texts_of(number_lines(stream, name), name, labels, pairs)


def texts_of(
    lines: Iterable[tuple[int, str]], name: str, labels: Iterable[str], pairs: bool = False
) -> Iterator[AText]:
    """The texts of numbered lines, see `unlabelled`, or the pairs of texts in them."""
    if not pairs:
        yield from unlabelled(lines, name, labels)
        return
    for text_a, text_b in iter_pairs(lines, name, labels):
        yield Example(text_a, text_b=text_b)


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
    line_format: LineFormat = TEXT_AND_LABEL,
) -> Dataset:
    """Read the files of a data folder: `from prompt_kit.data import read_dataset`.

    A train.txt that lacks a class only logs a warning: the label words still let the model predict that class.

    Args:
        folder: with a file `{split}.txt` for each split, in UTF-8: `text<TAB>label` a line, in data.txt a text alone.
        verbalizer: of label.txt, whose labels the lines must have.
        splits: of "train", "dev", "test" and "data"; no other file is read.
        optional: those of which the file may be absent.

    Returns:
        A Dataset: `train`, `dev` and `test` are lists of Examples (`text_a`, `label`), `unlabelled` the texts of data.txt;
        None for a split that was not read. The labels of test.txt are None where it has none.

    Raises:
        DataError: no such folder or file, or a mistake in a line, with file:line and what to do.
        ConfigError: an unknown split.
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
            read["unlabelled"] = read_texts(path, verbalizer.labels, line_format)
        else:
            read[split] = read_examples(path, verbalizer.labels, split != "test", line_format)
    if "train" in read:
        present = {label for example in read["train"] for label in labels_of(example.label)}
        absent = [label for label in verbalizer.labels if label not in present]
        if absent:
            logger.warning("%s: no example of %d label(s): %s", root / "train.txt", len(absent), list_names(absent))
    return Dataset(folder=root, files=tuple(files), **read)


def sample_few_shot(
    examples: Sequence[Example], shots: int, seed: int, labels: Optional[Sequence[str]] = None
) -> list[Example]:
    """Take `shots` examples of every class, in file order. `labels` also demands the classes that have no example.

    An example with several labels is among those of each of them, and is taken once.

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
        for label in labels_of(example.label):
            places.setdefault(label, []).append(place)
    short = [f"{label} ({len(found)})" for label, found in places.items() if len(found) < shots]
    if short:
        raise DataError(f"{shots} shots a class were asked for, but too few for {list_names(short)}; use fewer shots")
    kept = []
    for label, found in places.items():
        # Only random() is promised to give the same numbers in every Python version; random.sample is not.
        draw = random.Random(f"{seed}/{label}")
        order = {place: draw.random() for place in found}
        kept += sorted(found, key=order.__getitem__)[:shots]
    return [examples[place] for place in sorted(set(kept))]


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
