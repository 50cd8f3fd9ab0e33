"""Classify with several trained models at once: the mean of their probabilities decides.

    python tools/ensemble.py --members run_a run_b run_c --do_eval --do_predict --do_export

Members are folders that train.py finished (or a checkpoint-N in one), or exported folders, for which no Paddle is
needed; they may differ in template, seed, method and language model, but not in their labels. In the output folder:
ensemble_results.json (scores of each member and of the whole), test_predictions.tsv, and export, which infer.py and
Predictor take like the export of one model.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prompt_kit.atomic import replace_folder  # noqa: E402
from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402
from prompt_kit.data.dataset import Dataset, fingerprint, read_dataset  # noqa: E402
from prompt_kit.disk import check_place
from prompt_kit.errors import ConfigError, DependencyError  # noqa: E402
from prompt_kit.inference.ensemble import average, check_same_labels  # noqa: E402
from prompt_kit.inference.ensemble_export import write_ensemble  # noqa: E402
from prompt_kit.inference.ensemble_member import Member, open_member  # noqa: E402
from prompt_kit.inference.prediction_table import write_prediction_table  # noqa: E402
from prompt_kit.metrics import accuracy_and_f1  # noqa: E402
from prompt_kit.prompt.verbalizer import Verbalizer  # noqa: E402
from prompt_kit.prompt_config.kinds import is_weight  # noqa: E402
from prompt_kit.versions import installed_versions  # noqa: E402

RESULTS, PREDICTIONS, EXPORT = "ensemble_results.json", "test_predictions.tsv", "export"
SCORES = ("eval_accuracy", "eval_macro_f1", "test_accuracy", "test_macro_f1")


def main(argv: Optional[Sequence[str]] = None) -> None:
    args = parse(argv)
    output_dir = free_output_folder(args)
    members = [open_member("members", path, trained_member) for path in args.members]
    dataset = read_data(args, members)
    labels = members[0].verbalizer
    found = [predict(member, dataset, args.batch_size) for member in members]
    scores = [score(probabilities, dataset, labels) for probabilities in found]
    shares = share_out(args.weights or [1.0] * len(members), scores, args.best)
    kept = [place for place, share in enumerate(shares) if share]
    whole = {split: average([found[i][split] for i in kept], [shares[i] for i in kept]) for split in found[0]}
    results = describe(members, shares, scores, score(whole, dataset, labels), dataset)
    try:
        with replace_folder(output_dir) as staging:
            if args.do_predict:
                write_prediction_table(staging / PREDICTIONS, dataset.test, whole["test"], labels.labels)
            if args.do_export:
                parts = [(members[i].export, shares[i]) for i in kept]
                metrics = {name: value for name, value in results["ensemble"].items() if name.startswith("eval_")}
                write_ensemble(staging / EXPORT, labels.labels, parts, metrics)
            text = json.dumps(results, ensure_ascii=False, indent=2)
            (staging / RESULTS).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--output_dir {args.output_dir} cannot be written: {error.strerror or error}") from error
    print(show(results))


def parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = ArgumentParser(prog="tools/ensemble.py", description=__doc__)
    add = parser.add_argument
    add("--members", nargs="+", required=True, metavar="FOLDER", help="two or more trained or exported folders")
    add("--data_dir", default="./data/tnews", metavar="FOLDER", help="with dev.txt, test.txt (default: %(default)s)")
    add("--output_dir", default="./ensemble", metavar="FOLDER", help="what is written (default: %(default)s)")
    add("--do_eval", action="store_true", help="score the members and the whole on dev.txt")
    add("--do_predict", action="store_true", help="label test.txt, and score there too if it has labels")
    add("--do_export", action="store_true", help="write one exported folder of all members")
    add("--weights", nargs="+", type=float, metavar="W", help="of the members, in their order (default: all the same)")
    add("--best", type=int, metavar="K", help="keep the K members with the best accuracy on dev.txt")
    add("--batch_size", type=int, default=32, metavar="N", help="texts at a time (default: %(default)s)")
    add("--overwrite_output_dir", action="store_true", help="replace an earlier ensemble in --output_dir")
    args = parser.parse_args(argv)
    if not (args.do_eval or args.do_predict or args.do_export):
        raise ConfigError("nothing to do: give --do_eval, --do_predict or --do_export")
    folders = [os.path.realpath(path) for path in args.members]
    if len(set(folders)) < max(2, len(folders)):
        raise ConfigError(f"--members: expected two or more different folders, got {' '.join(args.members)}")
    if args.weights is not None and (len(args.weights) != len(folders) or not all(map(is_weight, args.weights))):
        raise ConfigError(f"--weights: expected {len(folders)} numbers above 0, one a member, got {args.weights}")
    if args.best is not None and not 2 <= args.best <= len(folders):
        raise ConfigError(f"--best: expected 2 to {len(folders)}, the number of members, got {args.best}")
    if args.batch_size < 1:
        raise ConfigError(f"--batch_size must be at least 1, got {args.batch_size}")
    if (args.do_eval or args.do_predict or args.best) and importlib.util.find_spec("sklearn") is None:
        raise DependencyError("scikit-learn is not installed, and counts the scores: pip install scikit-learn")
    return args


def free_output_folder(args: argparse.Namespace) -> Path:
    """The folder to write; ConfigError if it holds what must stay."""
    check_place("--output_dir", args.output_dir)
    folder = Path(args.output_dir).resolve()
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--output_dir {args.output_dir} is a file, expected a folder")
    present = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    strange = [name for name in present if name not in (RESULTS, PREDICTIONS, EXPORT)]
    if strange or (present and RESULTS not in present):  # the folder is replaced whole, so it must be one of ours
        raise ConfigError(f"--output_dir {args.output_dir} holds other files ({', '.join(present[:5])}); use another")
    if present and not args.overwrite_output_dir:
        raise ConfigError(
            f"--output_dir {args.output_dir} holds an ensemble already; use another, or --overwrite_output_dir"
        )
    return folder


def trained_member() -> type[Member]:
    """The class for a training folder; exported folders need no Paddle."""
    from prompt_kit.training.export.trained_member import TrainedMember

    return TrainedMember


def read_data(args: argparse.Namespace, members: Sequence[Member]) -> Dataset:
    """Only the files that are needed, and only if all members and label.txt have the same labels."""
    first = members[0]
    for member in members[1:]:
        check_same_labels(first.verbalizer.labels, str(first.folder), member.verbalizer.labels, str(member.folder))
    splits = [name for name, wanted in (("dev", args.do_eval or args.best), ("test", args.do_predict)) if wanted]
    if not splits:
        return Dataset(Path(args.data_dir))
    path = Path(args.data_dir) / "label.txt"
    if path.is_file():
        check_same_labels(first.verbalizer.labels, str(first.folder), Verbalizer.from_file(path).labels, str(path))
    return read_dataset(args.data_dir, first.verbalizer, splits, optional=())


def predict(member: Member, dataset: Dataset, batch_size: int) -> dict[str, np.ndarray]:
    """Split -> probabilities [N, C]. The model is loaded here and gone afterwards: one at a time is in memory."""
    splits = {name: texts for name, texts in (("dev", dataset.dev), ("test", dataset.test)) if texts is not None}
    if not splits:
        return {}
    print(f"tools/ensemble.py: {member.folder}", file=sys.stderr)
    rows = member.probabilities([example for texts in splits.values() for example in texts], batch_size)
    ends = np.cumsum([len(texts) for texts in splits.values()])
    return dict(zip(splits, np.split(rows, ends[:-1])))


def score(found: dict[str, np.ndarray], dataset: Dataset, verbalizer: Verbalizer) -> dict[str, float]:
    """eval_accuracy, eval_macro_f1, and test_ likewise: of the splits that are there and labelled."""
    scores = {}
    for split, prefix, examples in (("dev", "eval", dataset.dev), ("test", "test", dataset.test)):
        if split in found and all(example.label is not None for example in examples):
            gold = np.array([verbalizer.label_to_id[example.label] for example in examples])
            values = accuracy_and_f1(found[split].argmax(axis=1), gold)
            scores.update({f"{prefix}_{name}": value for name, value in values.items()})
    return scores


def share_out(weights: Sequence[float], scores: Sequence[dict[str, float]], best: Optional[int]) -> list[float]:
    """Each member's share of the mean; 0 for all but the `best` on dev, the first given first where they are equal."""
    kept = (
        sorted(range(len(weights)), key=lambda i: -scores[i]["eval_accuracy"])[:best] if best else range(len(weights))
    )
    total = sum(weights[i] for i in kept)
    return [weight / total if i in kept else 0.0 for i, weight in enumerate(weights)]


def describe(
    members: Sequence[Member],
    shares: Sequence[float],
    scores: Sequence[dict[str, float]],
    whole: dict[str, float],
    dataset: Dataset,
) -> dict[str, Any]:
    """What ensemble_results.json says."""
    rows = zip(members, shares, scores)
    samples = {
        f"{name}_samples": len(texts) for name, texts in (("eval", dataset.dev), ("test", dataset.test)) if texts
    }
    return {
        "members": [{"folder": str(one.folder), "weight": share, **own, **one.about} for one, share, own in rows],
        "ensemble": whole,
        **samples,
        "data": fingerprint(dataset.files) if dataset.files else None,
        "versions": installed_versions(),
    }


def show(results: dict[str, Any]) -> str:
    """A table: a row for each member, and one for the whole."""
    rows = [(one["folder"], one["weight"], one) for one in results["members"]]
    rows.append(("ensemble", 1.0, results["ensemble"]))
    names = [name for name in SCORES if name in results["ensemble"]]
    lines = ["  ".join([f"{'weight':>6}", *(f"{name:>13}" for name in names), "model"])]
    for name, weight, scores in rows:
        lines.append("  ".join([f"{weight:6.4f}", *(f"{scores[key]:13.4f}" for key in names), name]))
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
