"""The report of a run: test.txt, or dev.txt where there is no labelled test.txt, as the model in memory answers it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Optional

import numpy as np

from prompt_kit.data.dataset import Dataset, Example
from prompt_kit.errors import DataError
from prompt_kit.inference.carried_examples import Neighbour, TrainingExamples
from prompt_kit.inference.explanation import explain
from prompt_kit.report.curves import read_curves
from prompt_kit.report.evaluation import Case, Evaluation
from prompt_kit.report.writer import write_report
from prompt_kit.training.loop.prediction import predict_probabilities
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.models.mask_states import mask_states

FOLDER = "report"
_EXPLAINED = 30  # wrong cases: each takes a pass a character
_NEAREST = 3
_EXAMPLES = 2000  # training texts that are looked through


def reported(dataset: Dataset) -> tuple[str, Sequence[Example]]:
    """(split, examples) that a report is about. DataError where neither test.txt nor dev.txt has labels to compare with."""
    for split, examples in (("test", dataset.test), ("dev", dataset.dev)):
        if examples and all(one.label is not None for one in examples):
            return split, examples
    raise DataError(
        f"--report: nothing in {dataset.folder} to compare with that this run reads; expected --do_predict and a test.txt with "
        "labels, or --do_eval and a dev.txt"
    )


def write_run_report(
    model: TextClassifier, dataset: Dataset, folder: Path, run: Path, info: dict[str, Any], language: str
) -> Path:
    """Write `folder`/report and return its page's path.

    Args:
        run: the training folder, whose trainer_state.json has the curves, if it is there.
        info: what the results files record of the run.
    """
    split, examples = reported(dataset)
    evaluation = evaluate_model(model, split, examples, dataset.train)
    facts = {"model": info.get("base_model"), **{key: info.get(key) for key in ("template", "mode", "data", "seed")}}
    return write_report(folder / FOLDER, evaluation, language, facts, read_curves(run))


def evaluate_model(
    model: TextClassifier, split: str, examples: Sequence[Example], train: Optional[Sequence[Example]] = None
) -> Evaluation:
    """The model's answers to labelled examples, and why the most confident wrong ones are wrong.

    train: examples to name the nearest of; None names none.
    """
    classify = partial(predict_probabilities, model)
    reads = model.prompt_tokenizer.what_is_read(examples)
    num_cut = sum(any(one.is_cut for one in each) for each in reads)
    labels = model.verbalizer.labels
    evaluation = Evaluation(split, labels, examples, classify(examples), num_cut, task=model.task)
    cases = evaluation.cases[:_EXPLAINED]
    # of several labels one may be missing, for which no character speaks
    explained = [] if model.task.several else [examples[case.row] for case in cases]
    found = explain(classify, [model.prompt_tokenizer], labels, explained)
    evaluation.explanations.update({case.row: one for case, one in zip(cases, found)})
    evaluation.neighbours.update(nearest(model, examples, cases, train))
    return evaluation


def nearest(
    model: TextClassifier, examples: Sequence[Example], cases: Sequence[Case], train: Optional[Sequence[Example]]
) -> dict[int, tuple[Neighbour, ...]]:
    """Row -> the training examples whose states at the mask are nearest to the text's, by the cosine about their mean."""
    if not train or not cases:
        return {}
    train = list(train)[:_EXAMPLES]
    known = TrainingExamples.of(train, _states(model, train))
    found = known.nearest(_states(model, [examples[case.row] for case in cases]), _NEAREST)
    return {case.row: near for case, near in zip(cases, found)}


def _states(model: TextClassifier, examples: Sequence[Example]) -> np.ndarray:
    """[N, M H]."""

    def read(**batch):
        return model(**batch, return_mask_states=True)[1]

    return mask_states(model, read, model.prompt_tokenizer.encode_many(examples), model.tokenizer.pad_id)
