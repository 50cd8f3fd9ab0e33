"""The model that a run starts with where it goes on with none: of the method, template and head that the flags name."""

from __future__ import annotations

import logging
from dataclasses import replace

from prompt_kit.data.dataset import Dataset
from prompt_kit.errors import ConfigError, VerbalizerError
from prompt_kit.prompt.task import Task
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.loop.arguments import DataArguments, ModelArguments
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.models.finetune_model import PAIR_TEMPLATE, TEMPLATE, FineTuneModel
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.training.models.prompt_transfer import init_prompt, source_template
from prompt_kit.training.models.replaced_token_model import ReplacedTokenModel

logger = logging.getLogger(__name__)


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
    _check_words(model, dataset)
    if model.task.several:
        every = all(example.label for example in dataset.train or ())
        model.task = replace(model.task, at_least_one=every)
    if model_args.init_prompt_from is not None:
        _take_prompt(model, model_args.init_prompt_from)
    if reads_texts and dataset.unlabelled:
        model.start_from_texts(dataset.unlabelled)
    return model


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


def _check_words(model: TextClassifier, dataset: Dataset) -> None:
    """VerbalizerError where a head starts from words alone that do not tell the labels apart; with examples a warning."""
    if model.starts_from_examples and (problem := model.verbalizer.alike(model.tokenizer)):
        problem += "; choose other words in label.txt"
        if not dataset.train:
            raise VerbalizerError(problem)
        logger.warning("%s", problem)


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
