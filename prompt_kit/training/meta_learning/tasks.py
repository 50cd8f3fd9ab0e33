"""Folders of labelled texts -> sources of episodes, whose labels are joined in one label.txt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prompt_kit.data.dataset import Example, read_dataset
from prompt_kit.errors import DataError
from prompt_kit.prompt.verbalizer import Verbalizer

LABELS, TRAIN = "label.txt", "train.txt"


@dataclass(frozen=True)
class Task:
    """The texts of one folder. Labels here are numbered as those of all folders together."""

    folder: Path
    examples: tuple[Example, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Tasks:
    """All folders, and the labels and label words of all of them in one."""

    verbalizer: Verbalizer
    parts: tuple[Task, ...]


def read_tasks(folders: Sequence[str], splits: Sequence[str] = ("train",)) -> Tasks:
    """Read data folders, and folders of data folders.

    A label keeps its name unless two folders have it: then each has its folder's name in front, `folder/label`.

    Raises DataError for a folder without label.txt of its own or in a folder in it, and for a mistake in a file.
    """
    found = [place for folder in folders for place in data_folders(Path(folder))]
    read = [(place, Verbalizer.from_file(place / LABELS)) for place in dict.fromkeys(found)]
    names = [label for _, verbalizer in read for label in verbalizer.labels]
    labels: list[str] = []
    words: list[tuple[str, ...]] = []
    parts = []
    for place, verbalizer in read:
        dataset = read_dataset(place, verbalizer, splits, optional=("dev", "test"))
        examples = tuple(one for split in splits for one in getattr(dataset, split) or () if one.label is not None)
        numbers = {label: len(labels) + number for number, label in enumerate(verbalizer.labels)}
        parts.append(Task(place, examples, tuple(numbers[str(one.label)] for one in examples)))
        labels += [label if names.count(label) == 1 else f"{place.name}/{label}" for label in verbalizer.labels]
        words += verbalizer.words
    if len(set(labels)) < len(labels):
        raise DataError(
            f"{', '.join(str(place) for place, _ in read)}: two folders of one name have a label of one name; rename a folder"
        )
    return Tasks(Verbalizer(tuple(labels), tuple(words)), tuple(parts))


def data_folders(folder: Path) -> list[Path]:
    """The folder itself if it has a label.txt, else those in it that have one, by name."""
    if (folder / LABELS).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{LABELS}")) if folder.is_dir() else []
    if not found:
        raise DataError(
            f"{folder}: expected a folder with {LABELS} and {TRAIN}, or with such folders in it ({folder.absolute()})"
        )
    return found


def without_labels_of(tasks: Tasks, other: Verbalizer) -> tuple[Tasks, list[str]]:
    """The tasks without the labels that `other` has, by name or by a word; and the names of what was left out."""
    known = {*other.labels, *(word for words in other.words for word in words)}
    pairs = list(zip(tasks.verbalizer.labels, tasks.verbalizer.words))
    left = {number for number, (label, words) in enumerate(pairs) if known & {label, *words}}
    parts = []
    for part in tasks.parts:
        kept = [(one, label) for one, label in zip(part.examples, part.labels) if label not in left]
        parts.append(Task(part.folder, tuple(one for one, _ in kept), tuple(label for _, label in kept)))
    return Tasks(tasks.verbalizer, tuple(parts)), [pairs[number][0] for number in sorted(left)]
