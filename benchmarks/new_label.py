#!/usr/bin/env python
"""What a label is worth that is added by a support set: each label in turn is kept from the model and then added.

The model is the default head as it starts from train.txt, before any training step. Accuracies on test.txt, in percent, the
mean over all labels of the folder: of the others before and after the label is added, of the label that is added, and of all,
beside a head that had the label's examples from the start.

    python benchmarks/new_label.py --data_dir data/fewclue_tnews --shots 1 4 16 --seeds 0 1 2 3 4
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: E402

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402


def main(argv=None):
    args = parse(argv)
    from prompt_kit.data.dataset import read_dataset
    from prompt_kit.prompt.verbalizer import Verbalizer
    from prompt_kit.training.models.prompt_model import PromptModel

    labels = Verbalizer.from_file(Path(args.data_dir) / "label.txt")
    data = read_dataset(args.data_dir, labels, ("train", "test", "data"), optional=("data",))
    model = PromptModel.build(labels, args.prompt, args.model_name_or_path, max_seq_length=args.max_seq_length)

    def states(texts):
        return model.mask_states(model.encode_texts(texts))

    words = states([word for of_label in labels.words for word in of_label])
    known = {
        split: (states([one.text_a for one in found]), np.array([labels.label_to_id[one.label] for one in found]))
        for split, found in (("train", data.train), ("test", data.test))
    }
    texts = (
        states(data.unlabelled)
        if data.unlabelled and not args.no_unlabelled
        else np.zeros((0, words.shape[1]), words.dtype)
    )
    counts = [len(of_label) for of_label in labels.words]
    print("shots word seed | others before, after | new | all, from the start | new, from the start")
    for shots in args.shots:
        for with_word in (False, True):
            rows = [added(words, counts, known, texts, shots, seed, with_word) for seed in args.seeds]
            for seed, row in zip([*args.seeds, "mean"], [*rows, np.mean(rows, axis=0)]):
                shown = " ".join(f"{100 * value:.1f}" for value in row)
                print(f"{shots} {'yes' if with_word else 'no'} {seed} | {shown}", flush=True)


def added(words, counts, known, texts, shots, seed, with_word):
    """Means over the labels: [others before, others after, the new label, all, all from the start, new from the start]."""
    from prompt_kit.inference.prototypes import unit, word_prototypes
    from prompt_kit.inference.support import support_prototypes
    from prompt_kit.training.models.cosine_head import center_of, cluster, combine, refit, word_directions

    (train, ids), (test, gold) = known["train"], known["test"]
    of_word, rng, rows = np.repeat(np.arange(len(counts)), counts), np.random.default_rng(seed), []

    def head(labels, rows):
        """(centre, directions) of a model of `labels` that starts from the examples at `rows`."""
        first, _ = word_directions(words[np.isin(of_word, labels)], [counts[label] for label in labels])
        own = np.array([labels.index(label) for label in ids[rows]])
        center = center_of(train[rows], texts, train[:0])
        examples = unit(train[rows] - center)
        directions = combine(first, examples, own)
        if len(texts):
            unlabelled = unit(texts - center)
            directions, shares = cluster(directions, unlabelled, len(rows) / len(labels))
            directions = refit(directions, unlabelled, shares, examples, own)
        return center, directions

    for new in range(len(counts)):
        order = [label for label in range(len(counts)) if label != new] + [new]
        support = rng.permutation(np.flatnonzero(ids == new))[:shots]
        kept = np.flatnonzero(ids != new)
        center, directions = head(order[:-1], kept)
        word = np.zeros((1, words.shape[1]), words.dtype)
        if with_word:
            in_order = np.array([order.index(label) for label in of_word])
            word = word_prototypes(unit(words - center), in_order, len(order))[-1:]
        row = support_prototypes(unit(train[support] - center), np.zeros(len(support), int), word, beside=True)
        cosines = unit(test - center) @ np.concatenate([directions, row]).T
        before = np.array(order)[cosines[:, :-1].argmax(axis=1)] == gold
        after = np.array(order)[cosines.argmax(axis=1)] == gold
        center, directions = head(sorted(order), np.sort(np.concatenate([kept, support])))
        full = (unit(test - center) @ directions.T).argmax(axis=1) == gold
        new_one = gold == new
        rows.append(
            [
                before[~new_one].mean(),
                after[~new_one].mean(),
                after[new_one].mean(),
                after.mean(),
                full.mean(),
                full[new_one].mean(),
            ]
        )
    return np.mean(rows, axis=0)


def parse(argv):
    parser = ArgumentParser(
        prog="new_label.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data_dir", default="data/tnews", help="folder with label.txt, train.txt and a labelled test.txt"
    )
    parser.add_argument("--shots", nargs="+", type=int, default=[1, 4, 16], help="examples of the label that is added")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="of the examples")
    parser.add_argument("--no_unlabelled", action="store_true", help="leave data.txt out")
    parser.add_argument("--prompt", help="template (default: the first of the neutral ones)")
    parser.add_argument("--model_name_or_path", default="mini_zh")
    parser.add_argument("--max_seq_length", type=int, default=128)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
