"""Self-training: a model labels texts that have no label, and its successor is trained on them too, in generations.

Generation 0 learns from the labelled examples. Generation g learns from them and from the unlabelled texts, with the
probabilities that generation g - 1 gives their labels as targets, and starts from the pretrained weights again, so that
a mistake of one generation is not kept by the next. Targets are probabilities and not labels, since a few-shot model is
often wrong but less often sure. The generation with the best dev score is the model that training ends with.

Given teachers, their mean probabilities label the texts and generation 0 is not trained.

Source: PET and iPET, Schick & Schütze, Exploiting Cloze Questions for Few Shot Text Classification, EACL 2021
(arXiv:2001.07676): soft labels as in section 3.3, generations as in 3.4, with one model a generation. Several teachers
are PET's ensemble, one model for each prompt.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
import paddle
from paddlenlp.trainer.trainer_callback import TrainerState
from paddlenlp.trainer.trainer_utils import TrainOutput

from prompt_kit.atomic import replace_folder
from prompt_kit.data import Example
from prompt_kit.ensemble import average, check_same_labels
from prompt_kit.ensemble_member import Member, open_member
from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.metrics import softmax
from prompt_kit.training.arguments import PromptTrainingArguments
from prompt_kit.training.batching import EncodedDataset
from prompt_kit.training.checkpoint import START, STATE_FILE, checkpoints, generation_folder
from prompt_kit.training.classifier import TextClassifier, write_json
from prompt_kit.training.pseudo_labels import PseudoLabel, choose, write_pseudo_labels
from prompt_kit.training.results import Results
from prompt_kit.training.trainer import PromptTrainer

logger = logging.getLogger(__name__)

PSEUDO_LABELS_FILE = "pseudo_labels.tsv"
_SETTINGS_FILE = "self_training.json"
_SETTINGS = ("seed", "teacher", "pseudo_label_selection", "pseudo_labels_per_class", "pseudo_label_threshold")


class SelfTrainer(PromptTrainer):
    """A PromptTrainer whose `train` is self-training.

    Args:
        model, args, train_dataset, eval_dataset: of a PromptTrainer; the datasets are Examples with labels.
        unlabelled: texts to pseudo-label, none of which is in a dataset.
        info: what the results record of the run.

    output_dir/start holds the model before its first step, output_dir/generation-N each generation's own run. A
    generation is finished when its eval_results.json is there, which is written last.
    """

    def __init__(
        self,
        model: TextClassifier,
        args: PromptTrainingArguments,
        train_dataset: Sequence[Example],
        eval_dataset: Sequence[Example],
        unlabelled: Sequence[str],
        info: dict[str, Any],
    ):
        super().__init__(model, args, train_dataset, eval_dataset)
        self._labelled = list(train_dataset)
        self._unlabelled = EncodedDataset([Example(text) for text in unlabelled], model.prompt_tokenizer, {})
        self._folder, self._info = Path(args.output_dir), info

    def train(self, resume_from_checkpoint: Optional[str] = None, ignore_keys_for_eval=None) -> TrainOutput:
        """Train every generation and end with the best one; of equally good ones, the last.

        Args:
            resume_from_checkpoint: the output_dir of a run to go on with, behind its finished generations.

        Returns:
            The step, loss and metrics of the best generation, and what became of the others.

        Raises:
            CheckpointError: the run to go on with has other texts or settings.
            ConfigError: the teachers are not sure enough of any text.
        """
        first = 1 if self.args.teacher else 0
        labelled = self._label_texts(1) if first else None  # before anything is written
        if labelled is not None and not len(labelled[0]):
            raise ConfigError(
                f"--pseudo_label_threshold {self.args.pseudo_label_threshold}: the teachers give no text a label with that "
                "probability; lower it"
            )
        self._begin(resume_from_checkpoint)
        runs: list[dict[str, Any]] = []
        taken: list[PseudoLabel] = []
        for number in range(first, self.args.num_generations + 1):
            nothing = (np.arange(0), np.empty((0, 0)))
            rows, probabilities = labelled or (self._label_texts(number) if number else nothing)
            labelled = None
            if number and not len(rows):
                logger.warning("no text is labelled with the threshold's probability: no generation %d", number)
                break
            taken += [self._pseudo_label(row, probabilities[row], number) for row in rows]
            if number and self.args.should_save:
                write_pseudo_labels(self._folder / PSEUDO_LABELS_FILE, taken)
            runs.append(self._train_generation(number, rows, probabilities))
        return self._end_with_the_best(runs)

    def _begin(self, resume_from_checkpoint: Optional[str]) -> None:
        """Keep the model that every generation starts from; or check that the run to go on with is this one."""
        settings = {name: getattr(self.args, name) for name in _SETTINGS}
        settings["examples to train on"] = _digest(f"{one.text_a}\t{one.label}" for one in self._labelled)
        settings["unlabelled texts"] = _digest(one.text_a for one in self._unlabelled.examples)
        start = self._folder / START
        if resume_from_checkpoint is None:
            if self.args.should_save:
                with replace_folder(start) as staging:
                    self.model.save_pretrained(staging)
                    write_json(staging / _SETTINGS_FILE, settings)
            self._wait()
            return
        try:
            with open(Path(resume_from_checkpoint) / START / _SETTINGS_FILE, encoding="utf-8-sig") as file:
                held = json.load(file)
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{start.absolute() / _SETTINGS_FILE} cannot be read: {error}; train again"
            ) from error
        for name, value in settings.items():
            if held.get(name) != value:
                flag = f"--{name}" if name in _SETTINGS else f"the {name},"
                raise CheckpointError(
                    f"{flag} {value} contradicts the run in {resume_from_checkpoint}, which has {held.get(name)}; go on "
                    "with the flags and files that it was started with"
                )

    def _label_texts(self, generation: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows of the unlabelled texts to train on, and what the generation before makes of all texts, [N, C]."""
        args, labels = self.args, self.model.verbalizer.labels
        if generation == 1 and args.teacher:
            probabilities = self._ask_teachers()
        else:
            probabilities = softmax(self.predict_logits(self._unlabelled))
        rows = choose(
            probabilities, args.pseudo_label_selection, args.pseudo_labels_per_class, args.pseudo_label_threshold
        )
        counts = np.bincount(probabilities[rows].argmax(axis=1), minlength=len(labels))
        logger.info(
            "generation %d: %d of %d texts pseudo-labelled (%s)", generation, len(rows), len(self._unlabelled),
            ", ".join(f"{label} {count}" for label, count in zip(labels, counts)),
        )  # fmt: skip
        return rows, probabilities

    def _ask_teachers(self) -> np.ndarray:
        """The mean of the teachers' probabilities of all texts, [N, C]. One teacher is in memory at a time."""
        found = [
            teacher.probabilities(self._unlabelled.examples, 32) for teacher in open_teachers(self.args, self.model)
        ]
        return average(found, [1 / len(found)] * len(found))

    def _pseudo_label(self, row: int, probabilities: np.ndarray, generation: int) -> PseudoLabel:
        best = int(probabilities.argmax())
        text, label = self._unlabelled.examples[row].text_a, self.model.verbalizer.labels[best]
        return PseudoLabel(text, label, float(probabilities[best]), generation)

    def _examples(self, rows: np.ndarray, probabilities: np.ndarray) -> EncodedDataset:
        """The labelled examples, with the texts of `rows` and their `probabilities` [N, C] as targets if there are any."""
        ids, labels = self.model.verbalizer.label_to_id, self.model.verbalizer.labels
        best = [labels[probabilities[row].argmax()] for row in rows]
        taken = [self._unlabelled.examples[row].text_a for row in rows]
        examples = [*self._labelled, *(Example(text, label) for text, label in zip(taken, best))]
        targets = None
        if len(rows):
            known = np.eye(len(ids))[[ids[example.label] for example in self._labelled]]
            targets = np.concatenate([known, probabilities[rows]]).astype("float32")
        return EncodedDataset(examples, self.model.prompt_tokenizer, ids, targets)

    def _train_generation(self, number: int, rows: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
        """Train a generation, unless that is done, and leave its weights in the model. Returns its metrics."""
        folder = generation_folder(self._folder, number)
        results = Results(str(folder), {**self._info, "generation": number, "pseudo_labels": len(rows)})
        if (folder / "eval_results.json").is_file():
            logger.info("generation %d: trained already, in %s", number, folder)
            self.model.load_weights(folder)
            return results.read()
        args = copy.copy(self.args)
        args.output_dir, args.logging_dir = str(folder), str(Path(self.args.logging_dir) / folder.name)
        # a model of its own: Paddle's data parallel training cannot wrap one's parameters twice
        model = type(self.model).from_pretrained(self._folder / START)
        trainer = PromptTrainer(model, args, self._examples(rows, probabilities), self.eval_dataset)
        held = checkpoints(folder)
        results.write("train", trainer.train(str(held[-1]) if held else None).metrics)
        trainer.save_model()
        trainer.save_state()
        results.write("eval", trainer.evaluate())
        self._wait()
        self.model.load_weights(folder)
        return results.read()

    def _end_with_the_best(self, runs: Sequence[dict[str, Any]]) -> TrainOutput:
        key = "eval_" + self.args.metric_for_best_model.replace("eval_", "", 1)
        sign = 1 if self.args.greater_is_better else -1
        by_number = {run["generation"]: run for run in runs}
        best = max(by_number, key=lambda number: (sign * by_number[number][key], number))
        for number, run in by_number.items():
            logger.info(
                "generation %d: %d pseudo-labels, dev accuracy %.4f%s",
                number, run["pseudo_labels"], run["eval_accuracy"], " (the best)" if number == best else "",
            )  # fmt: skip
        folder = generation_folder(self._folder, best)
        self.model.load_weights(folder)
        self.state = TrainerState.load_from_json(str(folder / STATE_FILE))
        metrics = {name: value for name, value in by_number[best].items() if name.startswith("train_")}
        metrics["train_runtime"] = sum(run["train_runtime"] for run in runs)
        metrics["best_generation"] = best
        metrics["generations"] = [{name: run[name] for name in ("pseudo_labels", key, "eval_accuracy")} for run in runs]
        return TrainOutput(self.state.global_step, metrics["train_loss"], metrics)

    def _wait(self) -> None:
        """No process may look for a file before it is there."""
        if self.args.world_size > 1:
            paddle.distributed.barrier()


def open_teachers(args: PromptTrainingArguments, model: TextClassifier) -> list[Member]:
    """The folders of --teacher, unloaded. BundleError or ConfigError for one that is no model of the same labels."""
    teachers = [open_member("teacher", path) for path in args.teacher or ()]
    for teacher in teachers:
        check_same_labels(model.verbalizer.labels, "the model to train", teacher.verbalizer.labels, str(teacher.folder))
    return teachers


def _digest(lines) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()[:16]
