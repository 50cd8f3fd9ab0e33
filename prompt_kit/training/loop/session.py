"""What train.py's main() is told in: check, read and build a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

from paddlenlp.trainer import IntervalStrategy, set_seed

from prompt_kit.data.dataset import Dataset, Example, fingerprint, read_dataset, sample_few_shot
from prompt_kit.data.line_format import LineFormat
from prompt_kit.errors import CheckpointError, ConfigError, DataError
from prompt_kit.metrics import wilson_interval
from prompt_kit.prompt.task import Task
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.augmentation.augment import AUGMENTED_FILE, augment
from prompt_kit.training.loop.arguments import DataArguments, ModelArguments, PromptTrainingArguments
from prompt_kit.training.loop.command_line import parse_arguments
from prompt_kit.training.loop.cross_validation import StopAfter, cross_validate, number_of_folds
from prompt_kit.training.loop.data_report import report as report_texts
from prompt_kit.training.loop.device import use_device
from prompt_kit.training.loop.output_folder import clear, output_folder
from prompt_kit.training.loop.results import Results
from prompt_kit.training.loop.resumed_run import checkpoint_of, load_resumed, with_settings_of_run
from prompt_kit.training.loop.run_card import write_card
from prompt_kit.training.loop.run_report import reported, write_run_report
from prompt_kit.training.loop.task_rules import check_task
from prompt_kit.training.loop.trainer import PromptTrainer
from prompt_kit.training.loop.visual_log import log_report
from prompt_kit.training.models.base import WEIGHTS_FILE, TextClassifier
from prompt_kit.training.models.calibration import CONTENT_FREE, calibrate
from prompt_kit.training.models.finetune_model import PAIR_TEMPLATE, TEMPLATE, FineTuneModel
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.training.models.prompt_transfer import init_prompt, source_template
from prompt_kit.training.models.replaced_token_model import ReplacedTokenModel
from prompt_kit.training.self_training.pseudo_labels import read_unlabelled
from prompt_kit.training.self_training.self_trainer import SelfTrainer, open_teachers
from prompt_kit.versions import installed_versions

__all__ = [
    "PromptTrainer",
    "Results",
    "evaluate",
    "train",
    "checkpoint_to_resume",
    "export",
    "report",
    "write_card",
    "make_trainer",
    "output_folder",
    "parse_arguments",
    "prepare",
    "start_model",
    "with_settings_of_run",
]

logger = logging.getLogger(__name__)


def checkpoint_to_resume(args: PromptTrainingArguments) -> Optional[str]:
    """The checkpoint-N, or self-training run, to train on from, or None; clears a folder that is to be overwritten."""
    if args.resume_from_checkpoint is not None:
        return str(
            checkpoint_of(args, args.resume_from_checkpoint)
            if args.unlabeled_file is None
            else args.resume_from_checkpoint
        )
    if args.overwrite_output_dir and args.should_save:
        clear(Path(args.output_dir))
    return None


def make_trainer(
    model: TextClassifier, args: PromptTrainingArguments, dataset: Dataset, info: dict[str, Any]
) -> PromptTrainer:
    """A PromptTrainer, or with `--unlabeled_file` one that trains in generations."""
    texts = dataset.to_pseudo_label
    if args.do_train and dataset.train is not None and dataset.dev is not None and texts is not None:
        open_teachers(args.teacher or (), model)  # says what is wrong with them before anything is trained
        return SelfTrainer(model, args, dataset.train, dataset.dev, texts, info)
    return PromptTrainer(model, args, train_dataset=dataset.train, eval_dataset=dataset.dev)


def train(trainer: PromptTrainer, args: PromptTrainingArguments, dataset: Dataset) -> dict[str, Any]:
    """Train and save the model; its metrics.

    Without dev.txt cross-validation says for how many epochs. A cosine head is saved as it starts then, unless
    `--cross_validation` is given, and without train.txt always.
    """
    checkpoint = checkpoint_to_resume(args)
    if dataset.train is not None and (dataset.dev is not None or not args.do_eval):
        metrics = trainer.train(checkpoint).metrics
        trainer.save_state()
    else:
        metrics = {}
        if dataset.train is None:
            logger.info(
                "no train.txt: the label words and %d texts of data.txt make the classifier",
                len(dataset.unlabelled or ()),
            )
        elif folds := number_of_folds(args, dataset.train, trainer.model.starts_from_examples, dataset.folder):
            metrics = _train_as_long_as_it_helps(trainer, args, dataset.train, folds)
        else:
            trainer.start()
            if trainer.model.task.several:
                trainer.leave_one_out()  # which chooses the threshold that is saved
            logger.info(
                "no dev.txt to say when training helps no more: the head is started from train.txt, and that is all"
            )
    if trainer.model.saves_prompt_only:
        trainer.model.fold_encoders()  # checkpoints have them, to train on with
    trainer.save_model()
    if trainer.model.saves_prompt_only and args.should_save:
        size = (Path(args.output_dir) / WEIGHTS_FILE).stat().st_size
        logger.info(
            "saved: prompt and head alone, %.0f KB; they need the language model %s",
            size / 1000, trainer.model.config.base_model,
        )  # fmt: skip
    return metrics


def _train_as_long_as_it_helps(
    trainer: PromptTrainer, args: PromptTrainingArguments, examples: Sequence[Example], folds: int
) -> dict[str, Any]:
    """Train on all examples for as many epochs as cross-validation says; the metrics."""
    logger.info("no dev.txt: %d-fold cross-validation on train.txt says how long to train", folds)
    found = cross_validate(trainer.model, args, examples, folds)
    trainer.judged = found.metrics
    set_seed(args.seed)
    trainer.args.evaluation_strategy = IntervalStrategy.NO  # there is nothing to evaluate on while training
    if found.epochs == 0:
        logger.info("cross-validation: no training helps; the head is started from train.txt, and that is all")
        trainer.start()
        return {}
    if found.epochs is not None:
        logger.info("cross-validation: training on all %d examples for %d epochs", len(examples), found.epochs)
        trainer.add_callback(StopAfter(found.epochs))
    metrics: dict[str, Any] = trainer.train().metrics
    trainer.save_state()
    return metrics


def evaluate(trainer: PromptTrainer, dataset: Dataset) -> dict[str, Any]:
    """On dev.txt; without it as cross-validation found, or by leave-one-out, with the 95 % interval of the accuracy."""
    if dataset.dev is not None:
        return {**trainer.evaluate(), "eval_samples": len(dataset.dev)}
    if trainer.judged is not None:
        found = trainer.judged
        logger.info(
            "%s, %d examples: accuracy %.4f, 95 %% interval %.4f to %.4f",
            found["eval_by"], found["eval_samples"], found["eval_accuracy"], *found["eval_interval"],
        )  # fmt: skip
        return found
    right, scores = trainer.leave_one_out()
    low, high = wilson_interval(int(right.sum()), len(right))
    logger.info(
        "leave-one-out on the %d examples of train.txt: accuracy %.4f, 95 %% interval %.4f to %.4f",
        len(right), right.mean(), low, high,
    )  # fmt: skip
    return {
        **{f"eval_{name}": value for name, value in scores.items()}, "eval_samples": len(right), "eval_interval": [low, high],
        "eval_by": "leave-one-out on train.txt",
    }  # fmt: skip


def prepare(
    model_args: ModelArguments, data_args: DataArguments, args: PromptTrainingArguments, given: frozenset[str]
) -> tuple[TextClassifier, Dataset, dict[str, Any]]:
    """Model and data of the asked steps, and what the results record of them."""
    if args.save_prompt_only:
        _check_prompt_only(args)
    use_device(args.device)
    set_seed(args.seed)
    if args.resume_from_checkpoint is not None:
        model = load_resumed(args.resume_from_checkpoint, model_args, data_args, args, given)
        settings = {n: getattr(one, n) for one in (model_args, data_args, args) for n in given if hasattr(one, n)}
        check_task({**settings, "task_type": model.task.kind})
        line_format = model.task.line_format(model.reads_pairs)
        dataset = _read_data(data_args, args, model.verbalizer, line_format, model_args.calibrate)
    else:
        if not args.do_train and model_args.method == FineTuneModel.method:
            raise ConfigError(
                "--method finetune predicts nothing before it is trained, its classifier starts at random; add --do_train, or "
                "--resume_from_checkpoint with a trained model"
            )
        if not args.do_train:
            logger.info("zero-shot: no training and no checkpoint; the label words and the pretrained head decide")
        verbalizer = Verbalizer.from_file(_label_file(data_args))
        task = Task(model_args.task_type)
        task.check_labels(verbalizer.labels)
        pairs = reads_pairs(model_args, data_args)
        starts_well = model_args.method == PromptModel.method and model_args.verbalizer == "cosine"
        reads_texts = starts_well and args.unlabeled_file is None  # with it each generation is started by SelfTrainer
        dataset = _read_data(
            data_args, args, verbalizer, task.line_format(pairs), model_args.calibrate or reads_texts, starts_well
        )  # before the model, which may be large and far away
        model = start_model(model_args, verbalizer, dataset, args.do_train, reads_texts, pairs)
    if args.save_prompt_only:
        model.save_prompt_only(model_args.trust_pickle)
    _check_folds(model, data_args, args, dataset)
    report_texts(model.prompt_tokenizer, dataset)
    if data_args.augment or data_args.augmented_file is not None:
        plain = len(dataset.train or ())
        dataset = _augment(dataset, model, model_args, data_args, args)
    elif args.do_train and args.overwrite_output_dir and args.should_save:
        (Path(args.output_dir) / AUGMENTED_FILE).unlink(missing_ok=True)  # of the run that is replaced
    if model_args.calibrate and _is_to_be_calibrated(model, args):
        texts = dataset.unlabelled or CONTENT_FREE
        calibrate(model, texts)
        logger.info(
            "calibrated on %d %s", len(texts), "texts of data.txt" if dataset.unlabelled else "content-free texts"
        )
    if args.report:
        reported(dataset)  # says what is missing before anything is trained
    info = {
        "mode": model.config.mode,
        "seed": args.seed,
        "base_model": model.config.base_model,
        "template": str(model.template),
        "data": fingerprint(dataset.files) if dataset.files else None,
        "versions": installed_versions(),
    }
    if data_args.num_shots is not None:
        info["num_shots"] = data_args.num_shots
    if args.unlabeled_file is not None:
        info["self_training"] = {"texts": len(dataset.to_pseudo_label or ()), "selection": args.pseudo_label_selection}
    if data_args.augment or data_args.augmented_file is not None:
        info["augmented"] = len(dataset.train or ()) - plain
    if model_args.init_prompt_from is not None:
        info["init_prompt_from"] = model_args.init_prompt_from
    if getattr(model.config, "calibration", None) is not None:
        info["calibrated"] = True
    return model, dataset, info


def _check_prompt_only(args: PromptTrainingArguments) -> None:
    """Refuse `--save_prompt_only` where the language model must be saved, or nothing is."""
    if not args.do_train:
        raise ConfigError("--save_prompt_only is about what --do_train saves; add --do_train, or drop it")
    if not args.freeze_plm:
        raise ConfigError(
            "--save_prompt_only leaves the language model out of what is saved, so it must stay as it is; add --freeze_plm"
        )
    if args.unlabeled_file is not None:
        raise ConfigError("--save_prompt_only is not for self-training; drop it, or --unlabeled_file")


def _check_folds(
    model: TextClassifier, data_args: DataArguments, args: PromptTrainingArguments, dataset: Dataset
) -> None:
    """ConfigError for `--cross_validation` where there is none to do, and for variants of texts that are held out."""
    lacks_dev = args.do_train and args.do_eval and dataset.train is not None and dataset.dev is None
    if args.cross_validation is not None and not lacks_dev:
        raise ConfigError(
            f"--cross_validation {args.cross_validation} is for --do_train --do_eval with a train.txt and without a dev.txt in "
            f"{dataset.folder}; drop --cross_validation"
        )
    if lacks_dev and model.task.several and (args.cross_validation is not None or not model.starts_from_examples):
        raise ConfigError(
            f"no dev.txt in {dataset.folder}, and cross-validation is for one label a text; give a dev.txt, drop --do_eval, or "
            "use --verbalizer cosine without --cross_validation"
        )
    if lacks_dev and (data_args.augment or data_args.augmented_file is not None):
        raise ConfigError(
            f"no dev.txt in {dataset.folder}, so texts of train.txt are held out, whose variants would be trained on; drop "
            "--augment and --augmented_file, or give a dev.txt"
        )


def _augment(dataset: Dataset, model: TextClassifier, model_args, data_args, args) -> Dataset:
    return augment(
        dataset,
        model.verbalizer,
        data_args.augment,
        args.seed,
        args.output_dir,
        model.config.base_model,
        model_args.trust_pickle,
        model_args.max_seq_length,
        data_args.augmented_file,
        goes_on=args.resume_from_checkpoint is not None,
        writes=args.should_save,
    )


def _with_template_of_source(model_args: ModelArguments) -> ModelArguments:
    """The arguments, where no prompt is given with the template of `--init_prompt_from`."""
    if model_args.init_prompt_from is None or model_args.prompt is not None:
        return model_args
    # its soft tokens name their encoders, or have none
    return replace(model_args, prompt=str(source_template(model_args.init_prompt_from)), soft_encoder="none")


def _take_prompt(model: TextClassifier, folder: str) -> None:
    taken = init_prompt(model, folder)
    labels = ", ".join(ours if ours == theirs else f"{ours} ({theirs} there)" for ours, theirs in taken.labels)
    logger.info(
        "prompt from %s: %d soft tokens%s%s",
        folder,
        taken.soft_tokens,
        f", a prefix of {taken.prefix_tokens}" if taken.prefix_tokens else "",
        f", and the head's rows of {labels}" if labels else "",
    )


def _is_to_be_calibrated(model: TextClassifier, args: PromptTrainingArguments) -> bool:
    """Whether `--calibrate` is still to be done; refuse it where the results would be of another model than the folder's."""
    resume = args.resume_from_checkpoint
    if resume is None:
        return True
    if model.method == FineTuneModel.method:
        raise ConfigError(f"--calibrate is for prompts, but {resume} holds a fine-tuned model; drop --calibrate")
    if args.do_train:  # the run that is gone on with has done it, before its first step
        if model.config.calibration is None:
            raise CheckpointError(
                f"--calibrate contradicts the checkpoint {resume}, whose training began without it; drop --calibrate"
            )
        return False
    if Path(args.output_dir).resolve() in (Path(resume).resolve(), Path(resume).resolve().parent):
        raise ConfigError(
            f"--calibrate changes the model of {resume}, so its results do not belong beside it; choose another --output_dir"
        )
    return True


def start_model(
    model_args: ModelArguments,
    verbalizer: Verbalizer,
    dataset: Dataset,
    trained: bool,
    reads_texts: bool,
    pairs: bool = False,
) -> TextClassifier:
    """A new model for `dataset`, whose head is started from its unlabelled texts if it `reads_texts`; of two texts `pairs`
    where no template says so."""
    model = _build(_with_template_of_source(model_args), verbalizer, dataset, trained, pairs)
    if model.task.several:
        every = all(example.label for example in dataset.train or ())
        model.task = replace(model.task, at_least_one=every)
    if model_args.init_prompt_from is not None:
        _take_prompt(model, model_args.init_prompt_from)
    if reads_texts and dataset.unlabelled:
        model.start_from_texts(dataset.unlabelled)
    return model


def _build(
    model_args: ModelArguments, verbalizer: Verbalizer, dataset: Dataset, trained: bool, pairs: bool
) -> TextClassifier:
    task = Task(model_args.task_type)
    if model_args.method == FineTuneModel.method:
        return FineTuneModel.build(
            verbalizer,
            model_args.model_name_or_path,
            model_args.max_seq_length,
            model_args.first_max_length,
            model_args.other_max_length,
            model_args.truncate_mode,
            PAIR_TEMPLATE if pairs else TEMPLATE,
            trust_pickle=model_args.trust_pickle,
            task=task,
        )
    if model_args.method == ReplacedTokenModel.method:
        return ReplacedTokenModel.build(
            verbalizer,
            model_args.model_name_or_path,
            model_args.prompt,
            model_args.soft_encoder,
            model_args.encoder_hidden_size,
            model_args.max_seq_length,
            model_args.first_max_length,
            model_args.other_max_length,
            model_args.truncate_mode,
            mode=ReplacedTokenModel.method if trained else "zero-shot",
            trust_pickle=model_args.trust_pickle,
            task=task,
            pairs=pairs,
        )
    return PromptModel.build(
        verbalizer,
        model_args.prompt,
        model_args.model_name_or_path,
        model_args.soft_encoder,
        model_args.encoder_hidden_size,
        model_args.verbalizer,
        model_args.max_seq_length,
        model_args.first_max_length,
        model_args.other_max_length,
        model_args.truncate_mode,
        mode="prompt" if trained else "zero-shot",
        dataset=dataset,
        trust_pickle=model_args.trust_pickle,
        task=task,
        pairs=pairs,
    )


def reads_pairs(model_args: ModelArguments, data_args: DataArguments) -> bool:
    """Whether a new model reads two texts a line: --text_pairs, or a template that has text_b says so."""
    prompt = model_args.prompt
    if prompt is None and model_args.init_prompt_from is not None:
        prompt = str(source_template(model_args.init_prompt_from))
    has_b = prompt is not None and "text_b" in Template.from_prompt(prompt).fields
    if data_args.text_pairs and prompt is not None and not has_b:
        raise ConfigError(
            f"--text_pairs contradicts --prompt {prompt}, which reads one text; put {{'text': 'text_b'}} into it, or drop "
            "--text_pairs"
        )
    if (has_b or data_args.text_pairs) and data_args.augment:
        raise ConfigError(f"--augment {data_args.augment} makes variants of one text, not of two; drop --augment")
    return has_b or data_args.text_pairs


def _label_file(data_args: DataArguments) -> Path:
    folder = Path(data_args.data_dir)
    if not folder.is_dir():
        raise DataError(
            f"--data_dir {folder}: no such folder ({folder.absolute()}); expected a folder with label.txt, train.txt, dev.txt"
        )
    return folder / "label.txt"


def _read_data(
    data_args: DataArguments,
    args: PromptTrainingArguments,
    verbalizer: Verbalizer,
    line_format: LineFormat,
    unlabelled: bool,
    starts_well: bool = False,
) -> Dataset:
    """Only the files that the asked steps need, and data.txt for `unlabelled` if it is there.

    A new model does without dev.txt, and one that `starts_well` without train.txt where there is a data.txt.
    """
    splits = [
        name for name, wanted in (("train", args.do_train), ("dev", args.do_eval), ("test", args.do_predict)) if wanted
    ]
    if unlabelled:
        splits.append("data")
    if not splits:
        return Dataset(Path(data_args.data_dir))
    folder, absent = Path(data_args.data_dir), []
    if args.do_train and args.unlabeled_file is None and args.resume_from_checkpoint is None:
        # a head that is good before the first step needs no train.txt where there are texts in data.txt
        has_texts = (folder / "data.txt").exists() and data_args.num_shots is None
        if starts_well and has_texts and not (folder / "train.txt").exists():
            absent.append("train")
        if not (folder / "dev.txt").exists() and ("train" not in absent):
            absent.append("dev")  # train.txt is cross-validated, or each of its lines left out in turn
    if "train" in absent and not (folder / "dev.txt").exists() and args.do_eval:
        raise DataError(
            f"--do_eval: neither dev.txt nor train.txt in {folder}, so nothing to evaluate on; drop --do_eval"
        )
    splits = [split for split in splits if split not in absent]
    dataset = read_dataset(data_args.data_dir, verbalizer, splits, ("data",), line_format)
    if args.unlabeled_file is not None:
        texts = read_unlabelled(args.unlabeled_file, data_args.data_dir, verbalizer)
        dataset = replace(dataset, to_pseudo_label=texts, files=(*dataset.files, Path(args.unlabeled_file)))
    if data_args.num_shots is None or dataset.train is None:
        return dataset
    try:
        drawn = sample_few_shot(dataset.train, data_args.num_shots, args.seed, verbalizer.labels)
    except DataError as error:
        raise DataError(f"{dataset.folder / 'train.txt'}: --num_shots: {error}") from None
    return replace(dataset, train=drawn)


def export(model: TextClassifier, args: PromptTrainingArguments, results: Results) -> None:
    """Write the bundle into output_dir/export."""
    from prompt_kit.training.export.exporter import export_bundle

    if results.writes:
        folder = Path(args.output_dir) / "export"
        about = results.read()
        metrics = {k: v for k, v in about.items() if k in ("eval_accuracy", "eval_micro_f1")}
        export_bundle(model, folder, metrics=metrics, about=about)
        logger.info("exported: %s", folder)


def report(model: TextClassifier, args: PromptTrainingArguments, dataset: Dataset, results: Results) -> None:
    """Write output_dir/report, see run_report.py."""
    if results.writes:
        run = args.output_dir if args.do_train else (args.resume_from_checkpoint or args.output_dir)
        page = write_run_report(model, dataset, Path(args.output_dir), Path(run), results.info, args.language)
        logger.info("report: %s", page)
        if "visualdl" in args.report_to:
            log_report(args.logging_dir, page.parent, results.read())
