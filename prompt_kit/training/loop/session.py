"""What train.py's main() is told in: check, read and build a run, whose steps are in steps.py."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from paddlenlp.trainer import set_seed

from prompt_kit.data.dataset import Dataset, fingerprint
from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.prompt.task import Task
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.augmentation.augment import AUGMENTED_FILE, augment
from prompt_kit.training.loop.arguments import DataArguments, ModelArguments, PromptTrainingArguments
from prompt_kit.training.loop.command_line import parse_arguments
from prompt_kit.training.loop.data_report import report as report_texts
from prompt_kit.training.loop.device import use_device
from prompt_kit.training.loop.new_model import reads_pairs, start_model
from prompt_kit.training.loop.output_folder import output_folder
from prompt_kit.training.loop.results import Results
from prompt_kit.training.loop.resumed_run import checkpoint_to_resume, load_resumed, with_settings_of_run
from prompt_kit.training.loop.run_card import write_card
from prompt_kit.training.loop.run_data import label_file, read_data
from prompt_kit.training.loop.run_report import reported
from prompt_kit.training.loop.steps import evaluate, export, report, train
from prompt_kit.training.loop.task_rules import check_task
from prompt_kit.training.loop.trainer import PromptTrainer
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.models.calibration import CONTENT_FREE, calibrate
from prompt_kit.training.models.finetune_model import FineTuneModel
from prompt_kit.training.models.prompt_model import PromptModel
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
    "reads_pairs",
    "start_model",
    "with_settings_of_run",
]

logger = logging.getLogger(__name__)


def make_trainer(
    model: TextClassifier, args: PromptTrainingArguments, dataset: Dataset, info: dict[str, Any]
) -> PromptTrainer:
    """A PromptTrainer, or with `--unlabeled_file` one that trains in generations."""
    texts = dataset.to_pseudo_label
    if args.do_train and dataset.train is not None and dataset.dev is not None and texts is not None:
        open_teachers(args.teacher or (), model)  # says what is wrong with them before anything is trained
        return SelfTrainer(model, args, dataset.train, dataset.dev, texts, info)
    return PromptTrainer(model, args, train_dataset=dataset.train, eval_dataset=dataset.dev)


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
        dataset = read_data(data_args, args, model.verbalizer, line_format, model_args.calibrate)
    else:
        if not args.do_train and model_args.method == FineTuneModel.method:
            raise ConfigError(
                "--method finetune predicts nothing before it is trained, its classifier starts at random; add --do_train, or "
                "--resume_from_checkpoint with a trained model"
            )
        if not args.do_train:
            logger.info("zero-shot: no training and no checkpoint; the label words and the pretrained head decide")
        verbalizer = Verbalizer.from_file(label_file(data_args))
        task = Task(model_args.task_type)
        task.check_labels(verbalizer.labels)
        pairs = reads_pairs(model_args, data_args)
        starts_well = model_args.method == PromptModel.method and model_args.verbalizer == "cosine"
        reads_texts = starts_well and args.unlabeled_file is None  # with it each generation is started by SelfTrainer
        dataset = read_data(
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
    folds = args.cross_validation or (0 if model.starts_from_examples else 2)
    if lacks_dev and data_args.num_shots is not None and data_args.num_shots < folds:
        raise ConfigError(
            f"--num_shots {data_args.num_shots} draws {data_args.num_shots} of each label from train.txt, too few for the "
            f"{folds} folds or more of cross-validation, which there is as {dataset.folder} has no dev.txt; give --num_shots "
            f"{folds} or more, or a dev.txt, or drop --do_eval"
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
