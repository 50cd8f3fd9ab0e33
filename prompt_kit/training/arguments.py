"""The command line of train.py as checked dataclasses: ours first, then what PaddleNLP's Trainer takes."""

from __future__ import annotations

import argparse
import dataclasses
import enum
import logging
import sys
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import paddle
from paddlenlp.trainer import IntervalStrategy, TrainingArguments
from paddlenlp.trainer.integrations import INTEGRATION_TO_CALLBACK

from prompt_kit.cli import ArgumentParser
from prompt_kit.errors import ConfigError
from prompt_kit.prompt_tokenizer import TRUNCATE_MODES
from prompt_kit.training.heads import HEADS
from prompt_kit.training.modeling import DEFAULT_PROMPT

logger = logging.getLogger(__name__)

METHODS = ("prompt", "finetune")
_PROMPT_ONLY = ("prompt", "verbalizer", "soft_encoder", "encoder_hidden_size", "calibrate")
ENCODERS = ("lstm", "mlp", "none")

# The settings of PaddleNLP's few-shot example, as its article runs it.
PRESETS: dict[str, dict[str, Any]] = {
    "example": dict(
        prompt=DEFAULT_PROMPT,
        soft_encoder="lstm",
        encoder_hidden_size=200,
        max_seq_length=128,
        learning_rate=3e-5,
        ppt_learning_rate=3e-4,
        use_rdrop=True,
        max_steps=1000,
        eval_steps=10,
        logging_steps=5,
        per_device_train_batch_size=8,
        per_device_eval_batch_size=32,
    ),
}

# What PaddleNLP prints with a configuration though it is derived: accepted, so that a printed one can be pasted.
DERIVED = (
    "_no_sync_in_gradient_accumulation current_device dataset_rank dataset_world_size data_parallel_rank "
    "data_parallel_degree eval_batch_size local_process_index logical_process_index log_level log_level_replica "
    "optimizer_name_suffix pipeline_parallel_rank process_index sharding_parallel_rank should_load_dataset "
    "should_load_sharding_stage1_model should_log should_save should_save_model_state "
    "should_save_sharding_stage1_model tensor_parallel_rank train_batch_size use_hybrid_parallel weight_name_suffix "
    "world_size expert_parallel_rank sep_parallel_rank expert_parallel_degree"
).split()


def _none_string(text: str) -> str:
    return "none" if text.lower() in ("none", "null", "") else text.lower()


def _flag(default, text, group, **metadata):
    return field(default=default, metadata={"help": text, "group": group, **metadata})


@dataclass
class ModelArguments:
    """Which language model, method, template, verbalizer and head."""

    method: str = _flag(
        "prompt",
        "prompt, or finetune: a linear classifier on [CLS] instead of template and verbalizer",
        "model",
        choices=METHODS,
    )
    model_name_or_path: Optional[str] = _flag(
        None,
        "folder or PaddleNLP name of a masked language model, or to fine-tune of any encoder of its families (default: "
        "ernie-3.0-base-zh if cached or if there is a GPU, else the embedded mini_zh)",
        "model",
    )
    prompt: str = _flag(
        DEFAULT_PROMPT, "template, or plain words: then {'text': 'text_a'}{'soft': words}{'mask'}", "model"
    )
    soft_encoder: str = _flag(
        "lstm", "encoder of soft tokens that name none: lstm, mlp (two layers) or none", "model", parse=_none_string
    )
    encoder_hidden_size: Optional[int] = _flag(200, "width of the soft encoder; None: the model's own", "model")
    verbalizer: str = _flag(
        "soft",
        "head: soft (learnable, starts from the label words) or manual (the pretrained head)",
        "model",
        choices=HEADS,
    )
    calibrate: bool = _flag(
        False,
        "subtract what the prompt says of the labels by itself: their mean log-probabilities over the texts of data.txt, or "
        "over texts without content if it is not there; before training, if there is any",
        "model",
    )
    max_seq_length: int = _flag(
        128, "longest input in tokens, prompt included; texts are cut, the prompt never", "model"
    )
    first_max_length: Optional[int] = _flag(None, "longest first text in tokens", "model")
    other_max_length: Optional[int] = _flag(None, "longest further text in tokens", "model")
    truncate_mode: str = _flag("tail", "which end of a long text is cut", "model", choices=TRUNCATE_MODES)
    task_type: str = _flag("multi-class", "accepted as in the example; multi-class is what there is", "model")
    export_type: str = _flag("onnx", "accepted as in the example; --do_export always writes both", "model")

    def __post_init__(self):
        if self.soft_encoder not in ENCODERS:
            raise ConfigError(f"--soft_encoder {self.soft_encoder}: expected one of {', '.join(ENCODERS)}, None")
        if self.task_type != "multi-class":
            raise ConfigError(f"--task_type {self.task_type}: only multi-class is supported")
        if self.export_type not in ("paddle", "onnx"):
            raise ConfigError(f"--export_type {self.export_type}: expected paddle or onnx (both are written)")


@dataclass
class DataArguments:
    """Where the data is."""

    data_dir: str = _flag(
        "./data/tnews", "folder with train.txt, dev.txt, label.txt, and test.txt and data.txt if there are any", "data"
    )
    num_shots: Optional[int] = _flag(
        None, "train on this many examples a class, drawn from train.txt by --seed (default: all of them)", "data"
    )

    def __post_init__(self):
        if self.num_shots is not None and self.num_shots < 1:
            raise ConfigError(f"--num_shots must be at least 1, got {self.num_shots}")


@dataclass
class PromptTrainingArguments(TrainingArguments):
    """PaddleNLP's TrainingArguments with prompt learning's own, and defaults that train a few-shot task well.

    Evaluation every epoch, best dev accuracy kept, early stopping; `eval_steps` or `save_steps` switch to steps.
    `learning_rate` None is chosen by the width of the model, `ppt_learning_rate` None is ten times it.
    """

    preset: Optional[str] = _flag(
        None, "start from a named set of settings; flags override it", "train", choices=tuple(PRESETS)
    )
    do_train: bool = _flag(False, "train on train.txt", "steps")
    do_eval: bool = _flag(False, "evaluate on dev.txt, during training and at the end", "steps")
    do_predict: bool = _flag(False, "predict test.txt, labelled or not, into test_predictions.tsv", "steps")
    do_export: bool = _flag(False, "write the ONNX bundle into output_dir/export", "steps")
    resume_from_checkpoint: Optional[str] = _flag(
        None, "a finished run's folder or a checkpoint-N: with --do_train go on training, else load that model", "steps"
    )
    overwrite_output_dir: bool = _flag(False, "let --do_train replace the run that output_dir holds", "steps")
    output_dir: str = _flag("./checkpoints", "where the model, checkpoints and results go", "train")
    learning_rate: Optional[float] = _flag(
        None, "peak rate of the language model (default: 3e-5 for a base-size model, 2e-4 for a small one)", "train"
    )
    ppt_learning_rate: Optional[float] = _flag(
        None, "peak rate of prompt and head, or of a fine-tuned classifier (default: 10 x learning_rate)", "train"
    )
    ppt_weight_decay: float = _flag(0.0, "weight decay of prompt and head", "train")
    ppt_adam_beta1: float = _flag(0.9, "Adam's beta1 of prompt and head", "train")
    ppt_adam_beta2: float = _flag(0.999, "Adam's beta2 of prompt and head", "train")
    ppt_adam_epsilon: float = _flag(1e-8, "Adam's epsilon of prompt and head", "train")
    num_train_epochs: float = _flag(20.0, "epochs at most; giving it turns early stopping off", "train")
    early_stopping_patience: Optional[int] = _flag(
        None,
        "evaluations without a better dev score before training stops; 0 is off (default: 5; 0 if --max_steps or "
        "--num_train_epochs is given)",
        "train",
    )
    per_device_train_batch_size: int = _flag(16, "training batch size of each device", "train")
    per_device_eval_batch_size: int = _flag(32, "evaluation batch size of each device", "train")
    use_rdrop: bool = _flag(False, "R-Drop: two passes with different dropout must agree", "train")
    alpha_rdrop: float = _flag(5.0, "weight of the R-Drop loss, a batch mean", "train")
    use_rgl: bool = _flag(False, "RGL: predict which examples of a batch share a label", "train")
    alpha_rgl: float = _flag(0.5, "weight of the RGL loss", "train")
    freeze_plm: bool = _flag(False, "train prompt and head only", "train")
    freeze_dropout: bool = _flag(False, "also turn the language model's dropout off (implies --freeze_plm)", "train")
    save_plm: bool = _flag(False, "accepted as in PaddleNLP; the whole model is always saved", "train")
    verbose: bool = _flag(False, "show PaddleNLP's own log too", "train")
    evaluation_strategy: str = _flag("epoch", "no, steps or epoch", "trainer")
    logging_strategy: str = _flag("epoch", "no, steps or epoch", "trainer")
    save_strategy: str = _flag(
        "no", "no, steps or epoch; whatever it is, an evaluation that is the best so far is saved", "trainer"
    )
    save_total_limit: Optional[int] = _flag(1, "checkpoints to keep beside the best one", "trainer")
    load_best_model_at_end: bool = _flag(True, "end with the best model rather than the last", "trainer")
    metric_for_best_model: str = _flag("accuracy", "accuracy, macro_f1 or loss, on dev", "trainer")
    device: Optional[str] = _flag(None, "cpu, gpu, gpu:0 … (default: a GPU if there is one)", "trainer")
    warmup_ratio: float = _flag(0.0, "share of the steps with a rising learning rate", "trainer")

    def __post_init__(self):
        self._check()
        self.device = choose_device(self.device)
        try:
            paddle.set_device(self.device)
        except ValueError as error:
            raise ConfigError(f"--device {self.device}: {' '.join(str(error).split())}") from error
        if (self.fp16 or self.bf16) and not self.device.startswith("gpu"):
            flag = "--fp16" if self.fp16 else "--bf16"
            raise ConfigError(f"{flag} needs a GPU, but the device is {self.device}; drop {flag}")
        self.freeze_plm = self.freeze_plm or self.freeze_dropout
        # The Trainer checks save against evaluation strategy and loads the best model itself, neither of which it does
        # right here; PromptTrainer does both, so the base class is kept out of it.
        keep_best, self.load_best_model_at_end = self.load_best_model_at_end, False
        wanted = self.do_eval
        if not self.do_eval:
            self.evaluation_strategy = "no"
        elif self.evaluation_strategy in ("no", IntervalStrategy.NO):
            self.do_eval = False  # else the base class would switch to every 500 steps; this means once, at the end
        if self.disable_tqdm is None:
            self.disable_tqdm = not sys.stderr.isatty()
        try:
            super().__post_init__()
        except (ValueError, KeyError, AssertionError) as error:
            told = " ".join(str(error).split()) or "a setting of parallel training that its assertions do not allow"
            raise ConfigError(f"PaddleNLP's TrainingArguments: {told}") from error
        self.do_eval = wanted
        self.load_best_model_at_end = keep_best

    def _check(self) -> None:
        positive = ("learning_rate", "ppt_learning_rate", "num_train_epochs", "adam_epsilon", "ppt_adam_epsilon")
        at_least_one = (
            "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "eval_steps",
            "save_steps", "logging_steps",
        )  # fmt: skip
        not_negative = ("alpha_rdrop", "alpha_rgl", "ppt_weight_decay", "weight_decay", "early_stopping_patience",
                        "warmup_steps", "warmup_ratio", "max_grad_norm", "seed")  # fmt: skip
        for names, fits, wanted in (
            (positive, lambda value: value > 0, "above 0"),
            (at_least_one, lambda value: value >= 1, "at least 1"),
            (not_negative, lambda value: value >= 0, "0 or more"),
        ):
            for name in names:
                value = getattr(self, name)
                if value is not None and not fits(value):
                    raise ConfigError(f"--{name} must be {wanted}, got {value}")
        for name in ("adam_beta1", "adam_beta2", "ppt_adam_beta1", "ppt_adam_beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"--{name} must be at least 0 and below 1, got {getattr(self, name)}")
        if self.metric_for_best_model.replace("eval_", "", 1) not in ("accuracy", "macro_f1", "loss"):
            raise ConfigError(
                f"--metric_for_best_model {self.metric_for_best_model}: expected accuracy, macro_f1 or loss"
            )
        if self.optim != "adamw":
            raise ConfigError(f"--optim {self.optim}: only adamw is supported")
        reports = {self.report_to} if isinstance(self.report_to, str) else set(self.report_to or ())
        if unknown := sorted(reports - {*INTEGRATION_TO_CALLBACK, "all", "none"}):
            raise ConfigError(
                f"--report_to {' '.join(unknown)}: expected {', '.join(sorted(INTEGRATION_TO_CALLBACK))}, all or none"
            )
        if self.greater_is_better is None:
            self.greater_is_better = not self.metric_for_best_model.endswith("loss")
        if self.early_stopping_patience is None:
            self.early_stopping_patience = 5 if self.max_steps <= 0 else 0

    def resolve_learning_rates(self, hidden_size: int) -> None:
        """Fill in the rates that were not given, for a language model of this width."""
        if self.learning_rate is None:
            self.learning_rate = 3e-5 if hidden_size >= 512 else 2e-4
        if self.ppt_learning_rate is None:
            self.ppt_learning_rate = 10 * self.learning_rate


def choose_device(device: Optional[str]) -> str:
    """`device`, or a GPU if there is one, else cpu. ConfigError if a GPU is asked for where there is none."""
    gpus = paddle.device.cuda.device_count() if paddle.is_compiled_with_cuda() else 0
    if device is None:
        return "gpu" if gpus else "cpu"
    if device.startswith("gpu") and not gpus:
        why = "no GPU is visible" if paddle.is_compiled_with_cuda() else "the installed paddlepaddle is the CPU build"
        raise ConfigError(f"--device {device}: {why}; use --device cpu, or install the GPU build (README, section GPU)")
    return device


_GROUPS = {
    "steps": "what to do",
    "data": "data",
    "model": "model, prompt and verbalizer",
    "train": "training",
    "trainer": "PaddleNLP's Trainer",
}
_EXAMPLES = """examples:
  python train.py --do_train --do_eval                       train on data/tnews, keep the best model in ./checkpoints
  python train.py --do_train --do_eval --use_rdrop --data_dir my_data --output_dir my_model
  python train.py --do_eval --do_predict --output_dir zero   zero-shot: no training, the label words alone
  python train.py --do_train --do_eval --method finetune --output_dir fine_tuned
  python train.py --do_predict --resume_from_checkpoint ./checkpoints --output_dir predictions
  python train.py --do_train --do_eval --resume_from_checkpoint ./checkpoints/checkpoint-90
"""


# inherited flags that belong with ours
_FREQUENT = (
    "seed",
    "max_steps",
    "eval_steps",
    "save_steps",
    "logging_steps",
    "gradient_accumulation_steps",
    "report_to",
)


def build_parser() -> ArgumentParser:
    """The parser of train.py: our groups first, then the Trainer's."""
    parser = ArgumentParser(
        prog="train.py",
        usage="train.py [--do_train] [--do_eval] [--do_predict] [--do_export] [flags]",
        description="Train, evaluate, predict with and export a prompt model for text classification.",
        epilog=_EXAMPLES,
    )
    groups = {name: parser.add_argument_group(title) for name, title in _GROUPS.items()}
    for arguments in (DataArguments, ModelArguments, PromptTrainingArguments):
        hints = typing.get_type_hints(arguments)
        for item in dataclasses.fields(arguments):
            group = item.metadata.get("group", "train" if item.name in _FREQUENT else "trainer")
            _add_flag(groups[group], item, hints[item.name])
    for name in DERIVED:
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS, default=argparse.SUPPRESS)
    return parser


def parse_arguments(
    argv: Optional[Sequence[str]] = None,
) -> tuple[ModelArguments, DataArguments, PromptTrainingArguments, frozenset[str]]:
    """Parse and check; also return the names of the flags that were given."""
    given = vars(build_parser().parse_args(argv))
    ignored = [f"--{name}" for name in DERIVED if name in given]
    if ignored and paddle.distributed.get_rank() == 0:
        logger.warning("ignored, since it follows from the other flags or from the machine: %s", ", ".join(ignored))
    values = {**PRESETS.get(given.get("preset"), {}), **{k: v for k, v in given.items() if k not in DERIVED}}
    if "num_train_epochs" in given and "max_steps" not in given:
        values.pop("max_steps", None)  # a preset's, which would win over the epochs that are asked for
    if "eval_steps" in values:
        values.setdefault("evaluation_strategy", "steps")
    if "logging_steps" in values:
        values.setdefault("logging_strategy", "steps")
    if "save_steps" in values:
        values.setdefault("save_strategy", "steps")
    if "num_train_epochs" in given:
        values.setdefault("early_stopping_patience", 0)

    of_prompts = [name for name in _PROMPT_ONLY if given.get(name, False) is not False]
    if given.get("method") == "finetune" and of_prompts:
        raise ConfigError(
            f"--{of_prompts[0]} {given[of_prompts[0]]} contradicts --method finetune, which has no prompt and no label words; "
            f"drop {' and '.join(f'--{name}' for name in of_prompts)}, or --method finetune"
        )
    if given.get("num_shots") is not None and not given.get("do_train"):
        raise ConfigError(
            f"--num_shots {given['num_shots']} draws from train.txt, but nothing is trained; add --do_train"
        )

    def make(arguments):
        names = {item.name for item in dataclasses.fields(arguments)}
        return arguments(**{name: value for name, value in values.items() if name in names})

    return make(ModelArguments), make(DataArguments), make(PromptTrainingArguments), frozenset(given)


def _add_flag(group, item: dataclasses.Field, hint) -> None:
    """One dataclass field as a flag; SUPPRESS as default, so that what is given can be told from what is not."""
    kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    kind = kinds[0] if typing.get_origin(hint) is typing.Union else hint
    optional = type(None) in typing.get_args(hint) or item.default is None
    default = item.default if item.default is not dataclasses.MISSING else None
    text = item.metadata.get("help", "").replace("%", "%%").strip()
    if "(default" not in text and default not in (None, False, ""):
        text += f" (default: {getattr(default, 'value', default)})"
    options: dict[str, Any] = {"help": text, "default": argparse.SUPPRESS}
    if kind is bool:
        options.update(nargs="?", const=True, type=_or_none(_bool) if optional else _bool, metavar="BOOL")
    elif typing.get_origin(kind) is list:
        options.update(nargs="+", type=typing.get_args(kind)[0], metavar="NAME")
    else:
        base = str if isinstance(kind, type) and issubclass(kind, enum.Enum) else kind
        options["type"] = _or_none(base) if optional else item.metadata.get("parse", base)
        options["metavar"] = getattr(base, "__name__", "VALUE").upper()
        if "choices" in item.metadata:
            options.update(choices=item.metadata["choices"], metavar=None)
    group.add_argument(f"--{item.name}", **options)


def _bool(text: str) -> bool:
    if text.lower() in ("true", "1", "yes", "y", "on", "t"):
        return True
    if text.lower() in ("false", "0", "no", "n", "off", "f"):
        return False
    raise ValueError(text)


_bool.__name__ = "true or false"


def _or_none(kind):
    def convert(text: str):
        return None if text.lower() in ("none", "null") else kind(text)

    convert.__name__ = getattr(kind, "__name__", "value")
    return convert
