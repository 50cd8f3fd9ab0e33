#!/usr/bin/env python
"""Do the characters that an explanation names decide the label, more than as many at random?

Every text of a file is explained by leaving out its characters with an exported folder (Predictor.explain), and where
--resume_from_checkpoint names the training folder that it was made from, by integrated gradients too. Then two questions are
asked of the k characters that speak for the label most by each method, and of k drawn at random with each seed, always of the
same texts and by the exported folder:

    taken away  how often the label is another one without them (comprehensiveness)
    alone       how often the label is the same by them alone (sufficiency)

DeYoung et al., ERASER, ACL 2020 (arXiv:1911.03429). For k = 1 the first is what an explanation is made of, so that it
must win; the others are not. Texts of k characters or fewer, and texts that the model cuts, are left out.

    python benchmarks/faithfulness.py --model_path_prefix checkpoints/export --data_dir data/tnews --output result.json
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from train_speed import machine  # noqa: E402

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402
from prompt_kit.data.dataset import read_examples, read_texts  # noqa: E402
from prompt_kit.errors import ConfigError  # noqa: E402
from prompt_kit.inference.explanation import CharacterEffect, Explanation  # noqa: E402
from prompt_kit.inference.predictor import Predictor  # noqa: E402
from prompt_kit.metrics import wilson_interval  # noqa: E402

QUESTIONS = ("taken away", "alone")
LEFT_OUT, GRADIENTS = "leave-one-out", "integrated gradients"


def main(argv=None):
    args = parse(argv)
    predictor = Predictor(args.model_path_prefix, device="cpu", precision="fp32")
    texts = read(args, predictor.labels)
    start = time.perf_counter()
    found = predictor.explain(texts)
    seconds = time.perf_counter() - start
    whole = [one for one in found if not one.is_cut]
    methods = {LEFT_OUT: whole}
    if args.resume_from_checkpoint:
        methods[GRADIENTS] = by_gradients(args.resume_from_checkpoint, [one.text for one in whole])
    print(
        f"{len(found)} texts explained in {seconds:.1f} s, {sum(len(one.effects) for one in found) / len(found):.1f} "
        f"characters each; {len(found) - len(whole)} are cut and left out",
        flush=True,
    )
    if GRADIENTS in methods:
        alike = sum(one.label == other.label for one, other in zip(whole, methods[GRADIENTS]))
        print(f"{alike} of {len(whole)} texts have the same label in both folders", flush=True)
    rows = [measure(predictor, methods, k, args.seeds) for k in args.k]
    print(f"\n{table(rows)}\n\n{seeds_table(rows)}")
    if args.output:
        report = {"machine": machine(), "arguments": vars(args), "seconds": seconds, "rows": rows}
        Path(args.output).write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def parse(argv):
    parser = ArgumentParser(prog="benchmarks/faithfulness.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--model_path_prefix", default="checkpoints/export", metavar="PATH", help="the exported folder")
    parser.add_argument("--resume_from_checkpoint", metavar="FOLDER",
        help="the training folder of that export: explain by integrated gradients too (needs Paddle)")  # fmt: skip
    parser.add_argument("--data_dir", default="data/tnews", metavar="FOLDER", help="its test.txt is explained")
    parser.add_argument("--split", default="test", help="another file of it: dev, train or data (default: test)")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N texts alone")
    parser.add_argument("--k", type=int, nargs="+", default=[1, 2, 3, 5], help="characters (default: 1 2 3 5)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="(default: 0 1 2 3 4)")
    parser.add_argument("--output", metavar="PATH", help="also write all figures there, as JSON")
    args = parser.parse_args(argv)
    if min(args.k) < 1 or (args.limit is not None and args.limit < 1):
        raise ConfigError("--k and --limit must be 1 or more")
    return args


def read(args, labels: Sequence[str]) -> list[str]:
    path = os.path.join(args.data_dir, f"{args.split}.txt")
    texts = read_texts(path, labels) if args.split == "data" else [one.text_a for one in read_examples(path, labels)]
    return texts[: args.limit]


def by_gradients(folder: str, texts: Sequence[str]) -> list[Explanation]:
    """The same texts, explained by the gradients of the model in a training folder."""
    from prompt_kit.training.explanation.integrated_gradients import explain_by_gradients
    from prompt_kit.training.models.prompt_model import PromptModel

    start = time.perf_counter()
    found = list(explain_by_gradients(PromptModel.from_pretrained(folder), texts))
    print(f"{len(found)} texts explained by integrated gradients in {time.perf_counter() - start:.1f} s", flush=True)
    return found


def measure(predictor: Predictor, methods: dict[str, list[Explanation]], k: int, seeds: Sequence[int]) -> dict:
    """How often each question is answered yes for k characters: by each method, and by chance with each seed.

    methods: name -> explanations of the same texts, in the same order.
    """
    whole = next(iter(methods.values()))
    places = [place for place, one in enumerate(whole) if len(one.effects) > k]
    if not places:
        raise ConfigError(f"--k {k}: no text has more characters")
    usable = [whole[place] for place in places]
    row: dict = {"k": k, "texts": len(usable), "named": {}, "random": []}
    for name, explanations in methods.items():
        named = [sorted(explanations[place].effects, key=lambda one: -one.log_odds)[:k] for place in places]
        row["named"][name] = counts(predictor, usable, named)
    for seed in seeds:
        draw = random.Random(seed)
        drawn = [draw.sample(one.effects, k) for one in usable]
        row["random"].append({"seed": seed, **counts(predictor, usable, drawn)})
    return row


def counts(
    predictor: Predictor, explanations: Sequence[Explanation], chosen: Sequence[Sequence[CharacterEffect]]
) -> dict:
    """How many labels change without the chosen characters, and how many stay with these alone."""
    pairs = list(zip(explanations, chosen))
    without = predictor.predict([left(one.text, effects) for one, effects in pairs])
    alone = predictor.predict(["".join(each.text for each in sorted(effects, key=_place)) for _, effects in pairs])
    return {
        "taken away": sum(after.label != one.label for after, one in zip(without, explanations)),
        "alone": sum(after.label == one.label for after, one in zip(alone, explanations)),
    }


def left(text: str, effects: Sequence[CharacterEffect]) -> str:
    """The text without these characters."""
    for one in sorted(effects, key=_place, reverse=True):
        text = text[: one.start] + text[one.start + len(one.text) :]
    return text


def _place(effect: CharacterEffect) -> int:
    return effect.start


def table(rows: Sequence[dict]) -> str:
    """Markdown: shares with the 95 % interval for each method, and the mean and range over the seeds for chance."""
    lines = [
        "| k | texts | characters | label changes without them | label stays by them alone |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        total = row["texts"]
        for name, found in row["named"].items():
            cells = []
            for question in QUESTIONS:
                low, high = wilson_interval(found[question], total)
                cells.append(f"{found[question] / total:.1%} ({low:.1%} to {high:.1%})")
            lines.append(f"| {row['k']} | {total} | {name} | {' | '.join(cells)} |")
        cells = []
        for question in QUESTIONS:
            shares = [one[question] / total for one in row["random"]]
            cells.append(f"{sum(shares) / len(shares):.1%} ({min(shares):.1%} to {max(shares):.1%})")
        lines.append(f"| {row['k']} | {total} | random | {' | '.join(cells)} |")
    return "\n".join(lines)


def seeds_table(rows: Sequence[dict]) -> str:
    """Markdown: what the characters that each seed draws do, changes / stays."""
    seeds = [one["seed"] for one in rows[0]["random"]]
    lines = ["| k | " + " | ".join(f"seed {seed}" for seed in seeds) + " |", "|---" * (len(seeds) + 1) + "|"]
    for row in rows:
        cells = [" / ".join(f"{one[question] / row['texts']:.1%}" for question in QUESTIONS) for one in row["random"]]
        lines.append(f"| {row['k']} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
