"""The run that `--resume_from_checkpoint` names: its model and settings, and whether flags and data agree with them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Optional

from prompt_kit.errors import CheckpointError
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.loop.arguments import DataArguments, ModelArguments, PromptTrainingArguments
from prompt_kit.training.loop.checkpoint import START, is_self_training, last_checkpoint
from prompt_kit.training.loop.output_folder import clear
from prompt_kit.training.loop.run_record import adopt_settings
from prompt_kit.training.models.base import TextClassifier, is_prompt_only
from prompt_kit.training.models.prompt_model import PromptModel

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


def with_settings_of_run(args: PromptTrainingArguments, given: frozenset[str]) -> PromptTrainingArguments:
    """The arguments; where training goes on from a checkpoint with the settings of its run, but those that are `given`."""
    if args.do_train and args.resume_from_checkpoint is not None:
        return adopt_settings(checkpoint_of(args, args.resume_from_checkpoint), args, given)
    return args


def load_resumed(
    resumed_from: str,
    model_args: ModelArguments,
    data_args: DataArguments,
    args: PromptTrainingArguments,
    given: frozenset[str],
) -> TextClassifier:
    """Its model. CheckpointError where a flag that is `given`, or label.txt, contradicts it."""
    folder = checkpoint_of(args, resumed_from) if args.do_train else Path(resumed_from)
    base = model_args.model_name_or_path if is_prompt_only(folder) else None
    model = PromptModel.from_pretrained(folder, base, model_args.trust_pickle)
    logger.info("model: %s (trained from %s)", folder, model.config.base_model)
    _check_agrees(model, model_args, data_args, given, folder)
    return model


def checkpoint_of(args: PromptTrainingArguments, resumed_from: str) -> Path:
    """The model to train on: the last checkpoint-N, or what every generation of a self-training run starts from."""
    folder = Path(resumed_from)
    if args.unlabeled_file is None:
        if is_self_training(folder):
            raise CheckpointError(
                f"--resume_from_checkpoint {folder} holds a self-training run; give its --unlabeled_file again to go on with it"
            )
        return last_checkpoint(folder)
    if not is_self_training(folder) or folder.resolve() != Path(args.output_dir).resolve():
        raise CheckpointError(
            f"--resume_from_checkpoint {folder} with --unlabeled_file goes on with a self-training run, expected its folder, "
            f"the --output_dir {args.output_dir}, with {START} in it; drop --unlabeled_file to go on with another run"
        )
    return folder / START


def _check_agrees(model: TextClassifier, model_args, data_args, given: frozenset[str], folder: Path) -> None:
    """The checkpoint wins; a flag or label.txt that says otherwise is a mistake, and not to be ignored silently."""
    tokenizer = model.prompt_tokenizer
    plain = Template.without_encoders
    held = {
        "method": model.method,
        "task_type": model.task.kind,
        "model_name_or_path": model.config.base_model,
        "verbalizer": model.config.head,
        **{
            key: getattr(tokenizer, key)
            for key in ("max_seq_length", "first_max_length", "other_max_length", "truncate_mode")
        },
    }
    asked = {name: getattr(model_args, name) for name in held if name in given}
    # The two below say what soft tokens are that do not say it themselves; without such tokens they say nothing.
    encoders = {token.encoder or "none" for token in tokenizer.soft_tokens}
    if "soft_encoder" in given and encoders and model_args.soft_encoder not in encoders:
        asked["soft_encoder"], held["soft_encoder"] = model_args.soft_encoder, " and ".join(sorted(encoders))
    sizes = {token.hidden_size for token in tokenizer.soft_tokens if token.encoder}
    if "encoder_hidden_size" in given and sizes and model_args.encoder_hidden_size not in sizes:
        asked["encoder_hidden_size"] = model_args.encoder_hidden_size
        held["encoder_hidden_size"] = " and ".join(sorted(map(str, sizes)))
    if "prompt" in given and plain(model.fit_template(Template.from_prompt(model_args.prompt))) != plain(
        model.template
    ):
        asked["prompt"], held["prompt"] = model_args.prompt, model.template
    if data_args.text_pairs and not model.reads_pairs:
        asked["text_pairs"], held["text_pairs"] = True, False
    for name, value in asked.items():
        if value != held[name]:
            raise CheckpointError(
                f"--{name} {value} contradicts the checkpoint {folder}, which has {held[name]}; drop --{name}"
            )
    path = Path(data_args.data_dir) / "label.txt"
    if path.is_file():
        labels = Verbalizer.from_file(path)
        if labels != model.verbalizer:
            raise CheckpointError(
                f"{path} has the labels {_listed(labels)}, but the checkpoint {folder} was trained with "
                f"{_listed(model.verbalizer)}; use the data that it was trained for"
            )


def _listed(verbalizer: Verbalizer) -> str:
    shown = [f"{label}=={','.join(words)}" for label, words in zip(verbalizer.labels, verbalizer.words)]
    return ", ".join(shown[:6]) + (f" … ({len(shown)})" if len(shown) > 6 else "")
