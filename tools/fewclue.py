"""Convert FewCLUE's tnews (JSON lines) into the folder that train.py reads. The same as `prompt-kit import fewclue`.

    git clone https://github.com/CLUEbenchmark/FewCLUE
    python tools/fewclue.py --input_dir FewCLUE/datasets/tnews --output_dir data/fewclue_tnews --split 0

writes train.txt, dev.txt, test.txt, data.txt and label.txt. test.txt is test_public.json, which has labels; where that
is absent it is test.json, which has none. data.txt is unlabeled.json, where it is there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402
from prompt_kit.data.importers.fewclue import SPLITS, TNEWS_CODES, TNEWS_WORDS, convert  # noqa: E402, F401
from prompt_kit.data.importers.folder import write_folder  # noqa: E402
from prompt_kit.disk import check_place  # noqa: E402


def main(argv: Optional[Sequence[str]] = None) -> int:
    args = build_parser().parse_args(argv)
    check_place("--output_dir", args.output_dir)
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


if __name__ == "__main__":
    run(main)
