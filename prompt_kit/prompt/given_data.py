"""What a person gives in Python to train a classifier -> Examples: columns in memory, or files as train.py reads them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from prompt_kit.data.columns import check_lengths, read_label_column, read_pair_column, read_text_column
from prompt_kit.data.dataset import AText, Example, read_dataset, read_examples, read_texts
from prompt_kit.data.line_format import Label, LineFormat
from prompt_kit.errors import DataError
from prompt_kit.prompt.classes import Classes
from prompt_kit.prompt.label_sets import read_label_sets
from prompt_kit.prompt.task import Task


@dataclass(frozen=True)
class GivenData:
    """Reads texts with their labels, or texts alone.

    labels  as `Classes.from_labels` takes them; None: those that occur
    task    what kind of answer a text has
    pairs   whether two texts are classified together

    Raises DataError for columns of unequal lengths, empty, or of other things than texts and labels.
    """

    labels: Any
    task: Task
    pairs: bool

    @property
    def line_format(self) -> LineFormat:
        return self.task.line_format(self.pairs)

    def texts(self, X: Any, name: str = "texts") -> list[AText]:
        """Texts, or pairs of them as Examples."""
        if not self.pairs:
            return list(read_text_column(X, name))
        return [Example(text, text_b=other) for text, other in read_pair_column(X, name)]

    def columns(self, X: Any, y: Any) -> tuple[Classes, list[Example]]:
        """Texts and their labels, and what labels there are."""
        texts = self.texts(X)
        names: Sequence[Label]
        if self.task.several:
            classes = None if self.labels is None else Classes.from_labels(self.labels)
            classes, names = read_label_sets(y, classes)
        else:
            labels = read_label_column(y)
            check_lengths(texts, labels)
            classes = Classes.from_examples(labels) if self.labels is None else Classes.from_labels(self.labels)
            names = classes.names_of(labels)
        check_lengths(texts, names)
        return classes, examples_of(texts, names)

    def folder(
        self, folder: Path, starts_well: bool, calibrates: bool
    ) -> tuple[Classes, Optional[list[Example]], Optional[list[Example]], Optional[Sequence[AText]]]:
        """(classes, train, dev, unlabelled texts) of a data folder, each None where it is not there or not needed.

        Args:
            starts_well: a model that does so without train.txt, if there is a data.txt.
            calibrates: on data.txt, if it is there.
        """
        if not folder.is_dir():
            raise DataError(
                f"{folder}: no such folder ({folder.absolute()}); fit takes a folder with train.txt, or texts and labels"
            )
        classes = Classes.from_labels(folder if self.labels is None else self.labels)
        only_texts = starts_well and not (folder / "train.txt").exists() and (folder / "data.txt").exists()
        splits = [*([] if only_texts else ["train"]), "dev", *(["data"] if starts_well or calibrates else [])]
        data = read_dataset(folder, classes.verbalizer, splits, ("dev", "data"), self.line_format)
        return classes, data.train, data.dev, data.unlabelled

    def labelled(self, data: Any, classes: Classes, name: str) -> list[Example]:
        """(texts, labels), or the path of a file of them."""
        if isinstance(data, (str, os.PathLike)):
            return read_examples(data, classes.verbalizer.labels, True, self.line_format)
        if not isinstance(data, Sequence) or len(data) != 2:
            raise DataError(f"{name}: expected a pair (texts, labels), or the path of a labelled file")
        texts = self.texts(data[0], f"{name} texts")
        names: Sequence[Label]
        if self.task.several:
            _, names = read_label_sets(data[1], classes, f"{name} labels")
        else:
            names = classes.names_of(read_label_column(data[1], f"{name} labels"), f"{name} labels")
        check_lengths(texts, names, (f"{name} texts", f"{name} labels"))
        return examples_of(texts, names)

    def unlabelled(self, data: Any, classes: Classes) -> Sequence[AText]:
        """Texts, or the path of a file of them."""
        if isinstance(data, (str, os.PathLike)):
            return read_texts(data, classes.verbalizer.labels, self.line_format)
        return self.texts(data, "unlabeled_data")


def examples_of(texts: Sequence[AText], names: Optional[Sequence[Label]] = None) -> list[Example]:
    """Texts with their labels, or without."""
    whole = [text if isinstance(text, Example) else Example(text) for text in texts]
    if names is None:
        return whole
    return [Example(one.text_a, name, one.text_b) for one, name in zip(whole, names)]
