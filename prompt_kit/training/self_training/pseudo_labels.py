"""Which unlabelled texts may be pseudo-labelled, and which of a teacher's predictions become pseudo-labels."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_kit.atomic import replace_file
from prompt_kit.data.dataset import read_examples, read_texts
from prompt_kit.data.lines import PathLike
from prompt_kit.errors import DataError
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.pretraining.corpus import ExcludedTexts, normalize

logger = logging.getLogger(__name__)

PSEUDO_LABELS_FILE = "pseudo_labels.tsv"
SELECTIONS = ("all", "balanced", "confidence")
_LABELLED = ("dev", "test", "train")  # the splits whose texts are no unlabelled texts


@dataclass(frozen=True)
class PseudoLabel:
    """A text, the label that a model found most probable and its probability, and the generation trained on it."""

    text: str
    label: str
    probability: float
    generation: int


def read_unlabelled(path: PathLike, data_dir: PathLike, verbalizer: Verbalizer) -> list[str]:
    """The texts of `path`, one a line, without repetitions and without any text of data_dir's dev, test and train.txt.

    Texts are compared as tools/pretrain.py compares them, whatever their width, white space and case, and one that holds
    such a text is left out too: a model must not be trained on what it is measured with. A tab is part of a text, as in
    data.txt.
    Raises DataError for a file that is labelled (its labels would become part of the texts) or has no text left.
    """
    texts = [text for text in read_texts(path, verbalizer.labels) if isinstance(text, str)]
    known_texts = []
    for split in _LABELLED:
        file = Path(data_dir) / f"{split}.txt"
        if file.exists():
            examples = read_examples(file, verbalizer.labels, require_labels=split != "test")
            known_texts += [example.text_a for example in examples]
    excluded = ExcludedTexts(known_texts)
    distinct: dict[str, str] = {}
    for text in texts:
        distinct.setdefault(normalize(text), text)
    kept = [text for key, text in distinct.items() if key not in excluded]
    held, repeated = len(distinct) - len(kept), len(texts) - len(distinct)
    logger.info(
        "%s: %d texts to pseudo-label; dropped %d that dev, test or train.txt has, and %d repeated ones",
        path, len(kept), held, repeated,
    )  # fmt: skip
    if not kept:
        raise DataError(
            f"{path}: all {len(texts)} texts are in {data_dir}'s dev, test or train.txt; expected texts that are not"
        )
    return kept


def choose(probabilities: np.ndarray, selection: str, per_class: int, threshold: float) -> np.ndarray:
    """The rows [K] of probabilities [N, C] to train on, in ascending order.

    all: every row.
    balanced: of the rows whose best label is a class, the `per_class` most probable; all where they are fewer.
    confidence: every row whose best label has at least probability `threshold`.
    """
    if selection == "all":
        return np.arange(len(probabilities))
    labels, best = probabilities.argmax(axis=1), probabilities.max(axis=1)
    if selection == "confidence":
        return np.flatnonzero(best >= threshold)
    by_class = [np.flatnonzero(labels == label) for label in range(probabilities.shape[1])]
    # stable, so that of equally probable rows the first ones are taken
    return np.sort(np.concatenate([rows[np.argsort(-best[rows], kind="stable")][:per_class] for rows in by_class]))


def write_pseudo_labels(path: Path, pseudo_labels: Iterable[PseudoLabel]) -> None:
    """Write a table: text, label, probability, generation."""
    with replace_file(path) as staging, open(staging, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["text", "label", "probability", "generation"])
        for one in pseudo_labels:
            writer.writerow([one.text, one.label, f"{one.probability:.6f}", one.generation])
