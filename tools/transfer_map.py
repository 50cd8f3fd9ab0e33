#!/usr/bin/env python
"""Which trained prompt should a new task start from? Scores each source on the task's few examples, before any training."""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402

EXAMPLES = """\
examples:
  python tools/transfer_map.py --sources news reviews --data_dir data/tnews
  python tools/transfer_map.py --sources news reviews --data_dir data/tnews --num_shots 4 --seed 1 --target trained
"""


def main(argv=None):
    args = parse(argv)
    from prompt_kit.data.dataset import read_dataset, sample_few_shot
    from prompt_kit.prompt.verbalizer import Verbalizer
    from prompt_kit.training.models.transfer_map import pick, score
    from prompt_kit.training.runtime import set_verbosity

    logging.basicConfig(format="%(message)s")
    set_verbosity(False)
    labels = Verbalizer.from_file(Path(args.data_dir) / "label.txt")
    examples = read_dataset(args.data_dir, labels, ("train",)).train
    if args.num_shots is not None:
        examples = sample_few_shot(examples, args.num_shots, args.seed, labels.labels)
    pairs = [score(source, labels, examples, args.target, args.max_seq_length) for source in args.sources]
    print(table(pairs, len(examples)))
    best = pick([found for found, _ in pairs])
    fresh = pick([fresh for _, fresh in pairs])
    if pick([best, fresh]) is fresh:
        print(f"pick: no source, a fresh prompt is better on these examples (the best source is {best.source})")
    else:
        print(f"pick: --init_prompt_from {best.source}")


def table(pairs, examples):
    """Best first; beside each source the fresh prompt on its template."""
    rows = [
        f"leave-one-out on {examples} examples, no training",
        f"{'source':40} {'accuracy':>9} {'loss':>7} {'fresh':>9} {'loss':>7} {'cosine':>7}",
    ]
    for found, fresh in sorted(pairs, key=lambda pair: (pair[0].loss, -pair[0].accuracy)):
        cosine = "" if found.cosine is None else f"{found.cosine:.3f}"
        rows.append(
            f"{found.source:40} {found.accuracy:9.4f} {found.loss:7.4f} {fresh.accuracy:9.4f} {fresh.loss:7.4f} {cosine:>7}"
        )
    return "\n".join(rows)


def parse(argv):
    parser = ArgumentParser(prog="transfer_map.py", description=__doc__, epilog=EXAMPLES)
    parser.add_argument("--sources", nargs="+", required=True, metavar="FOLDER",
        help="folders that train.py or tools/meta_train.py wrote for other tasks, with soft tokens")  # fmt: skip
    parser.add_argument("--data_dir", default="./data/tnews", metavar="FOLDER",
        help="the new task: label.txt and train.txt (default: %(default)s)")  # fmt: skip
    parser.add_argument("--num_shots", type=int, metavar="K", help="score on so many examples a label, drawn by --seed")
    parser.add_argument("--seed", type=int, default=42, help="of --num_shots, as of train.py (default: 42)")
    parser.add_argument("--target", metavar="FOLDER",
        help="a prompt trained on the new task: also show the cosine of its mean soft token and each source's")  # fmt: skip
    parser.add_argument("--max_seq_length", type=int, default=128, metavar="N", help="in tokens (default: 128)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
