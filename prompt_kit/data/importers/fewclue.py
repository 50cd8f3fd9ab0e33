"""FewCLUE's tnews, bustm and ocnli, as its authors publish them (github.com/CLUEbenchmark/FewCLUE, datasets/) -> our lines.

JSON lines {"label_desc": "news_edu", "label": "108", "sentence": "…"} of tnews, and of two texts
{"sentence1": "…", "sentence2": "…", "label": "1"} of bustm (0, 1) and ocnli (entailment, neutral, contradiction), divided by
FewCLUE into train_0.json to train_4.json and train_few_all.json, dev files of the same names, test_public.json (labelled),
test.json and unlabeled.json (not).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prompt_kit.data.importers.tables import listed
from prompt_kit.data.lines import read_lines
from prompt_kit.errors import DataError, shown

SPLITS = ("0", "1", "2", "3", "4", "few_all")

TNEWS_WORDS = {
    "news_tech": "科技",
    "news_entertainment": "娱乐",
    "news_car": "汽车",
    "news_travel": "旅游",
    "news_finance": "财经",
    "news_edu": "教育",
    "news_world": "国际",
    "news_house": "房产",
    "news_game": "电竞",
    "news_military": "军事",
    "news_story": "故事",
    "news_culture": "文化",
    "news_sports": "体育",
    "news_agriculture": "农业",
    "news_stock": "股票",
}
# Some copies of the data carry only the number.
TNEWS_CODES = {
    "100": "news_story",
    "101": "news_culture",
    "102": "news_entertainment",
    "103": "news_sports",
    "104": "news_finance",
    "106": "news_house",
    "107": "news_car",
    "108": "news_edu",
    "109": "news_tech",
    "110": "news_military",
    "112": "news_travel",
    "113": "news_world",
    "114": "news_stock",
    "115": "news_agriculture",
    "116": "news_game",
}

_BUSTM_WORDS = {"0": "不同", "1": "相同"}
_OCNLI_WORDS = {"entailment": "一致", "neutral": "无关", "contradiction": "矛盾"}


@dataclass(frozen=True)
class FewclueTask:
    """Which keys of a JSON object are the texts, and the labels with their words, in the order of label.txt."""

    name: str
    texts: tuple[str, ...]
    words: Mapping[str, str]


TNEWS = FewclueTask("tnews", ("sentence",), TNEWS_WORDS)
_BUSTM = FewclueTask("bustm", ("sentence1", "sentence2"), _BUSTM_WORDS)
_OCNLI = FewclueTask("ocnli", ("sentence1", "sentence2"), _OCNLI_WORDS)


def convert(folder: Path, split: str) -> dict[str, list[str]]:
    """Read one split; return file name -> lines, in the order in which they are to be written."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder: {folder.absolute()}; clone github.com/CLUEbenchmark/FewCLUE first")
    train = folder / f"train_{split}.json"
    task = _task_of(train)
    files = {"label.txt": [f"{label}=={word}" for label, word in task.words.items()]}
    files["train.txt"] = read_json_lines(train, labelled=True, task=task)
    files["dev.txt"] = read_json_lines(folder / f"dev_{split}.json", labelled=True, task=task)
    for name, source, labelled in (
        ("test.txt", "test_public.json", True),
        ("test.txt", "test.json", False),
        ("data.txt", "unlabeled.json", False),
    ):
        if name not in files and (folder / source).exists():
            files[name] = read_json_lines(folder / source, labelled, task)
    return files


def read_json_lines(path: Path, labelled: bool, task: FewclueTask = TNEWS) -> list[str]:
    """The texts of every JSON object in `path`, and with `labelled` its label, tabs between. DataError with file:line."""
    lines = []
    for where, row in _objects(path):
        cells = [_text(row, key, where, task) for key in task.texts]
        lines.append("\t".join([*cells, _label(row, where, task)] if labelled else cells))
    return lines


def _task_of(path: Path) -> FewclueTask:
    """The task whose first line has such keys and such a label; tnews where it is no pair of texts."""
    _, row = next(_objects(path))
    if not isinstance(row, dict) or "sentence1" not in row:
        return TNEWS
    return _BUSTM if str(row.get("label")) in _BUSTM_WORDS else _OCNLI


def _objects(path: Path) -> Iterator[tuple[str, Any]]:
    for number, line in read_lines(path):
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as problem:
            raise DataError(f"{where}: not JSON ({problem.msg} at column {problem.colno}); download it again") from None
        yield where, row


def _text(row: Any, key: str, where: str, task: FewclueTask) -> str:
    found = row.get(key) if isinstance(row, dict) else None
    if not isinstance(found, str):
        got = f"keys {listed(list(row))}" if isinstance(row, dict) else shown(row)
        raise DataError(
            f'{where}: expected a {task.name} line with "{key}", got {got}; only tnews, bustm and ocnli are supported, not '
            "FewCLUE's other tasks"
        )
    text = re.sub(r"[\t\r\n]+", " ", found).strip()  # our lines are cut at these
    if not text:
        raise DataError(f'{where}: empty "{key}"; delete the line')
    return text


def _label(row: dict[str, Any], where: str, task: FewclueTask) -> str:
    """The name of the label: `label_desc`, else `label` as a name or as tnews' number."""
    given = row.get("label_desc") or row.get("label")
    label = "" if given is None else str(given)
    if task is TNEWS:
        label = TNEWS_CODES.get(label, label)
    if label in task.words:
        return label
    found = f"label {shown(label)}" if label else "no label"
    raise DataError(
        f"{where}: {found}, expected one of the {len(task.words)} of {task.name} ({', '.join(task.words)}); "
        "only tnews, bustm and ocnli are supported, not FewCLUE's other tasks"
    )
