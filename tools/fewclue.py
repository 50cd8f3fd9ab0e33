"""Convert FewCLUE's tnews (JSON lines) into the folder that train.py reads.

    git clone https://github.com/CLUEbenchmark/FewCLUE
    python tools/fewclue.py --input_dir FewCLUE/datasets/tnews --output_dir data/fewclue_tnews --split 0

writes train.txt, dev.txt, test.txt, data.txt and label.txt. test.txt is test_public.json, which has labels; where that
is absent it is test.json, which has none. data.txt is unlabeled.json, where it is there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402
from prompt_kit.data.lines import read_lines  # noqa: E402
from prompt_kit.errors import ConfigError, DataError  # noqa: E402

SPLITS = ("0", "1", "2", "3", "4", "few_all")
OUTPUTS = ("label.txt", "train.txt", "dev.txt", "test.txt", "data.txt")

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


def main(argv: Optional[Sequence[str]] = None) -> int:
    args = build_parser().parse_args(argv)
    files = convert(Path(args.input_dir), args.split)
    write_folder(Path(args.output_dir), files, args.overwrite)
    counts = ", ".join(f"{name} {len(lines)}" for name, lines in files.items())
    print(f"{args.output_dir}: {counts} (lines)")
    return 0


def build_parser() -> ArgumentParser:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--input_dir", required=True, help="FewCLUE's datasets/tnews")
    parser.add_argument("--output_dir", required=True, help="folder to write; made if it is not there")
    parser.add_argument(
        "--split", choices=SPLITS, default="0", help="which train_SPLIT.json and dev_SPLIT.json (default: %(default)s)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier conversion in output_dir")
    return parser


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
            found = "keys " + ", ".join(row) if isinstance(row, dict) else repr(row)
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
    found = row.get("label_desc") or row.get("label")
    label = "" if found is None else str(found)
    label = TNEWS_CODES.get(label, label)
    if label in TNEWS_WORDS:
        return label
    shown = f"label {label!r}" if label else "no label"
    raise DataError(
        f"{where}: {shown}, expected one of the {len(TNEWS_WORDS)} of tnews ({', '.join(TNEWS_WORDS)}); "
        "only tnews is supported, not FewCLUE's other tasks"
    )


def write_folder(folder: Path, files: dict[str, list[str]], overwrite: bool) -> None:
    """Write all files or none: into a folder beside `folder`, which then takes its name."""
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--output_dir {folder} is a file, expected a folder")
    present = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    if present and not overwrite:
        raise ConfigError(f"--output_dir {folder} is not empty ({', '.join(present[:5])}); use another or --overwrite")
    strange = [name for name in present if name not in OUTPUTS]
    if strange:  # --overwrite removes the folder, so it must hold nothing but an earlier conversion
        raise ConfigError(
            f"--output_dir {folder} holds files that are not ours ({', '.join(strange[:5])}); use another"
        )
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    replaced = folder.with_name(f".{folder.name}.replaced-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        for name, lines in files.items():
            # "replace": scraped JSON may hold half of an emoji ("\\ud83d"), which UTF-8 cannot write
            (partial / name).write_bytes(("\n".join(lines) + "\n").encode("utf-8", "replace"))
        if folder.exists():
            folder.rename(replaced)
        partial.rename(folder)
    except BaseException as problem:
        shutil.rmtree(partial, ignore_errors=True)
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        if isinstance(problem, OSError):
            raise ConfigError(f"--output_dir {folder} cannot be written ({problem.strerror}); use another") from None
        raise
    shutil.rmtree(replaced, ignore_errors=True)


if __name__ == "__main__":
    run(main)
