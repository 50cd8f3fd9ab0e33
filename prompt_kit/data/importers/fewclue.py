"""FewCLUE's tnews, as its authors publish it (github.com/CLUEbenchmark/FewCLUE, datasets/tnews) -> the lines of our files.

JSON lines {"label_desc": "news_edu", "label": "108", "sentence": "…"}, divided by FewCLUE into train_0.json to train_4.json and
train_few_all.json, dev files of the same names, test_public.json (labelled), test.json and unlabeled.json (not).
"""

from __future__ import annotations

import json
import re
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


def convert(folder: Path, split: str) -> dict[str, list[str]]:
    """Read one split; return file name -> lines, in the order in which they are to be written."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder: {folder.absolute()}; clone github.com/CLUEbenchmark/FewCLUE first")
    files = {"label.txt": [f"{label}=={word}" for label, word in TNEWS_WORDS.items()]}
    files["train.txt"] = read_json_lines(folder / f"train_{split}.json", labelled=True)
    files["dev.txt"] = read_json_lines(folder / f"dev_{split}.json", labelled=True)
    for name, source, labelled in (
        ("test.txt", "test_public.json", True),
        ("test.txt", "test.json", False),
        ("data.txt", "unlabeled.json", False),
    ):
        if name not in files and (folder / source).exists():
            files[name] = read_json_lines(folder / source, labelled)
    return files


def read_json_lines(path: Path, labelled: bool) -> list[str]:
    """`sentence<TAB>label` or `sentence` for every JSON object in `path`. Raises DataError with file:line."""
    lines = []
    for number, line in read_lines(path):
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as problem:
            raise DataError(f"{where}: not JSON ({problem.msg} at column {problem.colno}); download it again") from None
        sentence = row.get("sentence") if isinstance(row, dict) else None
        if not isinstance(sentence, str):
            found = f"keys {listed(list(row))}" if isinstance(row, dict) else shown(row)
            raise DataError(
                f'{where}: expected a tnews line with "sentence", got {found}; only tnews is supported, not FewCLUE\'s '
                "other tasks"
            )
        text = re.sub(r"[\t\r\n]+", " ", sentence).strip()  # our lines are cut at these
        if not text:
            raise DataError(f'{where}: empty "sentence"; delete the line')
        lines.append(f"{text}\t{read_label(row, where)}" if labelled else text)
    return lines


def read_label(row: dict[str, Any], where: str) -> str:
    """The name of the label: `label_desc`, else `label` as a name or as tnews' number."""
    given = row.get("label_desc") or row.get("label")
    label = "" if given is None else str(given)
    label = TNEWS_CODES.get(label, label)
    if label in TNEWS_WORDS:
        return label
    found = f"label {shown(label)}" if label else "no label"
    raise DataError(
        f"{where}: {found}, expected one of the {len(TNEWS_WORDS)} of tnews ({', '.join(TNEWS_WORDS)}); "
        "only tnews is supported, not FewCLUE's other tasks"
    )
