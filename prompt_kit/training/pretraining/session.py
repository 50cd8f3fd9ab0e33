"""What tools/pretrain.py's main() is told in: read, build, train and write a language model."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import paddle
from paddlenlp.trainer import set_seed

from prompt_kit.atomic import remove_folder
from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.json_file import read_object
from prompt_kit.locks import own_folder
from prompt_kit.training.loop.checkpoint import checkpoints, is_run, last_checkpoint
from prompt_kit.training.loop.device import use_device
from prompt_kit.training.models.architectures import DISCRIMINATOR, architecture_name
from prompt_kit.training.models.backbone import Backbone, load_backbone, load_discriminator, longest_input
from prompt_kit.training.models.model_config import read_config
from prompt_kit.training.pretraining.arguments import PretrainingArguments, parse_arguments
from prompt_kit.training.pretraining.card import write_card
from prompt_kit.training.pretraining.corpus import Corpus, default_exclusions, read_corpus
from prompt_kit.training.pretraining.distillation import DistillationTrainer, DistilledLanguageModel, Weights
from prompt_kit.training.pretraining.electra import (
    DETECTION_WEIGHT,
    GENERATOR_FOLDER,
    Electra,
    ElectraTrainer,
)
from prompt_kit.training.pretraining.electra_start import electra_of
from prompt_kit.training.pretraining.from_scratch import new_backbone, new_electra, new_vocabulary
from prompt_kit.training.pretraining.masked_batches import LengthBatchSampler
from prompt_kit.training.pretraining.masked_lm import RECIPE_FILE, MaskedLanguageModel, PretrainingTrainer
from prompt_kit.training.pretraining.masking import EncodedLines
from prompt_kit.training.pretraining.taught_batches import TaughtCollator
from prompt_kit.training.pretraining.teacher_vectors import TeacherVectors
from prompt_kit.training.runtime import set_verbosity
from prompt_kit.versions import installed_versions

__all__ = [
    "build", "checkpoint_to_resume", "evaluate", "finish", "output_folder", "parse_arguments", "read"
]  # fmt: skip

logger = logging.getLogger(__name__)

Metrics = dict[str, float]

# of a run that is gone on with, in the order in which they are compared
_SETTINGS = (
    "seed", "held_out", "max_seq_length", "mask_probability", "batch_tokens", "gradient_accumulation_steps", "learning_rate",
    "warmup_ratio", "weight_decay", "adam_beta2", "max_grad_norm", "bf16",
)  # fmt: skip
_WRITTEN = ("README.md", "config.json", "model.safetensors", RECIPE_FILE, "tokenizer_config.json", "vocab.txt")


@contextlib.contextmanager
def output_folder(args: PretrainingArguments) -> Iterator[None]:
    """The folder of a run, inside this context: checked before anything is loaded, and no other process works in it.

    Sets up logging too. Raises ConfigError where the run would write over another model, or another process is at work.
    """
    first = paddle.distributed.get_rank() == 0
    logging.basicConfig(format="%(message)s")
    logging.getLogger("prompt_kit").setLevel(logging.INFO if first else logging.ERROR)
    set_verbosity(args.verbose)
    _check_writable(args.output_dir)
    with own_folder(args.output_dir) if first else contextlib.nullcontext():
        _check_held(args)
        yield


def _check_writable(output_dir: str) -> None:
    folder = Path(output_dir)
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        what = "cannot be written to" if existing.is_dir() else "is a file"
        raise ConfigError(f"--output_dir {folder}: {existing} {what}; expected a folder, or a name that is free")


def _check_held(args: PretrainingArguments) -> None:
    """Refuse to write over anything but a run of this program that is to be replaced or gone on with."""
    folder, resume = Path(args.output_dir), args.resume_from_checkpoint
    if resume is not None:
        if folder.resolve() not in (Path(resume).resolve(), Path(resume).resolve().parent):
            raise ConfigError(
                f"--resume_from_checkpoint {resume} is not in --output_dir {folder}; give them the same folder"
            )
        return
    held = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
    if not held:
        return
    ours = (folder / RECIPE_FILE).is_file() or any((path / RECIPE_FILE).is_file() for path in checkpoints(folder))
    if is_run(folder) == "finished" or not ours:
        raise ConfigError(
            f"--output_dir {folder} holds something else than a run of this program ({', '.join(held[:5])}); "
            "choose another folder"
        )
    if not args.overwrite_output_dir:
        raise ConfigError(
            f"--output_dir {folder} holds a run already ({folder.absolute()}); choose another folder, "
            f"--overwrite_output_dir to replace it, or --resume_from_checkpoint {folder} to go on with it"
        )
    if args.model_name_or_path is not None and Path(args.model_name_or_path).resolve() == folder.resolve():
        raise ConfigError(
            f"--output_dir {folder} is the language model to start from, which --overwrite_output_dir would delete; "
            "choose another folder"
        )


def read(args: PretrainingArguments) -> Corpus:
    """The lines of the files, and a line in the log that says which were left out."""
    files, named = args.train_files or [], args.exclude_files or []
    if "none" in named:
        if len(named) > 1:
            raise ConfigError(f"--exclude_files {' '.join(named)}: none stands alone")
        exclusions = []
    else:
        exclusions = list(dict.fromkeys([*default_exclusions(files), *map(Path, named)]))
    corpus = read_corpus(files, exclusions, args.eval_file, args.held_out, args.seed)
    logger.info(
        "%d lines to train on, %d held out; left out: %d that repeat an earlier one, %d that are in %s",
        len(corpus.lines), len(corpus.held_out), corpus.repeated, corpus.excluded,
        ", ".join([*corpus.excluded_files, *([Path(args.eval_file).name] if args.eval_file else [])]) or "no file",
    )  # fmt: skip
    return corpus


def build(args: PretrainingArguments, corpus: Corpus) -> PretrainingTrainer:
    """The language model and the trainer."""
    use_device(args.device)
    teacher = None
    if args.teacher_vectors is not None and args.train_files:
        teacher = TeacherVectors(args.teacher_vectors, corpus.texts, args.train_files[0])
    set_seed(args.seed)
    generator = None
    if args.sizes is not None:
        vocabulary = new_vocabulary(corpus.lines, args.vocab_file, args.vocab_size or 8000, not args.cased)
        if args.objective == "rtd":
            backbone, generator = new_electra(args.sizes, vocabulary, args.generator_size or 0.25)
        else:
            backbone = new_backbone(args.sizes, vocabulary)
    elif args.objective == "rtd" and args.model_name_or_path is not None:
        backbone, generator = _load_electra(args.model_name_or_path, args.trust_pickle)
    else:
        backbone = load_backbone(args.model_name_or_path, trust_pickle=args.trust_pickle)
    logger.info("language model: %s (%s)", backbone.name or "a new one", backbone.reason)
    longest = longest_input(backbone.model)
    if args.max_seq_length > longest:
        raise ConfigError(
            f"--max_seq_length {args.max_seq_length} exceeds the language model's {longest} positions; lower it"
        )
    collator = None if teacher is None else TaughtCollator(backbone.tokenizer, args.seed)
    added = 0 if collator is None else collator.longest_form
    if added and args.max_seq_length - 2 - added < 1:
        raise ConfigError(
            f"--max_seq_length {args.max_seq_length} leaves no room for text: with --teacher_vectors {added} tokens of a "
            f"template stand beside it, and [CLS] and [SEP]; give {added + 3} or more"
        )
    room, whole = args.max_seq_length - 2 - added, teacher is not None  # a vector is of a whole line, not of a piece
    lines = EncodedLines(corpus.lines, backbone.tokenizer, room, whole)
    held_out = EncodedLines(corpus.held_out, backbone.tokenizer, room, whole) if corpus.held_out else None
    accumulation, processes = args.gradient_accumulation_steps, paddle.distributed.get_world_size()
    lengths = [length + added for length in lines.lengths]
    batches = len(LengthBatchSampler(lengths, args.batch_tokens, args.seed, processes, 0, accumulation))
    args = args.resolved(batches // accumulation, backbone.model.config.hidden_size)
    trainer_args = args.trainer_arguments()
    data = (trainer_args, lines, held_out, args.mask_probability, args.batch_tokens)
    weights = Weights(**args.distillation_weights)
    if generator is not None:
        electra = Electra(backbone.model, generator.model, backbone.tokenizer)
        trainer = ElectraTrainer(electra, *data, args.detection_weight)
    elif teacher is None or collator is None:
        trainer = PretrainingTrainer(MaskedLanguageModel(backbone.model, backbone.tokenizer), *data)
    else:
        model = DistilledLanguageModel(backbone.model, backbone.tokenizer, teacher.width)
        trainer = DistillationTrainer(
            model, *data, collator, teacher, corpus.rows, () if args.eval_file else corpus.held_out_rows, weights
        )
    trainer.model.recipe = {
        "base_model": backbone.name,
        "sizes": dataclasses.asdict(args.sizes) if args.sizes is not None else None,
        "vocabulary": backbone.tokenizer.vocab_size,
        **{name: getattr(args, name) for name in _SETTINGS},
        "processes": processes,
        "steps": args.max_steps,
        "files": {name: count for name, count in corpus.files},
        "excluded_files": list(corpus.excluded_files),
        "lines": len(corpus.lines),
        "held_out_lines": len(corpus.held_out),
        "tokens": lines.tokens,
        "fingerprint": corpus.fingerprint,
        **({} if generator is None else _electra_recipe(args, generator)),
        "teacher": None
        if teacher is None or args.teacher_vectors is None
        else {
            "file": Path(args.teacher_vectors).name,
            "width": teacher.width,
            "fingerprint": teacher.fingerprint,
            "weights": dataclasses.asdict(weights),
        },
    }
    return trainer


def _load_electra(name_or_path: str, trust_pickle: bool) -> tuple[Backbone, Backbone]:
    """Discriminator and generator of a folder that an earlier run wrote, or both from a masked language model."""
    folder = Path(name_or_path)
    if not (folder.is_dir() and architecture_name(read_config(folder)) == DISCRIMINATOR):
        return electra_of(load_backbone(name_or_path, trust_pickle=trust_pickle))
    if not (folder / GENERATOR_FOLDER).is_dir():
        raise ConfigError(
            f"--model_name_or_path {name_or_path} has no generator, expected the folder {folder / GENERATOR_FOLDER}, as a run "
            "with --objective rtd leaves it; give such a folder, a masked language model, or --from_scratch"
        )
    generator = load_backbone(str(folder / GENERATOR_FOLDER), trust_pickle=trust_pickle)
    return load_discriminator(name_or_path, trust_pickle), generator


def _electra_recipe(args: PretrainingArguments, generator: Backbone) -> dict[str, Any]:
    weight = DETECTION_WEIGHT if args.detection_weight is None else args.detection_weight
    return {"objective": "rtd", "detection_weight": weight, "generator_width": generator.model.config.hidden_size}


def checkpoint_to_resume(args: PretrainingArguments, trainer: PretrainingTrainer) -> Optional[str]:
    """The checkpoint-N to go on from, or None; clears a folder that is to be overwritten."""
    if args.resume_from_checkpoint is not None:
        if (Path(args.resume_from_checkpoint) / "README.md").is_file():
            raise CheckpointError(
                f"--resume_from_checkpoint {args.resume_from_checkpoint}: that run is finished; to train it further, give it "
                "to --model_name_or_path, with another --output_dir"
            )
        folder = last_checkpoint(Path(args.resume_from_checkpoint))
        _check_agrees(folder, trainer.model.recipe)
        return str(folder)
    if args.overwrite_output_dir and trainer.args.should_save:
        _clear(Path(args.output_dir))
    return None


def finish(
    args: PretrainingArguments, trainer: PretrainingTrainer, before: Optional[Metrics], after: Optional[Metrics]
) -> None:
    """Write the model, its recipe and its card; the checkpoints have served their turn."""
    if not trainer.args.should_save:
        return
    folder = Path(args.output_dir)
    trainer.model.recipe.update(
        {"before": before, "after": after, "epochs": round(trainer.state.epoch, 2), "versions": installed_versions()}
    )
    trainer.model.save_finished(folder, "float16" if args.fp16_weights else "float32")
    write_card(folder, trainer.model)
    for path in checkpoints(folder):
        remove_folder(path)
    logger.info("wrote %s: use it as --model_name_or_path %s", folder, folder)


def _check_agrees(checkpoint: Path, recipe: dict[str, Any]) -> None:
    """The run that is gone on with must be the same run, or its result would be nobody's."""
    held = read_object(checkpoint / RECIPE_FILE, CheckpointError, "resume from another checkpoint")
    for name, value in recipe.items():
        if held.get(name) != value:
            what = "the texts are other ones" if name == "fingerprint" else f"{name} is {value}, there {held.get(name)}"
            raise CheckpointError(
                f"--resume_from_checkpoint {checkpoint}: that is another run: {what}; give the flags that it was started with"
            )


def _clear(folder: Path) -> None:
    for path in checkpoints(folder):
        remove_folder(path)
    if (folder / GENERATOR_FOLDER).is_dir():
        remove_folder(folder / GENERATOR_FOLDER)
    for name in _WRITTEN:
        (folder / name).unlink(missing_ok=True)


def evaluate(trainer: PretrainingTrainer, when: str) -> Optional[Metrics]:
    """Held-out loss and masked accuracy, logged; None where nothing is held out."""
    if not trainer.holds_out:
        return None
    metrics = trainer.evaluate()
    logger.info("%s: held-out loss %.4f, masked accuracy %.4f", when, metrics["eval_loss"], metrics["eval_accuracy"])
    if "eval_auc" in metrics:
        logger.info(
            "%s: replaced tokens told from original ones, area under the ROC curve %.4f", when, metrics["eval_auc"]
        )
    if "eval_cosine" in metrics:
        logger.info("%s: cosine to the teacher %.4f, of held-out lines", when, metrics["eval_cosine"])
    return metrics
