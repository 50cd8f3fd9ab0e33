#!/usr/bin/env python
"""Several labels a text, labels with levels, and two texts a line: what a few examples are worth before the first training step.

    python benchmarks/task_types.py --data_dir data/fewclue_tnews --output_file task_types.jsonl

The tasks are made of FewCLUE's tnews, each split of the lines of its own: `multi-label` joins one or two headlines and has the
labels of both, `hierarchical` puts the 15 labels under four, `pairs` asks whether two headlines have the same label. For a seed
the lines are drawn anew, and the test texts are labelled by the label words alone (zero) and by a cosine head that is
started from the training lines, with a threshold of leave-one-out (start). A JSON line a run.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402

GROUPS = {
    "经济": ("news_finance", "news_stock", "news_house"),
    "文娱": ("news_entertainment", "news_game", "news_story", "news_culture"),
    "时事": ("news_edu", "news_world", "news_military", "news_agriculture"),
    "生活": ("news_travel", "news_car", "news_sports", "news_tech"),
}
ABOVE = {label: group for group, labels in GROUPS.items() for label in labels}
SIZES = {"multi-label": (120, 120, 500), "pairs": (160, 160, 500), "hierarchical": (8, 120, 500)}  # train, dev, test
Rows = list[tuple[str, str]]


def build_parser() -> ArgumentParser:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data_dir", required=True, help="folder with FewCLUE's label.txt, train.txt, dev.txt and test.txt"
    )
    parser.add_argument("--output_file", default="task_types.jsonl", help="where every run goes")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--test_texts", type=int, default=300, help="so many of 500 test texts")
    parser.add_argument("--max_seq_length", type=int, default=64)
    return parser


def read_rows(path: Path) -> Rows:
    """(text, label) of each line."""
    pairs = [line.rstrip("\n").rpartition("\t") for line in path.open(encoding="utf-8")]
    return [(text, label) for text, _, label in pairs]


def joined(rows: Rows, count: int, rng: random.Random) -> list[tuple[str, list[str]]]:
    """One headline, or as often as not twice two of different labels with a full stop between, and the labels."""
    made = []
    for _ in range(count):
        number = rng.choice([1, 2, 2])
        picked = rng.sample(rows, number)
        while number == 2 and picked[0][1] == picked[1][1]:
            picked = rng.sample(rows, 2)
        made.append(("。".join(text.rstrip("。") for text, _ in picked), sorted(label for _, label in picked)))
    return made


def paired(rows: Rows, count: int, rng: random.Random) -> list[tuple[tuple[str, str], str]]:
    """Two headlines of one label, or of two, in turn."""
    texts: dict[str, list[str]] = {}
    for text, label in rows:
        texts.setdefault(label, []).append(text)
    made = []
    for place in range(count):
        if place % 2:
            first, second = rng.sample(texts[rng.choice(sorted(texts))], 2)
            made.append(((first, second), "same"))
        else:
            one, other = rng.sample(sorted(texts), 2)
            made.append(((rng.choice(texts[one]), rng.choice(texts[other])), "other"))
    rng.shuffle(made)
    return made


def drawn(rows: Rows, shots: int, rng: random.Random) -> Rows:
    """So many lines of each label."""
    texts: dict[str, list[str]] = {}
    for text, label in rows:
        texts.setdefault(label, []).append(text)
    few = [(text, label) for label, own in texts.items() for text in rng.sample(own, shots)]
    rng.shuffle(few)
    return few


def make_tasks(splits: dict[str, Rows], words: dict[str, str], seed: int) -> dict[str, dict]:
    """Task type -> its labels and, of each split, texts and right answers."""
    rng = random.Random(seed)
    names = ("train", "dev", "test")
    multi = {name: joined(splits[name], size, rng) for name, size in zip(names, SIZES["multi-label"])}
    pairs = {name: paired(splits[name], size, rng) for name, size in zip(names, SIZES["pairs"])}
    shots, *others = SIZES["hierarchical"]
    levels = {"train": drawn(splits["train"], shots, rng)}
    for name, size in zip(names[1:], others):
        levels[name] = rng.sample(splits[name], size)

    def paths(label: str) -> list[str]:
        return [ABOVE[label], f"{ABOVE[label]}##{words[label]}"]

    tree = {name: [(text, paths(label)) for text, label in rows] for name, rows in levels.items()}
    labels = [one for group, own in GROUPS.items() for one in (group, *(f"{group}##{words[label]}" for label in own))]
    return {
        "multi-label": {"labels": words, **multi},
        "hierarchical": {"labels": {label: label.rpartition("##")[2] for label in labels}, **tree},
        "pairs": {"labels": {"same": "相同", "other": "不同"}, **pairs},
    }


def main(argv=None) -> None:
    args = build_parser().parse_args(argv)
    from prompt_kit import PromptClassifier

    folder = Path(args.data_dir)
    words = dict(line.strip().split("==") for line in (folder / "label.txt").open(encoding="utf-8"))
    splits = {name: read_rows(folder / f"{name}.txt") for name in ("train", "dev", "test")}
    with open(args.output_file, "w", encoding="utf-8") as file:
        for seed in args.seeds:
            for kind, task in make_tasks(splits, words, seed).items():
                options = {"text_pairs": True} if kind == "pairs" else {"task_type": kind}
                texts, gold = zip(*task["test"][: args.test_texts])
                for how in ("zero", "start"):
                    classifier = PromptClassifier(
                        task["labels"], max_seq_length=args.max_seq_length, seed=seed, verbose=False, **options
                    )
                    if how == "start":
                        classifier.fit(*map(list, zip(*task["train"])))
                    scores = classifier.evaluate(list(texts), list(gold))
                    record = {"task": kind, "seed": seed, "how": how, **scores}
                    print(json.dumps(record, ensure_ascii=False), flush=True)
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
                    file.flush()


if __name__ == "__main__":
    sys.exit(run(main))
