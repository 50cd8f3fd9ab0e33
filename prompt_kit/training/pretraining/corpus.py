"""Plain text files -> lines to train a language model on, without the texts that it will be judged by.

Two texts are the same when they are after NFKC (full-width to half-width), lower-casing, and the loss of white space
and invisible characters. A line is left out when it is one of the excluded texts, when it holds one of eight or more
characters, and when it came before.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prompt_kit.data.lines import PathLike, read_lines
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.prompt.verbalizer import Verbalizer

NEVER_TRAINED_ON = ("dev.txt", "test.txt")  # of a dataset's folder
_ANCHOR = 8  # a shorter text may well be a part of an innocent line


@dataclass(frozen=True)
class Corpus:
    """Lines to train on, lines held out, and where they come from.

    files: (name, lines kept) of each file; excluded_files: names; excluded, repeated: lines that were left out; texts:
    lines that were read; rows: which of them, counted from 0, each of `lines` is, and held_out_rows each of `held_out`
    (none where these are of another file).
    """

    lines: list[str]
    held_out: list[str]
    files: tuple[tuple[str, int], ...]
    excluded_files: tuple[str, ...] = ()
    excluded: int = 0
    repeated: int = 0
    texts: int = 0
    rows: Sequence[int] = ()
    held_out_rows: Sequence[int] = ()

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change when a line does, or their order."""
        digest = hashlib.sha256()
        for line in (*self.lines, "", *self.held_out):
            digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
        return digest.hexdigest()[:16]


def normalize(text: str) -> str:
    """What of a text counts when it is compared."""
    text = unicodedata.normalize("NFKC", text).lower()
    return "".join(c for c in text if not c.isspace() and unicodedata.category(c) not in ("Cc", "Cf"))


class ExcludedTexts:
    """`key in texts` for a normalized key: it is one of the texts, or holds one that is long enough."""

    def __init__(self, texts: Iterable[str]):
        self._keys = {key for key in map(normalize, texts) if key}
        self._by_start: dict[str, list[str]] = {}
        for key in self._keys:
            if len(key) >= _ANCHOR:
                self._by_start.setdefault(key[:_ANCHOR], []).append(key)

    def __contains__(self, key: str) -> bool:
        if key in self._keys:
            return True
        for place in range(len(key) - _ANCHOR + 1):
            for text in self._by_start.get(key[place : place + _ANCHOR], ()):
                if key.startswith(text, place):
                    return True
        return False


def read_corpus(
    train_files: Sequence[PathLike],
    exclude_files: Sequence[PathLike] = (),
    eval_file: PathLike | None = None,
    held_out: float = 0.05,
    seed: int = 42,
    most_held_out: int = 1000,
) -> Corpus:
    """Read, leave out, hold out.

    Args:
        train_files: .txt or .gz, one text a line; the label of a labelled line is cut off.
        exclude_files: files in the same format whose texts are never trained on (see `default_exclusions`).
        eval_file: the lines that are held out; without it they are a `held_out` share, `most_held_out` at most, of the
            train files, drawn by the seed and the text alone.

    Raises:
        DataError: a file cannot be read, or nothing is left to train on.
        ConfigError: a train file is an excluded one.
    """
    banned_files = [Path(path) for path in exclude_files]
    for path in map(Path, train_files):
        if any(path.resolve() == banned.resolve() for banned in banned_files):
            raise ConfigError(
                f"--train_files {path}: no line of it may be trained on, it is one of the excluded files; leave it out, or "
                "--exclude_files none if nothing is ever judged by it"
            )
    evaluation = read_texts(eval_file) if eval_file is not None else []
    banned = ExcludedTexts([*(text for path in banned_files for text in read_texts(path)), *evaluation])
    seen: set[str] = set()
    lines: list[tuple[str, str]] = []  # (key, text)
    rows: list[int] = []  # the place of each among all that are read
    files, excluded, repeated, texts = [], 0, 0, 0
    for file in train_files:
        before = len(lines)
        for text in read_texts(file):
            key = normalize(text)
            texts += 1
            if key in seen:
                repeated += 1
            elif not key or key in banned:
                excluded += 1
            else:
                seen.add(key)
                lines.append((key, text))
                rows.append(texts - 1)
        files.append((Path(file).name, len(lines) - before))
    drawn: set[str] = set()
    if eval_file is None and held_out > 0:
        share = min(most_held_out, math.ceil(held_out * len(lines)))
        drawn = set(sorted((key for key, _ in lines), key=lambda key: _draw(seed, key))[:share])
    kept = [text for key, text in lines if key not in drawn]
    if not kept:
        names = ", ".join(str(path) for path in train_files)
        raise DataError(
            f"{names}: no line is left to train on: {excluded} are among the excluded texts, {repeated} are repeated, "
            f"{len(drawn)} are held out; give more text"
        )
    return Corpus(
        lines=kept,
        held_out=evaluation or [text for key, text in lines if key in drawn],
        files=tuple(files),
        excluded_files=tuple(path.name for path in banned_files),
        excluded=excluded,
        repeated=repeated,
        texts=texts,
        rows=[row for row, (key, _) in zip(rows, lines) if key not in drawn],
        held_out_rows=[row for row, (key, _) in zip(rows, lines) if key in drawn],
    )


def default_exclusions(train_files: Sequence[PathLike]) -> list[Path]:
    """dev.txt and test.txt of the folders that the train files are in."""
    folders = dict.fromkeys(Path(path).absolute().parent for path in train_files)
    return [folder / name for folder in folders for name in NEVER_TRAINED_ON if (folder / name).is_file()]


def read_texts(path: PathLike) -> list[str]:
    """The lines of a file, blank ones left out, labels cut off.

    A label is what follows the last tab, if it is in the label.txt beside the file; where there is no label.txt, if
    every line of the file has a tab. Other tabs are white space.
    """
    lines = [line.strip() for _, line in read_lines(path, skip_blank=True)]
    label_file = Path(path).parent / "label.txt"
    if label_file.is_file():
        labels = set(Verbalizer.from_file(label_file).labels)
        return [_cut(line) if line.rpartition("\t")[2].strip() in labels else line for line in lines]
    return [_cut(line) for line in lines] if all("\t" in line for line in lines) else lines


def _cut(line: str) -> str:
    text, tab, _ = line.rpartition("\t")
    return text.strip() if tab else line


def _draw(seed: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed} {key}".encode("utf-8", "surrogatepass")).digest()
