"""PromptClassifier: the front door. A scikit-learn classifier of texts; Paddle is imported when it is first needed.

clf = PromptClassifier({"news_car": "汽车", "news_sports": "体育"})
clf.predict(["今晚国足迎战日本队"])                 # zero-shot
clf.fit(texts, labels, eval_data=(dev_texts, dev_labels)).evaluate(test_texts, test_labels)
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from prompt_kit.atomic import replace_files
from prompt_kit.classifier_folder import (
    CLASSIFIER_FILE,
    FORMAT_VERSION,
    RESULTS_FILE,
    read_classifier,
    read_json,
    settings_of,
    settings_to_json,
)
from prompt_kit.data.dataset import AText, Example
from prompt_kit.data.lines import PathLike
from prompt_kit.errors import CheckpointError, ConfigError, DataError, DependencyError
from prompt_kit.json_file import write_json
from prompt_kit.prompt.classes import Classes
from prompt_kit.prompt.given_data import GivenData, examples_of
from prompt_kit.prompt.task import Task
from prompt_kit.prompt.template import Template

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.exceptions import NotFittedError
except ImportError as error:
    raise DependencyError(
        "scikit-learn is not installed; PromptClassifier needs the extra 'cpu': "
        'pip install ".[cpu]" in the clone, or pip install "prompt-kit[cpu]"'
    ) from error

if TYPE_CHECKING:
    from prompt_kit.inference.predictor import Predictor
    from prompt_kit.training.models.base import TextClassifier

_OWN = ("labels", "options", "verbose", "text_pairs")  # parameters that are no flags of train.py


class NotTrainedError(ConfigError, NotFittedError):
    """The classifier cannot answer before `fit`: it has no labels yet, or its method starts at random."""


class PromptClassifier(ClassifierMixin, BaseEstimator):
    """Classifies texts by a prompt: zero-shot from the label words at once, better after `fit` on a few examples.

    The parameters are the flags of train.py that are used most, by the same names and with the same defaults, and None is
    "not given"; `options` takes the others. With the same data, parameters and seed the model is train.py's.

    Args:
        labels: {label: word, or list of words}, in any order; labels may be strings, numbers, anything hashable. Or a list
            of labels that are their own words, or the path of a label.txt or of the folder that it is in. None: the labels
            that `fit` sees, as their own words.
        prompt: a template, or plain words; None chooses one of a few neutral ones.
        model_name_or_path: folder or PaddleNLP name of a language model; None as train.py chooses.
        method: `prompt`, or `finetune`, which cannot predict before `fit`.
        verbalizer: the head: `cosine`, `soft`, `manual` or `prototype`.
        task_type: `multi-class`, one label a text; `multi-label`, any number; `hierarchical`, such labels with levels, a##b
            under a. With several labels a text, y holds a list of labels a text, or is a matrix [N, C] of ones and zeros with
            the columns of `classes_`, which is what `predict` gives.
        text_pairs: X holds pairs of texts, (text_a, text_b) each; so it does where `prompt` is a template with text_b.
        calibrate: take away what the prompt says of the labels by itself.
        max_seq_length: longest input in tokens, prompt included.
        num_train_epochs: epochs; given, so many are trained, without early stopping.
        learning_rate, ppt_learning_rate: peak rates of the language model, and of prompt and head.
        per_device_train_batch_size, per_device_eval_batch_size: texts a batch.
        use_rdrop: two passes with different dropout must agree.
        early_stopping_patience: evaluations without a better score before training stops.
        seed: of training.
        device: `cpu`, `gpu`, `gpu:0`; None: a GPU if there is one.
        options: {flag of train.py, without the dashes: value}, such as {"soft_encoder": "mlp", "ema_decay": 0.0}.
        verbose: show progress and what was chosen, on stderr.

    Attributes:
        classes_: [C] the labels, sorted, as scikit-learn's scorers expect it of the columns of `predict_proba`; the model
            itself, its folders and its export keep the order in which they were given.
        model_: the PromptModel or FineTuneModel.
        results_: what `fit` measured, as all_results.json of train.py has it.

    A mistake in arguments or data is a PromptKitError, which is a ValueError too. `fit` replaces whatever was trained
    before and leaves nothing in the working directory; device and random states stay the caller's.
    """

    def __init__(
        self,
        labels: Any = None,
        *,
        prompt: Optional[str] = None,
        model_name_or_path: Optional[str] = None,
        method: str = "prompt",
        verbalizer: str = "cosine",
        task_type: str = "multi-class",
        text_pairs: bool = False,
        calibrate: bool = False,
        max_seq_length: int = 128,
        num_train_epochs: Optional[float] = None,
        learning_rate: Optional[float] = None,
        ppt_learning_rate: Optional[float] = None,
        per_device_train_batch_size: int = 16,
        per_device_eval_batch_size: int = 32,
        use_rdrop: bool = True,
        early_stopping_patience: Optional[int] = None,
        seed: int = 42,
        device: Optional[str] = None,
        options: Optional[Mapping[str, Any]] = None,
        verbose: bool = True,
    ):
        self.labels = labels
        self.prompt = prompt
        self.model_name_or_path = model_name_or_path
        self.method = method
        self.verbalizer = verbalizer
        self.task_type = task_type
        self.text_pairs = text_pairs
        self.calibrate = calibrate
        self.max_seq_length = max_seq_length
        self.num_train_epochs = num_train_epochs
        self.learning_rate = learning_rate
        self.ppt_learning_rate = ppt_learning_rate
        self.per_device_train_batch_size = per_device_train_batch_size
        self.per_device_eval_batch_size = per_device_eval_batch_size
        self.use_rdrop = use_rdrop
        self.early_stopping_patience = early_stopping_patience
        self.seed = seed
        self.device = device
        self.options = options
        self.verbose = verbose

    # -- training -----------------------------------------------------------------------------------------------------

    def fit(
        self, X: Any = None, y: Any = None, *, eval_data: Any = None, unlabeled_data: Any = None
    ) -> PromptClassifier:
        """Train on texts and their labels, or on a folder as train.py reads it.

        Args:
            X: texts, in a list, tuple, array or Series; or the path of a folder with train.txt, and label.txt, dev.txt and
                data.txt if there are any; or None to start from label words and `unlabeled_data` alone.
            y: a label a text; None with a folder.
            eval_data: (texts, labels), or the path of a labelled file. The model with the best accuracy on them is kept.
                Without them a cosine head is started from the examples, which needs no training, and judged by
                leave-one-out; with `num_train_epochs`, or another head, it is trained to the end and not judged.
            unlabeled_data: texts without labels, or the path of a file of them, which help the cosine head to start.

        Returns:
            The classifier itself.

        Raises:
            DataError: columns of unequal lengths, empty, or of other things than texts and labels; an unknown label.
            ConfigError: a parameter is out of range.
        """
        with self._at_work():
            from prompt_kit.training.loop import in_memory

            settings = self._settings()
            classes, train, dev, unlabelled = self._read(
                X, y, eval_data, unlabeled_data, in_memory.starts_well(settings)
            )
            verbose, pairs = bool(self.verbose), self._pairs
            model, results = in_memory.train(settings, classes.verbalizer, train, dev, unlabelled, verbose, pairs)
        self._files = None
        self._classes, self._model, self.results_ = classes, model, results
        return self

    def _read(self, X: Any, y: Any, eval_data: Any, unlabeled_data: Any, starts_well: bool) -> tuple:
        """(classes, training Examples or None, dev Examples or None, unlabelled texts or None)."""
        given = self._given_data
        train, dev = None, None
        unlabelled: Optional[Sequence[AText]] = None
        if y is None and isinstance(X, (str, os.PathLike)):
            classes, train, dev, unlabelled = given.folder(Path(X), starts_well, self.calibrate)
        elif X is None:
            if unlabeled_data is None or y is not None:
                raise DataError("fit needs texts and labels, or a folder; without them at least unlabeled_data")
            classes = Classes.from_labels(self._given_labels())
        elif y is None:
            raise DataError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: give every text its label"
            )
        else:
            classes, train = given.columns(X, y)
        if eval_data is not None:
            dev = given.labelled(eval_data, classes, "eval_data")
        if unlabeled_data is not None:
            unlabelled = given.unlabelled(unlabeled_data, classes)
        return classes, train, dev, unlabelled

    # -- prediction ---------------------------------------------------------------------------------------------------

    def predict(self, X: Any) -> np.ndarray:
        """[N] the label of each text, of the type that the labels were given in. Before `fit`: zero-shot.

        Where a text may have several, int [N, C] of ones and zeros, as scikit-learn has it; `predict_labels` names them.

        Raises NotTrainedError, which is a NotFittedError, where there is nothing to predict with before `fit`.
        """
        probabilities = self.predict_proba(X)
        if self._several:
            return self._model_task().chosen(probabilities).astype(int)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_labels(self, X: Any) -> list[tuple]:
        """The labels of each text, however many, in the order of `classes_`."""
        if not self._several:
            return [(label,) for label in self.predict(X)]
        classes = self.classes_.tolist()
        return [tuple(label for label, there in zip(classes, row) if there) for row in self.predict(X)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """[N, C] float64, the probability of each label, in the order of `classes_`."""
        return self._probabilities(examples_of(self._given_data.texts(X)))[:, self._get_classes().order]

    def _probabilities(self, examples: Sequence[Example]) -> np.ndarray:
        """[N, C] in the order of the model's labels."""
        with self._at_work():
            from prompt_kit.training.loop.prediction import predict_probabilities

            return predict_probabilities(self._get_model(), examples, self._eval_batch_size())

    def evaluate(self, X: Any, y: Any = None) -> dict[str, float]:
        """{"accuracy", "macro_f1", "loss"} on texts and their labels, or on a labelled file such as data/tnews/test.txt.

        Where a text may have several labels, also "micro_f1"; the accuracy is of texts all of whose labels are right.
        """
        classes = self._get_classes()
        is_file = y is None and isinstance(X, (str, os.PathLike))
        if y is None and not is_file:
            raise DataError("evaluate needs labels: evaluate(texts, labels), or the path of a labelled file")
        examples = self._given_data.labelled(X if is_file else (X, y), classes, "test")
        probabilities, task = self._probabilities(examples), self._model_task()
        labels = classes.verbalizer.labels
        gold = task.targets([example.label for example in examples], classes.verbalizer.label_to_id)
        return {**task.scores(probabilities, gold, labels), "loss": task.loss_of(probabilities, gold)}

    def report(self, X: Any, y: Any = None, folder: PathLike = "report", language: str = "en") -> Path:
        """Write a page about how the model does on texts and their labels, or on a labelled file; see docs/report.md.

        Args:
            folder: gets report.html, its pictures and the table of wrong cases; what else is in it stays.
            language: of the page, `en` or `zh`.

        Returns:
            The path of report.html. Raises DependencyError without the extra 'report'.
        """
        from prompt_kit.report.writer import check_report, write_report

        check_report(folder, language)
        classes = self._get_classes()
        is_file = y is None and isinstance(X, (str, os.PathLike))
        if y is None and not is_file:
            raise DataError("report needs labels: report(texts, labels), or the path of a labelled file")
        examples = self._given_data.labelled(X if is_file else (X, y), classes, "test")
        split = Path(X).stem if is_file else "test"
        with self._at_work():
            from prompt_kit.training.loop.run_report import evaluate_model

            model = self._get_model()
            evaluation = evaluate_model(model, split, examples)
        facts = {"model": model.config.base_model, "template": str(model.template), "mode": model.config.mode}
        return write_report(folder, evaluation, language, facts)

    @property
    def classes_(self) -> np.ndarray:
        """[C] the labels, sorted."""
        return self._get_classes().array

    @property
    def model_(self) -> TextClassifier:
        """The PromptModel or FineTuneModel; before `fit` the zero-shot one."""
        with self._at_work():
            return self._get_model()

    @property
    def _pairs(self) -> bool:
        """Whether two texts are classified together."""
        has_b = self.prompt is not None and "text_b" in Template.from_prompt(self.prompt).fields
        if self.text_pairs and self.prompt is not None and not has_b:
            raise ConfigError(
                f"text_pairs contradicts the prompt {self.prompt!r}, which reads one text; put text_b into it"
            )
        return has_b or self.text_pairs

    @property
    def _given_data(self) -> GivenData:
        return GivenData(self.labels, self._task, self._pairs)

    @property
    def _several(self) -> bool:
        return self._task.several

    @property
    def _task(self) -> Task:
        """As it is asked for, without a threshold."""
        return Task(self.task_type)

    def _model_task(self) -> Task:
        return self.model_.task

    # -- folders ------------------------------------------------------------------------------------------------------

    def save(self, folder: PathLike) -> None:
        """Write the model into a folder that is new, empty or an earlier save; also export.py and train.py open it.

        Raises CheckpointError for another folder, or where nothing can be written.
        """
        path = Path(folder)
        if path.exists() and not path.is_dir():
            raise CheckpointError(f"{path}: is a file; expected a folder, or a name that is free")
        if path.is_dir() and any(path.iterdir()) and not (path / CLASSIFIER_FILE).is_file():
            raise CheckpointError(
                f"{path} holds something else than a saved classifier ({path.absolute()}); choose another folder"
            )
        content = {
            "format_version": FORMAT_VERSION,
            "classes": self._get_classes().to_json(),
            "settings": settings_to_json(self.get_params(deep=False)),
        }
        with self._at_work():
            model = self._get_model()
            try:
                with replace_files(path) as staging:
                    model.save_pretrained(staging)
                    write_json(staging / CLASSIFIER_FILE, content)
                    write_json(staging / RESULTS_FILE, getattr(self, "results_", {"mode": model.config.mode}))
            except OSError as error:
                raise CheckpointError(f"cannot write {path.absolute()}: {error.strerror or error}") from error

    @classmethod
    def load(cls, folder: PathLike, *, device: Optional[str] = None, verbose: bool = True) -> PromptClassifier:
        """Open a folder that `save` wrote, or the output_dir of train.py or a checkpoint-N in it. Nothing is unpickled.

        The labels of train.py's folders are strings; settings of training that its folders do not keep have their defaults.

        Raises CheckpointError for a folder that is missing, damaged, or something else.
        """
        path = Path(folder)
        saved = read_classifier(path)
        classifier = cls(device=device, verbose=verbose)
        with classifier._at_work():
            from prompt_kit.training.models.base import TextClassifier

            model = TextClassifier.from_pretrained(path)
        if saved is None:
            classes, settings = Classes.from_labels(model.verbalizer), settings_of(model)
        else:
            classes = Classes.from_json(saved.get("classes"), model.verbalizer, str(path / CLASSIFIER_FILE))
            settings = saved["settings"]
        words = model.verbalizer.words
        settings = {**settings, "labels": {value: list(of) for value, of in zip(classes.values, words)}}
        try:
            classifier.set_params(**settings)
        except ValueError as error:
            raise CheckpointError(f"{path / CLASSIFIER_FILE} is damaged: {' '.join(str(error).split())}") from error
        classifier._files = None
        classifier._classes, classifier._model = classes, model
        classifier.results_ = read_json(path / RESULTS_FILE) or {"mode": model.config.mode}
        return classifier

    def export(self, folder: PathLike, fp16: bool = True, int8_data_dir: Optional[PathLike] = None) -> Predictor:
        """Write what export.py writes, which needs no Paddle to predict, and open it.

        Args:
            folder: new, empty or an earlier export.
            fp16: also write model_fp16.onnx.
            int8_data_dir: also write model_int8.onnx, made and compared on the texts of this folder (dev.txt, test.txt and
                data.txt).

        Returns:
            A Predictor of the folder; its labels are strings.

        Raises BundleError as export.py does.
        """
        with self._at_work():
            from prompt_kit.inference.predictor import Predictor
            from prompt_kit.training.export.exporter import Int8, export_bundle

            measured = getattr(self, "results_", {})
            scores = {name: float(value) for name, value in measured.items() if name.endswith(("accuracy", "f1"))}
            int8 = None if int8_data_dir is None else Int8(int8_data_dir)
            export_bundle(self._get_model(), folder, scores, fp16, int8)
            return Predictor(folder)

    # -- scikit-learn -------------------------------------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return self._is_trained() or (self.labels is not None and self.method == "prompt")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = self.task_type != "multi-class"
        tags.input_tags.string, tags.input_tags.one_d_array, tags.input_tags.two_d_array = True, True, False
        tags.requires_fit = self.labels is None or self.method != "prompt"
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """For pickle, joblib and deepcopy: the files that `save` would write, as bytes."""
        state = {**super().__getstate__()}
        state.pop("_zero_shot", None)
        if state.pop("_model", None) is not None:
            with tempfile.TemporaryDirectory(prefix="prompt-kit-") as folder, self._at_work():
                self._model.save_pretrained(folder)
                state["_files"] = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
        return state

    # -- state --------------------------------------------------------------------------------------------------------

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Paddle on the device asked for, and the log as loud as asked for; the caller's own state afterwards."""
        from prompt_kit.training.loop.in_memory import borrowed, log_shown

        with borrowed(self.device), log_shown(bool(self.verbose)):
            yield

    def _settings(self) -> dict[str, Any]:
        """The flags of train.py that are given."""
        from prompt_kit.training.loop.in_memory import check_settings

        given = {name: value for name, value in self.get_params(deep=False).items() if name not in _OWN}
        given = {name: value for name, value in given.items() if value is not None}
        if self.options is not None and not isinstance(self.options, Mapping):
            raise ConfigError(f"options: expected a dictionary of flags and values, got {self.options!r}")
        twice = [name for name in self.options or () if name in self.get_params(deep=False)]
        if twice:
            raise ConfigError(f"options: {twice[0]!r} is a parameter of its own; give it there")
        given = {**given, **(self.options or {})}
        # grids are made of numpy's numbers
        given = {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}
        if isinstance(given.get("model_name_or_path"), os.PathLike):
            given["model_name_or_path"] = os.fspath(given["model_name_or_path"])
        check_settings(given)
        return given

    def _is_trained(self) -> bool:
        return getattr(self, "_model", None) is not None or getattr(self, "_files", None) is not None

    def _given_labels(self) -> Any:
        if self.labels is None:
            raise NotTrainedError(
                f"this {type(self).__name__} has no labels yet: call fit with texts and labels, or give it labels to predict "
                "zero-shot"
            )
        return self.labels

    def _get_classes(self) -> Classes:
        if self._is_trained():
            return self._classes
        return Classes.from_labels(self._given_labels())

    def _get_model(self) -> TextClassifier:
        """The trained model, read from the bytes of a pickle where it came in one; else the zero-shot one."""
        if getattr(self, "_model", None) is not None:
            return self._model
        files: Optional[dict[str, bytes]] = getattr(self, "_files", None)
        if files is not None:
            from prompt_kit.training.models.base import TextClassifier

            with tempfile.TemporaryDirectory(prefix="prompt-kit-") as folder:
                for name, content in files.items():
                    (Path(folder) / os.path.basename(name)).write_bytes(content)
                self._model = TextClassifier.from_pretrained(folder)
            self._files = None
            return self._model
        return self._start_zero_shot()

    def _start_zero_shot(self) -> TextClassifier:
        classes = Classes.from_labels(self._given_labels())
        if self.method == "finetune":
            raise NotTrainedError(
                f"this {type(self).__name__} with method='finetune' starts at random: call fit before it predicts"
            )
        from prompt_kit.training.loop.in_memory import start

        settings = self._settings()
        key = (classes, self._pairs, repr(sorted(settings.items(), key=lambda item: item[0])))
        cached = getattr(self, "_zero_shot", None)
        if cached is None or cached[0] != key:
            self._zero_shot = (key, start(settings, classes.verbalizer, self._pairs))
        return self._zero_shot[1]

    def _eval_batch_size(self) -> int:
        size = self.per_device_eval_batch_size
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ConfigError(f"per_device_eval_batch_size must be a whole number of 1 or more, got {size!r}")
        return int(size)
