"""What a run reads of its data folder: the files that the asked steps need, and what it does without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prompt_kit.data.dataset import Dataset, read_dataset, sample_few_shot
from prompt_kit.data.line_format import LineFormat
from prompt_kit.errors import DataError
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.loop.arguments import DataArguments, PromptTrainingArguments
from prompt_kit.training.self_training.pseudo_labels import read_unlabelled


def label_file(data_args: DataArguments) -> Path:
    """label.txt of the data folder; DataError where there is no such folder."""
    folder = Path(data_args.data_dir)
    if not folder.is_dir():
        raise DataError(
            f"--data_dir {folder}: no such folder ({folder.absolute()}); expected a folder with label.txt, train.txt, dev.txt"
        )
    return folder / "label.txt"


def read_data(
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
