"""The output_dir of a run: no other process works in it, what it holds is not lost, and what is to be written has its place."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

from prompt_kit.atomic import recover, remove_folder
from prompt_kit.errors import ConfigError
from prompt_kit.locks import own_folder
from prompt_kit.prompt_config import CONFIG_FILE
from prompt_kit.report.writer import check_report
from prompt_kit.training.loop.arguments import PromptTrainingArguments
from prompt_kit.training.loop.checkpoint import is_run, run_folders
from prompt_kit.training.loop.run_card import is_ours
from prompt_kit.training.loop.run_report import FOLDER as REPORT
from prompt_kit.training.runtime import set_verbosity
from prompt_kit.training.self_training.pseudo_labels import PSEUDO_LABELS_FILE

# what a run leaves in its output_dir, beside checkpoints, logs and export
_MODEL = (CONFIG_FILE, "model.safetensors", "config.json", "tokenizer.json", "trainer_state.json")
_WRITTEN = (*_MODEL, "*_results.json", "*_predictions.tsv", "*_bad_cases.tsv", "README.md", PSEUDO_LABELS_FILE)
_FILES = {  # step -> the files that it writes
    "do_train": (*_MODEL, "train_results.json", PSEUDO_LABELS_FILE),
    "do_eval": ("eval_results.json",),
    "do_predict": ("test_results.json", "test_predictions.tsv"),
}
_ELSEWHERE = "move it, or give another --output_dir"
_FOLDERS = re.compile(r"(checkpoint|generation|teacher)-\d+|start|runs")


@contextlib.contextmanager
def output_folder(args: PromptTrainingArguments) -> Iterator[None]:
    """The folder of a run, inside this context: checked before anything is loaded, and no other process works in it.

    What a killed run left there is cleaned up first. Sets up logging too.

    Raises ConfigError where the run would write over a trained model, or another process is at work.
    """
    logging.basicConfig(format="%(message)s")
    logging.getLogger("prompt_kit").setLevel(logging.INFO if args.process_index == 0 else logging.ERROR)
    set_verbosity(args.verbose)
    _check_place(args)
    with own_folder(args.output_dir) if args.should_save else contextlib.nullcontext():
        if args.should_save:
            for folder in (Path(args.output_dir), *run_folders(Path(args.output_dir))):
                recover(folder)
        _check_outputs(args)
        _check_no_other_run(args)
        yield


def _check_place(args: PromptTrainingArguments) -> None:
    if not (args.do_train or args.do_eval or args.do_predict or args.do_export):
        raise ConfigError("nothing to do: give --do_train, --do_eval, --do_predict or --do_export")
    if args.report:
        if not (args.do_eval or args.do_predict):
            raise ConfigError("--report is about an evaluation; add --do_eval or --do_predict, or drop --report")
        check_report(Path(args.output_dir) / REPORT, args.language)
    _check_writable("--output_dir", args.output_dir)
    if args.do_train and args.report_to:
        _check_writable("--logging_dir", args.logging_dir)


def _check_writable(flag: str, folder: str) -> None:
    path = Path(os.path.abspath(folder))
    existing = next(one for one in (path, *path.parents) if os.path.exists(one))
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        what = "cannot be written to" if existing.is_dir() else "is a file"
        raise ConfigError(f"{flag} {folder}: {existing} {what}; expected a folder, or a name that is free")


def _check_outputs(args: PromptTrainingArguments) -> None:
    """What is to be written has its place: told before the work, not behind it."""
    folder = Path(args.output_dir)
    foreign = [name for name in _MODEL if (folder / name).is_file()] if args.do_train and is_run(folder) is None else []
    if foreign:  # such as the language model that the run starts from
        raise ConfigError(
            f"--output_dir {folder} holds a model that is no run of train.py ({', '.join(foreign)}), whose files would be "
            "written over; choose another folder"
        )
    patterns = [pattern for step, patterns in _FILES.items() if getattr(args, step) for pattern in patterns]
    for path in sorted({path for pattern in (*patterns, "all_results.json") for path in folder.glob(pattern)}):
        if path.is_dir():
            raise ConfigError(f"{path.absolute()} is a folder, where a file is to be written; {_ELSEWHERE}")
    for path in sorted(folder.glob("*")) if args.do_train else ():
        if _FOLDERS.fullmatch(path.name) and not path.is_dir():
            raise ConfigError(f"{path.absolute()} is a file, where a folder is to be written; {_ELSEWHERE}")
    if args.do_export:
        from prompt_kit.training.export.export_folder import check_export

        check_export(folder / "export")


def _check_no_other_run(args: PromptTrainingArguments) -> None:
    folder, resume = Path(args.output_dir), args.resume_from_checkpoint
    held = is_run(folder)
    if held is None:
        return
    if resume is not None and folder.resolve() not in (Path(resume).resolve(), Path(resume).resolve().parent):
        raise ConfigError(
            f"--output_dir {folder} holds another run, {held} ({folder.absolute()}), than --resume_from_checkpoint "
            f"{resume}; choose another folder, or --output_dir {resume} to write beside the model"
        )
    if args.do_train and resume is None and not args.overwrite_output_dir:
        raise ConfigError(
            f"--output_dir {folder} holds a run already, {held} ({folder.absolute()}); choose another folder, "
            f"--overwrite_output_dir to replace it, or --resume_from_checkpoint {folder} to go on with it"
        )
    if not args.do_train and resume is None:
        raise ConfigError(
            f"--output_dir {folder} holds a trained model, and this is a zero-shot run, which would mix its results with "
            f"that model's; use --resume_from_checkpoint {folder} to evaluate the trained model, or another --output_dir"
        )


def clear(folder: Path) -> None:
    """Delete the run that a folder holds, its export too, and nothing else."""
    from prompt_kit.training.export.export_folder import is_export

    for path in run_folders(folder):
        remove_folder(path)
    if is_export(folder / "export"):
        remove_folder(folder / "export")
    if (folder / REPORT / "report.html").is_file():
        remove_folder(folder / REPORT)
    for path in [path for pattern in _WRITTEN for path in folder.glob(pattern)]:
        if path.name != "README.md" or is_ours(path):
            path.unlink()
