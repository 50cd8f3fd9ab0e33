"""What tools/meta_train.py does: read the tasks, build, train, evaluate on labels that were not seen, and write the folder."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
from paddlenlp.trainer import set_seed

from prompt_kit.atomic import replace_file
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.inference.prototypes import unit
from prompt_kit.locks import own_folder
from prompt_kit.prompt.prompt_tokenizer import Features
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.loop.device import use_device
from prompt_kit.training.loop.output_folder import clear
from prompt_kit.training.meta_learning.arguments import MetaArguments
from prompt_kit.training.meta_learning.episodes import (
    Episode,
    EpisodeSource,
    Size,
    centroid_accuracy,
    draw_many,
    mean_interval,
)
from prompt_kit.training.meta_learning.gradient_learners import Adapter, FirstOrderMAML, Reptile
from prompt_kit.training.meta_learning.prototype_learner import PrototypeLearner
from prompt_kit.training.meta_learning.tasks import Task, Tasks, read_tasks, without_labels_of
from prompt_kit.training.models.base import write_json
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.training.runtime import set_verbosity
from prompt_kit.versions import installed_versions

logger = logging.getLogger(__name__)

RESULTS_FILE = "meta_results.json"
_EXAMPLES_A_LABEL = 100  # that the head of the written model is started from
_EVALUATION_SEED = 20170515  # of the episodes, so that all models are asked the same

Learner = Union[PrototypeLearner, FirstOrderMAML, Reptile]
Accuracies = dict[str, list[float]]


@contextlib.contextmanager
def output_folder(args: MetaArguments) -> Iterator[None]:
    """The folder of a run, inside this context: checked before anything is loaded, and no other process works in it.

    Sets up logging too. Raises ConfigError where the run would write over something else, or another process is at work.
    """
    logging.basicConfig(format="%(message)s")
    logging.getLogger("prompt_kit").setLevel(logging.INFO)
    set_verbosity(False)
    folder = Path(args.output_dir)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--output_dir {folder} is a file; expected a folder, or a name that is free")
    with own_folder(args.output_dir):
        if any(folder.iterdir()) and not (args.overwrite_output_dir and (folder / RESULTS_FILE).is_file()):
            raise ConfigError(
                f"--output_dir {folder} holds something already ({folder.absolute()}); choose another folder, or with a run of "
                "this program in it --overwrite_output_dir"
            )
        yield


class Session:
    """A run: its tasks, model and learner."""

    def __init__(self, args: MetaArguments):
        use_device(args.device)
        set_seed(args.seed)
        self.args = args
        self.tasks = read_tasks(args.data_dir)
        self._sources = [EpisodeSource(part.labels, str(part.folder / "train.txt")) for part in self.tasks.parts]
        for source in self._sources:
            source.usable(args.size)  # says what is wrong before a model is loaded
        unseen = None if args.eval_data_dir is None else self._read_unseen(args.eval_data_dir)
        self.model = self._build(self.tasks.verbalizer)
        self._features = [self._encode(part) for part in self.tasks.parts]
        self._center()
        self.learner, adapter = self._learner()
        self._evaluation = None if unseen is None else self._prepare(unseen, adapter)

    def train(self) -> float:
        """Train; the mean loss of the last tenth of the steps."""
        args, rng = self.args, np.random.default_rng(self.args.seed)
        every, losses = max(1, args.steps // 10), []
        for step in range(1, args.steps + 1):
            losses.append(self.learner.step([self._draw(rng) for _ in range(args.tasks_per_step)]))
            if not math.isfinite(losses[-1]):
                raise ConfigError(f"the loss of step {step} is no number: training ran away; lower the learning rates")
            if step % every == 0:
                logger.info("step %d of %d: loss %.4f", step, args.steps, np.mean(losses[-every:]))
        self.learner.finish()
        return float(np.mean(losses[-every:]))

    def evaluate(self) -> Accuracies:
        """Accuracies of the same episodes of unseen labels for each number of shots; {} without --eval_data_dir."""
        return {} if self._evaluation is None else self._evaluation()

    def finish(self, loss: float, before: Accuracies, after: Accuracies) -> None:
        """Start the head from examples of the labels that were trained on, and write the folder."""
        if self.args.algorithm == "prototype":
            self._start_head()
        folder = Path(self.args.output_dir)
        clear(folder)
        self.model.save_pretrained(folder)
        results = {
            "arguments": {**asdict(self.args), "eval_shots": list(self.args.eval_shots)},
            "base_model": self.model.config.base_model,
            "template": str(self.model.template),
            "loss": loss,
            "evaluation": compare(before, after),
            "versions": installed_versions(),
        }
        with replace_file(folder / RESULTS_FILE) as staging:
            write_json(staging, results)
        logger.info("wrote %s", folder)

    # -- parts --------------------------------------------------------------------------------------------------------

    def _build(self, verbalizer: Verbalizer) -> PromptModel:
        args = self.args
        model = PromptModel.build(
            verbalizer, args.prompt, args.model_name_or_path, args.soft_encoder, args.encoder_hidden_size, args.verbalizer,
            args.max_seq_length,
        )  # fmt: skip
        if args.freeze_plm:
            model.freeze_language_model()
        return model

    def _encode(self, part: Task) -> list[Features]:
        return self.model.prompt_tokenizer.encode_many(part.examples)

    def _center(self) -> None:
        """Put the head's centre to where the texts are, which the label words alone do not say."""
        if self.model.config.head == "cosine":
            features, _ = self._some(_EXAMPLES_A_LABEL // 4)
            self.model.head.center.set_value(self.model.mask_states(features).mean(axis=0))

    def _some(self, most: int) -> tuple[list[Features], np.ndarray]:
        """The first examples of each label, `most` at most, and their labels."""
        chosen, labels = [], []
        for features, part in zip(self._features, self.tasks.parts):
            for label in dict.fromkeys(part.labels):
                places = [place for place, one in enumerate(part.labels) if one == label][:most]
                chosen += [features[place] for place in places]
                labels += [label] * len(places)
        return chosen, np.array(labels)

    def _start_head(self) -> None:
        scale = self.model.head.scale.numpy()
        self.model.start_from_examples(*self._some(_EXAMPLES_A_LABEL))
        self.model.head.scale.set_value(scale)

    def _learner(self) -> tuple[Learner, Optional[Adapter]]:
        args = self.args
        if args.algorithm == "prototype":
            return PrototypeLearner(self.model, args.steps, args.learning_rate, args.prompt_learning_rate), None
        adapter = Adapter(self.model, args.inner_steps, args.inner_learning_rate)
        if args.algorithm == "fomaml":
            return FirstOrderMAML(adapter, args.steps, args.prompt_learning_rate), adapter
        return Reptile(adapter, args.steps, args.reptile_rate), adapter

    def _draw(self, rng: np.random.Generator) -> tuple[Sequence[Features], Episode]:
        number = int(rng.integers(len(self._sources)))
        return self._features[number], self._sources[number].draw(self.args.size, rng)

    def _read_unseen(self, folder: str) -> Tasks:
        """The texts to evaluate on, of labels that are not trained on."""
        tasks, left = without_labels_of(read_tasks([folder], ("train", "dev", "test")), self.tasks.verbalizer)
        if left:
            logger.info("evaluation leaves out the labels that training has: %s", ", ".join(left))
        if len(tasks.parts) > 1:
            raise DataError(f"--eval_data_dir {folder}: expected one data folder, found {len(tasks.parts)}")
        EpisodeSource(tasks.parts[0].labels, f"--eval_data_dir {folder}").usable(self._sizes()[-1])
        return tasks

    def _sizes(self) -> list[Size]:
        return [Size(self.args.ways, shots, self.args.eval_queries) for shots in sorted(self.args.eval_shots)]

    def _prepare(self, tasks: Tasks, adapter: Optional[Adapter]) -> Callable[[], Accuracies]:
        (part,) = tasks.parts
        features, source = self._encode(part), EpisodeSource(part.labels, str(part.folder))

        def episodes(size: Size) -> Iterator[Episode]:
            return draw_many(source, size, self.args.eval_episodes, _EVALUATION_SEED)

        learner = self.learner
        if adapter is None or isinstance(learner, PrototypeLearner):

            def by_centroids() -> Accuracies:
                states = self._unit_states(features)
                return {
                    f"{size.shots}-shot": [centroid_accuracy(states, one) for one in episodes(size)]
                    for size in self._sizes()
                }

            return by_centroids
        other = self._build(tasks.verbalizer)  # a head of other labels, and the same language model and prompt
        if other.config.head == "cosine":
            other.head.center.set_value(self.model.head.center)
        asked = Adapter(other, self.args.inner_steps, self.args.inner_learning_rate)

        def by_adapting() -> Accuracies:
            return {
                f"{size.shots}-shot": [asked.accuracy(learner.start, features, one) for one in episodes(size)]
                for size in self._sizes()
            }

        return by_adapting

    def _unit_states(self, features: Sequence[Features]) -> np.ndarray:
        return unit(self.model.mask_states(features) - self.model.head.center.numpy())


def compare(before: Accuracies, after: Accuracies) -> dict[str, Any]:
    """Mean accuracies with half of their 95 % intervals, and of the differences on the same episodes."""
    found: dict[str, Any] = {}
    for name, values in after.items():
        difference = np.asarray(values) - np.asarray(before[name])
        found[name] = {"episodes": len(values)}
        for key, each in (("before", before[name]), ("after", values), ("difference", difference)):
            mean, half = mean_interval(each)
            found[name][key] = {"accuracy": mean, "interval": half}
    return found


def report(before: Accuracies, after: Accuracies) -> None:
    """Log the comparison."""
    for name, one in compare(before, after).items():
        shown = {
            key: f"{100 * one[key]['accuracy']:.2f} ± {100 * one[key]['interval']:.2f}"
            for key in one
            if key != "episodes"
        }
        logger.info(
            "%s, %d episodes of unseen labels: accuracy %s %% before, %s %% after, difference %s",
            name, one["episodes"], shown["before"], shown["after"], shown["difference"],
        )  # fmt: skip
