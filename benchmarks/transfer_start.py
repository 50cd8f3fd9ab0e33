#!/usr/bin/env python
"""What a source prompt does for the default head before any training step, and whether tools/transfer_map.py picks the best.

For the fresh prompt of a template and each source: test accuracy of the cosine head as it starts from K examples a label
under that prompt, and leave-one-out accuracy and loss on these examples, which is what the pick goes by. The texts are read
once a prompt, so that many seeds cost little.

    python benchmarks/transfer_start.py --sources source reviews --data_dir data/fewclue_tnews --shots 1 2 4 8 16
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: E402

from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402

FRESH = "fresh"


def main(argv=None):
    args = parse(argv)
    from prompt_kit.data.dataset import read_dataset, sample_few_shot
    from prompt_kit.prompt.verbalizer import Verbalizer
    from prompt_kit.training.models.prompt_transfer import init_prompt
    from prompt_kit.training.models.transfer_map import target_model

    labels = Verbalizer.from_file(Path(args.data_dir) / "label.txt")
    data = read_dataset(args.data_dir, labels, ("train", "test"), optional=())
    read = {}
    for source in (FRESH, *args.sources):
        model = target_model(args.sources[0], labels, 128)
        if source != FRESH:
            init_prompt(model, source)
        texts = [*data.train, *data.test]
        states = model.mask_states(model.encode_texts([one.text_a for one in texts]))
        read[source] = (model._word_directions()[0], states[: len(data.train)], states[len(data.train) :])
    ids = {id(one): labels.label_to_id[one.label] for one in (*data.train, *data.test)}
    gold = np.array([ids[id(one)] for one in data.test])
    places = {id(one): place for place, one in enumerate(data.train)}
    print("shots seed | " + " | ".join(f"{name}: test, leave-one-out, loss" for name in read) + " | pick, best")
    right = []
    for shots in args.shots:
        means = []
        for seed in args.seeds:
            drawn = sample_few_shot(data.train, shots, seed, labels.labels)
            rows = np.array([places[id(one)] for one in drawn])
            own = np.array([ids[id(one)] for one in drawn])
            found = {name: scores(*read[name], rows, own, gold) for name in read}
            pick = min(found, key=lambda name: (found[name][2], -found[name][1]))
            best = max(found, key=lambda name: found[name][0])
            right.append(pick == best)
            means.append([found[name][0] for name in read])
            shown = " | ".join(
                f"{100 * test:.1f} {100 * accuracy:.1f} {loss:.3f}" for test, accuracy, loss in found.values()
            )
            print(f"{shots} {seed} | {shown} | {pick} {best}", flush=True)
        print(f"{shots} mean | " + " | ".join(f"{100 * value:.1f}" for value in np.mean(means, axis=0)))
    print(f"the pick has the best test accuracy in {sum(right)} of {len(right)} draws")


def scores(words, train, test, rows, own, gold):
    """(test accuracy, leave-one-out accuracy, leave-one-out loss) of a head started from the examples at `rows`."""
    from prompt_kit.inference.prototypes import unit
    from prompt_kit.training.models.cosine_head import center_of, combine, leave_one_out
    from prompt_kit.training.models.transfer_map import leave_one_out_loss

    center = center_of(train[rows], train[:0], train[:0])
    examples = unit(train[rows] - center)
    found = unit(test - center) @ combine(words, examples, own).T
    return float((found.argmax(axis=1) == gold).mean()), *leave_one_out_loss(leave_one_out(words, examples, own), own)


def parse(argv):
    parser = ArgumentParser(
        prog="transfer_start.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sources", nargs="+", required=True, metavar="FOLDER",
        help="trained folders of one template and one language model, with soft tokens")  # fmt: skip
    parser.add_argument(
        "--data_dir", default="data/tnews", help="folder with label.txt, train.txt and a labelled test.txt"
    )
    parser.add_argument("--shots", nargs="+", type=int, default=[1, 2, 4, 8, 16], help="examples of a label")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="of the examples")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
