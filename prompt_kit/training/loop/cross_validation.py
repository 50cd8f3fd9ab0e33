"""K-fold cross-validation on the training examples, where there is no dev.txt: how many epochs help, and how good it gets.

The examples are dealt into K folds, label by label. K models are trained, each on all folds but one, and evaluated on
that one before the first step (if it starts well) and after every epoch. The evaluation at which most examples are
right, over all folds, says for how many epochs the model of all examples is trained; of equal ones the earliest.

Its accuracy is an estimate over every example, each judged by a model that has not seen it. It is the best of several, so
it flatters a little; the models have 1 / K less to learn from than the final one, which works the other way.
Source: Stone, Cross-Validatory Choice and Assessment of Statistical Predictions, JRSS B, 1974.
"""

from __future__ import annotations

import copy
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
from paddlenlp.trainer import IntervalStrategy, TrainerCallback, set_seed

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.metrics import wilson_interval
from prompt_kit.training.loop.arguments import PromptTrainingArguments
from prompt_kit.training.loop.callbacks import ProgressCallback, evaluations
from prompt_kit.training.loop.trainer import PromptTrainer
from prompt_kit.training.models.base import TextClassifier

logger = logging.getLogger(__name__)

_FOLDS = 4  # each costs a training


@dataclass(frozen=True)
class CrossValidation:
    """folds: K; epochs: for which to train on all examples, None for as long as the settings say; right of examples."""

    folds: int
    epochs: Optional[int]
    right: int
    examples: int

    @property
    def metrics(self) -> dict[str, Any]:
        """What the results say of it."""
        return {
            "eval_accuracy": self.right / self.examples,
            "eval_samples": self.examples,
            "eval_interval": list(wilson_interval(self.right, self.examples)),
            "eval_by": f"{self.folds}-fold cross-validation on train.txt",
        }


class StopAfter(TrainerCallback):
    """Ends training after so many epochs, on the learning rates of the whole schedule."""

    def __init__(self, epochs: int):
        self.epochs = epochs

    def on_epoch_end(self, args, state, control, **kwargs):
        if round(state.epoch) >= self.epochs:
            control.should_training_stop = True


def number_of_folds(args: PromptTrainingArguments, examples: Sequence[Example], starts_well: bool, folder: Path) -> int:
    """K: as --cross_validation says, 0 for a model that is good as it starts, or 4, fewer where the rarest label has fewer.

    Raises DataError where a label has a single example, which cannot be both trained on and held out.
    """
    if args.cross_validation is not None:
        return args.cross_validation
    if starts_well:
        return 0
    labels = [str(example.label or "") for example in examples]
    rarest = min(set(labels), key=labels.count)
    if labels.count(rarest) < 2:
        raise DataError(
            f"{folder / 'dev.txt'}: no such file, and {folder / 'train.txt'} has a single example of the label {rarest}, too few "
            "to cross-validate; add dev.txt or examples, or drop --do_eval"
        )
    return min(_FOLDS, labels.count(rarest))


def deal(labels: Sequence[str], folds: int, seed: int) -> np.ndarray:
    """[N] the fold of each example: shuffled label by label, then dealt in turn, so that every fold has its share of each."""
    rng, order = np.random.default_rng(seed), []
    for label in dict.fromkeys(labels):
        order += rng.permutation([place for place, one in enumerate(labels) if one == label]).tolist()
    found = np.empty(len(labels), "int64")
    found[order] = np.arange(len(labels)) % folds
    return found


def best_evaluation(right: Sequence[Sequence[int]]) -> tuple[int, int]:
    """(which evaluation is the best, how many examples are right at it).

    Args:
        right: of each fold, the number of right answers at each evaluation; folds that stopped early have fewer.
    """
    totals = [sum(counts) for counts in zip(*right)]
    return totals.index(max(totals)), max(totals)


def cross_validate(
    model: TextClassifier, args: PromptTrainingArguments, examples: Sequence[Example], folds: int
) -> CrossValidation:
    """Train and judge `folds` models that start as `model` does, which is not changed; nothing is left on disk.

    Raises ConfigError for more folds than the rarest label has examples, and with several processes.
    """
    labels = [str(example.label or "") for example in examples]
    rarest = min(set(labels), key=labels.count)
    if folds > labels.count(rarest):
        raise ConfigError(
            f"--cross_validation {folds}: the label {rarest} has only {labels.count(rarest)} of the {len(labels)} examples, so "
            "not one in every fold; lower it, add examples, or give a dev.txt"
        )
    if args.world_size > 1:
        raise ConfigError(
            f"--cross_validation {folds} runs in one process, got {args.world_size}; give a dev.txt, or one process"
        )
    fold_of, starts = deal(labels, folds, args.seed), model.starts_from_examples
    right, sizes = [], []
    with tempfile.TemporaryDirectory(prefix="prompt-kit-") as scratch:
        start = Path(scratch) / "start"
        model.save_pretrained(start)
        for number in range(folds):
            train = [example for example, fold in zip(examples, fold_of) if fold != number]
            held_out = [example for example, fold in zip(examples, fold_of) if fold == number]
            own = copy.copy(args)
            own.output_dir = str(Path(scratch) / f"fold-{number}")
            own.evaluation_strategy, own.save_total_limit, own.report_to = IntervalStrategy.EPOCH, 1, []
            set_seed(args.seed)
            one = type(model).from_pretrained(start)
            one.take_texts(model)
            trainer = PromptTrainer(one, own, train, held_out)
            trainer.pop_callback(ProgressCallback)
            trainer.train()
            found = [entry["eval_accuracy"] for entry in evaluations(trainer.state.log_history, "accuracy")]
            right.append([round(accuracy * len(held_out)) for accuracy in found])
            sizes.append(len(held_out))
            logger.info(
                "fold %d of %d: accuracy %s on %d examples", number + 1, folds,
                " ".join(f"{accuracy:.3f}" for accuracy in found), len(held_out),
            )  # fmt: skip
    if not args.early_stopping_patience:  # the user says how long
        return CrossValidation(folds, None, sum(counts[-1] for counts in right), sum(sizes))
    place, total = best_evaluation(right)
    return CrossValidation(folds, place if starts else place + 1, total, sum(sizes))
