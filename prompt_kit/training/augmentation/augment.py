"""Training lines -> more training lines: made, kept apart from what a model is judged by, written, and read back."""

from __future__ import annotations

import csv
import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

import numpy as np

from prompt_kit.atomic import replace_file
from prompt_kit.data.dataset import Dataset, Example
from prompt_kit.data.lines import PathLike, read_lines
from prompt_kit.errors import DataError
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.augmentation.near_duplicates import NearDuplicates
from prompt_kit.training.augmentation.variants import WordGuesser, delete_words, swap_words
from prompt_kit.training.models.backbone import load_backbone, longest_input
from prompt_kit.training.pretraining.corpus import NEVER_TRAINED_ON, normalize, read_texts
from prompt_kit.training.pretraining.masked_lm import MaskedLanguageModel

logger = logging.getLogger(__name__)

AUGMENTED_FILE = "augmented.tsv"
COLUMNS = ("text", "label", "how", "source")
WAYS = ("guess", "swap", "delete")  # in turn, a text's first variant beginning with a way of its own
_TRIES = 3  # a variant that is the text itself, or another one's, is made anew so often


@dataclass(frozen=True)
class Variant:
    """A text, its label, how it was made (one of WAYS), and the training text that it was made of."""

    text: str
    label: str
    how: str
    source: str


def augment(
    dataset: Dataset, verbalizer: Verbalizer, count: int, seed: int, output_dir: PathLike, model_name_or_path: Optional[str],
    trust_pickle: bool = False, max_tokens: int = 128, given: Optional[PathLike] = None, goes_on: bool = False,
    writes: bool = True,
) -> Dataset:  # fmt: skip
    """The dataset with more training lines, which are written to AUGMENTED_FILE in `output_dir`.

    Args:
        count: variants of each line, made by the masked language model `model_name_or_path` (see load_backbone).
        given: a file of variants, in place of making some.
        goes_on: with a run whose variants are in `output_dir`; they are read from there.
        writes: whether this process is the one that writes.

    Raises:
        DataError: there is no line to train on, or a mistake in the file.
        ConfigError: the masked language model cannot be had.
    """
    if dataset.train is None:
        raise DataError(
            f"{dataset.folder}: augmentation needs a train.txt to make variants of; add one, or drop the flag"
        )
    own = Path(output_dir) / AUGMENTED_FILE
    source = given if given is not None else own if goes_on and own.is_file() else None
    if source is not None:
        variants = read_variants(source, verbalizer.labels)
    else:
        backbone = load_backbone(model_name_or_path, trust_pickle=trust_pickle)
        longest = min(max_tokens, longest_input(backbone.model))
        guesser = WordGuesser(MaskedLanguageModel(backbone.model, backbone.tokenizer), longest)
        variants = make_variants(dataset.train, verbalizer, count, seed, guesser)
    variants = without_near_duplicates(variants, _judged_by(dataset))
    if writes and source != own:
        own.parent.mkdir(parents=True, exist_ok=True)
        write_variants(own, variants)
        logger.info("augmentation: %s", own)
    files = dataset.files if given is None else (*dataset.files, Path(given))
    return replace(dataset, train=[*dataset.train, *(Example(one.text, one.label) for one in variants)], files=files)


def _judged_by(dataset: Dataset) -> list[str]:
    """The texts of dev.txt and test.txt, read or not."""
    paths = [dataset.folder / name for name in NEVER_TRAINED_ON]
    return [text for path in paths if path.is_file() for text in read_texts(path)]


def make_variants(
    examples: Sequence[Example], verbalizer: Verbalizer, count: int, seed: int, guesser: WordGuesser
) -> list[Variant]:
    """About `count` variants of each labelled example, in their order; fewer where a text allows no more.

    A function of the texts, the seed and the guesser. None of them is a training text or another variant, whatever its
    label.
    """
    word_of = {label: words[0] for label, words in zip(verbalizer.labels, verbalizer.words)}
    taken = {normalize(example.text_a) for example in examples}
    made: dict[tuple[int, int], Variant] = {}
    wanted = [(row, number) for row in range(len(examples)) for number in range(count)]
    for attempt in range(_TRIES):
        ways = {key: WAYS[(key[0] + key[1] + attempt) % len(WAYS)] for key in wanted}
        randoms = {key: np.random.default_rng([seed, attempt, *key]) for key in wanted}
        guessed = [key for key in wanted if ways[key] == "guess"]
        found = dict(
            zip(
                guessed,
                guesser(
                    [examples[row].text_a for row, _ in guessed],
                    [word_of[examples[row].gold] for row, _ in guessed],
                    [randoms[key] for key in guessed],
                ),
            )
        )
        for key in wanted:
            if ways[key] != "guess":
                change = swap_words if ways[key] == "swap" else delete_words
                found[key] = change(examples[key[0]].text_a, randoms[key])
        for key in wanted:
            mark = normalize(found[key])
            if mark and mark not in taken:
                taken.add(mark)
                example = examples[key[0]]
                made[key] = Variant(found[key], example.gold, ways[key], example.text_a)
        wanted = [key for key in wanted if key not in made]
    return [made[key] for key in sorted(made)]


def without_near_duplicates(variants: Iterable[Variant], judged_by: Iterable[str]) -> list[Variant]:
    """The variants that are not nearly a text that the model is judged by; one line in the log tells how many were."""
    near = NearDuplicates(judged_by)
    variants = list(variants)
    kept = [one for one in variants if one.text not in near]
    ways = Counter(one.how for one in kept)
    counts = ", ".join(f"{ways[way]} by {way}" for way in WAYS if ways[way])
    logger.info(
        "augmentation: %d lines%s; left out: %d that are nearly a text of dev.txt or test.txt",
        len(kept), f" ({counts})" if counts else "", len(variants) - len(kept),
    )  # fmt: skip
    return kept


def write_variants(path: PathLike, variants: Iterable[Variant]) -> None:
    """Write a tab-separated file with a header, to be read and edited."""
    with replace_file(Path(path)) as staging, open(staging, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((one.text, one.label, one.how, one.source) for one in variants)


def read_variants(path: PathLike, labels: Sequence[str]) -> list[Variant]:
    """What `write_variants` wrote, edited perhaps; the columns text and label must be there.

    Raises DataError with file:line for a missing column, an empty text or an unknown label.
    """
    name = os.fspath(path)
    numbered = [(number, line) for number, line in read_lines(path, skip_blank=True)]
    rows = list(csv.reader([line for _, line in numbered], delimiter="\t"))
    if len(rows) != len(numbered):
        raise DataError(f'{name}: a text begins with a single " that is never closed; write it as """ or take it away')
    header = [column.strip() for column in rows[0]]
    if "text" not in header or "label" not in header:
        raise DataError(
            f"{name}:{numbered[0][0]}: expected the columns {', '.join(COLUMNS)} in the first line, got {rows[0]}"
        )
    variants = []
    for (number, _), row in zip(numbered[1:], rows[1:]):
        cells = {column: cell.strip() for column, cell in zip(header, row)}
        if len(row) != len(header) or not cells["text"]:
            raise DataError(f"{name}:{number}: expected {len(header)} columns with a text in it, got {len(row)}: {row}")
        if cells["label"] not in labels:
            raise DataError(f"{name}:{number}: unknown label {cells['label']!r}; expected one of {', '.join(labels)}")
        variants.append(Variant(cells["text"], cells["label"], cells.get("how", ""), cells.get("source", "")))
    return variants
