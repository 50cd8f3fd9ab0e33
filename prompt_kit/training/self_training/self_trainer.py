"""Self-training: a model labels texts that have no label, and its successor is trained on them too, in generations.

Generation 0 learns from the labelled examples. Generation g learns from them and from the unlabelled texts, with the
probabilities that generation g - 1 gives their labels as targets, and starts from the pretrained weights again, so that
a mistake of one generation is not kept by the next. Targets are probabilities and not labels, since a few-shot model is
often wrong but less often sure. The generation with the best dev score is the model that training ends with.

With several teachers, trained here from different seeds or given, their mean probabilities label the texts in place of
generation 0's. They do not compete with the generations for the best dev score: the best of many is the luckiest.

Source: PET and iPET, Schick & Schütze, Exploiting Cloze Questions for Few Shot Text Classification, EACL 2021
(arXiv:2001.07676): soft labels as in section 3.3, generations as in 3.4, with one model a generation. Several teachers
are PET's ensemble, one model for each prompt.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
import paddle
from paddlenlp.trainer.trainer_callback import TrainerState
from paddlenlp.trainer.trainer_utils import TrainOutput

from prompt_kit.atomic import replace_folder
from prompt_kit.data.dataset import Example
from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.inference.ensemble import average, check_same_labels
from prompt_kit.inference.ensemble_member import Member, open_member
from prompt_kit.json_file import number as any_number
from prompt_kit.json_file import read_object, whole, write_json
from prompt_kit.metrics import softmax
from prompt_kit.training.export.trained_member import TrainedMember
from prompt_kit.training.loop.arguments import PromptTrainingArguments
from prompt_kit.training.loop.batching import EncodedDataset
from prompt_kit.training.loop.checkpoint import START, STATE_FILE, checkpoints, generation_folder, teacher_folder
from prompt_kit.training.loop.results import Results
from prompt_kit.training.loop.trainer import PromptTrainer
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.training.self_training.pseudo_labels import PSEUDO_LABELS_FILE, PseudoLabel, choose, write_pseudo_labels

logger = logging.getLogger(__name__)

_NOTHING = (np.arange(0), np.empty((0, 0)))  # no rows, and no probabilities
_SETTINGS_FILE = "self_training.json"
# Of a generation that learns from unlabelled texts; longer ones had their best dev scores before: docs/methods.md.
_STEPS = 1000
_SETTINGS = (
    "seed",
    "teacher",
    "num_teachers",
    "pseudo_label_selection",
    "pseudo_labels_per_class",
    "pseudo_label_threshold",
)
_RESULTS = {
    **{name: any_number() for name in ("train_loss", "train_runtime", "eval_loss", "eval_accuracy", "eval_macro_f1")},
    **{name: whole(0, 10**9).optional() for name in ("teacher", "generation", "pseudo_labels")},
}


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
        # given teachers label before anything is written
        taught = self._label_by_teachers(self.args.teacher) if self.args.teacher else None
        self._begin(resume_from_checkpoint)
        if self.args.num_teachers:
            taught = self._label_by_teachers(self._train_teachers())
        runs: list[dict[str, Any]] = []
        taken: list[PseudoLabel] = []
        for number in range(1 if taught else 0, self.args.num_generations + 1):
            rows, probabilities = taught or (self._label_texts(number) if number else _NOTHING)
            taught = None
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
        held = read_object(Path(resume_from_checkpoint) / START / _SETTINGS_FILE, CheckpointError, "train again")
        for name, value in settings.items():
            if held.get(name) != value:
                flag = f"--{name}" if name in _SETTINGS else f"the {name},"
                raise CheckpointError(
                    f"{flag} {value} contradicts the run in {resume_from_checkpoint}, which has {held.get(name)}; go on "
                    "with the flags and files that it was started with"
                )

    def _train_teachers(self) -> list[str]:
        """Train the models of seed, seed + 1, … on the labelled examples alone. Returns their folders."""
        folders = [teacher_folder(self._folder, number) for number in range(self.args.num_teachers)]
        for number, folder in enumerate(folders):
            self._train_in(folder, self.args.seed + number, *_NOTHING, {"teacher": number})
        return [str(folder) for folder in folders]

    def _label_by_teachers(self, folders: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """As _label_texts, by the mean of the models' probabilities. One model is in memory at a time."""
        teachers = open_teachers(folders, self.model)
        found = [teacher.probabilities(self._unlabelled.examples, 32) for teacher in teachers]
        rows, probabilities = self._choose(average(found, [1 / len(found)] * len(found)), 1)
        if not len(rows):
            raise ConfigError(
                f"--pseudo_label_threshold {self.args.pseudo_label_threshold}: the teachers give no text a label with that "
                "probability; lower it"
            )
        return rows, probabilities

    def _label_texts(self, generation: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows of the unlabelled texts to train on, and what the generation before makes of all texts, [N, C]."""
        return self._choose(softmax(self.predict_logits(self._unlabelled)), generation)

    def _choose(self, probabilities: np.ndarray, generation: int) -> tuple[np.ndarray, np.ndarray]:
        args, labels = self.args, self.model.verbalizer.labels
        rows = choose(
            probabilities, args.pseudo_label_selection, args.pseudo_labels_per_class, args.pseudo_label_threshold
        )
        counts = np.bincount(probabilities[rows].argmax(axis=1), minlength=len(labels))
        logger.info(
            "generation %d: %d of %d texts pseudo-labelled (%s)", generation, len(rows), len(self._unlabelled),
            ", ".join(f"{label} {count}" for label, count in zip(labels, counts)),
        )  # fmt: skip
        return rows, probabilities

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
        about = {"generation": number, "pseudo_labels": len(rows)}
        return self._train_in(generation_folder(self._folder, number), self.args.seed, rows, probabilities, about)

    def _train_in(
        self, folder: Path, seed: int, rows: np.ndarray, probabilities: np.ndarray, about: dict[str, int]
    ) -> dict[str, Any]:
        """Train a model in a folder, unless that is done, and leave its weights in the model. Returns its metrics."""
        results = Results(str(folder), {**self._info, "seed": seed, **about})
        if (folder / "eval_results.json").is_file():
            logger.info("%s: trained already", folder)
            self.model.load_weights(folder)
            return read_object(
                folder / "all_results.json", CheckpointError, f"delete {folder} to train it again", _RESULTS
            )
        args = copy.copy(self.args)
        args.seed, args.output_dir = seed, str(folder)
        args.logging_dir = str(Path(self.args.logging_dir) / folder.name)
        examples = self._examples(rows, probabilities)
        if len(rows) and args.early_stopping_patience:  # it is 0 where the user says how long to train
            args.num_train_epochs = min(args.num_train_epochs, _epochs(args, len(examples)))
        # a model of its own: Paddle's data parallel training cannot wrap one's parameters twice
        model = type(self.model).from_pretrained(self._folder / START)
        if not len(rows) and isinstance(model, PromptModel):  # it labels the texts: its head is started from them too
            model.start_from_texts([one.text_a for one in self._unlabelled.examples], args.per_device_eval_batch_size)
        trainer = PromptTrainer(model, args, examples, self.eval_dataset)
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


def _epochs(args: PromptTrainingArguments, examples: int) -> int:
    """So many epochs as come nearest to _STEPS steps, and two at least."""
    batch = args.per_device_train_batch_size * args.world_size * args.gradient_accumulation_steps
    return max(2, round(_STEPS / math.ceil(examples / batch)))


def open_teachers(folders: Sequence[str], model: TextClassifier) -> list[Member]:
    """The models, not loaded yet. BundleError or ConfigError for a folder that holds none of the same labels."""
    teachers = [open_member("teacher", path, lambda: TrainedMember) for path in folders]
    for teacher in teachers:
        check_same_labels(model.verbalizer.labels, "the model to train", teacher.verbalizer.labels, str(teacher.folder))
    return teachers


def _digest(lines) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()[:16]
