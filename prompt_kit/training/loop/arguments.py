"""What train.py can be told, as checked dataclasses; command_line.py makes flags of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Optional

from paddlenlp.trainer import IntervalStrategy, TrainingArguments

from prompt_kit.errors import ConfigError
from prompt_kit.prompt.prompt_tokenizer import TRUNCATE_MODES
from prompt_kit.prompt.task import MULTI_CLASS, TASK_TYPES
from prompt_kit.prompt_config import METHODS
from prompt_kit.training.loop.device import choose_device, not_joining
from prompt_kit.training.loop.flag_rules import (
    as_typed,
    check_numbers,
    check_places,
    check_without_effect,
    choose_reports,
)
from prompt_kit.training.loop.presets import PRESETS
from prompt_kit.training.models.heads import HEADS
from prompt_kit.training.models.soft_prompt import LARGEST_HIDDEN_SIZE
from prompt_kit.training.self_training.pseudo_labels import SELECTIONS

ENCODERS = ("lstm", "mlp", "none")
METRICS = ("accuracy", "macro_f1", "micro_f1", "loss")


def _none_string(text: str) -> str:
    return "none" if text.lower() in ("none", "null", "") else text.lower()


def _metric(text: str) -> str:
    """PaddleNLP's examples say macro_f1_score."""
    return text[: -len("_score")] if text.endswith("f1_score") else text


def _flag(default, text, group, **metadata):
    return field(default=default, metadata={"help": text, "group": group, **metadata})


@dataclass
class ModelArguments:
    """Which language model, method, template, verbalizer and head."""

    method: str = _flag(
        "prompt",
        "prompt; finetune: a linear classifier on [CLS] instead of template and verbalizer; or rtd: an ELECTRA discriminator "
        "says how original each label's words look in the mask",
        "model",
        choices=METHODS,
    )
    model_name_or_path: Optional[str] = _flag(
        None,
        "folder or PaddleNLP name of a masked language model, to fine-tune of any encoder of its families, for rtd of a "
        "discriminator (default: ernie-3.0-base-zh if cached or if there is a GPU, else the embedded mini_zh)",
        "model",
    )
    trust_pickle: bool = _flag(
        False,
        "load the weights of a folder that holds a .pdparams file and no safetensors; it is a pickle, which can run any code",
        "model",
    )
    prompt: Optional[str] = _flag(
        None,
        "template, or plain words: then {'text': 'text_a'}{'soft': words}{'mask'} (default: of a few neutral ones the one that "
        "suits train.txt, dev.txt or data.txt best before training; with another --verbalizer than cosine "
        "{'mask'}{'mask'}{'soft': '新闻：'}{'text': 'text_a'} if every label word has two tokens, else the words "
        "这条新闻标题的主题是)",
        "model",
    )
    soft_encoder: str = _flag(
        "lstm", "encoder of soft tokens that name none: lstm, mlp (two layers) or none", "model", parse=_none_string
    )
    encoder_hidden_size: Optional[int] = _flag(200, "width of the soft encoder; None: the model's own", "model")
    verbalizer: str = _flag(
        "cosine",
        "head: cosine (a direction a label, started from its words, read as texts, its examples, and data.txt), soft "
        "(learnable, starts from the label words' decoder rows), manual (the pretrained head), or prototype (the pretrained "
        "head plus the cosines to a learned prototype of each label's examples); with --text_pairs and no --prompt cosine "
        "reads each text alone and compares the two",
        "model",
        choices=HEADS,
    )
    init_prompt_from: Optional[str] = _flag(
        None,
        "folder trained for another task with the same language model: start from its soft tokens and their encoder, and with "
        "--verbalizer soft from the rows of labels that match; without --prompt its template is taken too",
        "model",
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
    task_type: str = _flag(
        MULTI_CLASS,
        "multi-class: one label a text; multi-label: any number, with a comma between; or hierarchical: such labels with "
        "levels, a##b under a",
        "model",
        choices=TASK_TYPES,
    )
    export_type: str = _flag("onnx", "accepted as in the example; --do_export always writes both", "model")

    def __post_init__(self):
        if self.soft_encoder not in ENCODERS:
            raise ConfigError(f"--soft_encoder {self.soft_encoder}: expected one of {', '.join(ENCODERS)}, None")
        if self.export_type not in ("paddle", "onnx"):
            raise ConfigError(f"--export_type {self.export_type}: expected paddle or onnx (both are written)")
        if self.encoder_hidden_size is not None and self.encoder_hidden_size > LARGEST_HIDDEN_SIZE:
            raise ConfigError(
                f"--encoder_hidden_size must be {LARGEST_HIDDEN_SIZE} at most, got {as_typed(self.encoder_hidden_size)}"
            )
        check_places(self)


@dataclass
class DataArguments:
    """Where the data is."""

    data_dir: str = _flag(
        "./data/tnews",
        "folder with label.txt, train.txt, dev.txt, and test.txt and data.txt if there are any; with --verbalizer cosine "
        "train.txt or dev.txt may be missing too",
        "data",
    )
    num_shots: Optional[int] = _flag(
        None, "train on this many examples a class, drawn from train.txt by --seed (default: all of them)", "data"
    )
    text_pairs: bool = _flag(
        False,
        "a line has two texts: text_a<TAB>text_b<TAB>label, or columns that a first line names; implied by a --prompt that has "
        "text_b",
        "data",
    )
    augment: int = _flag(
        0,
        "make so many variants of each training line: words swapped, left out, or guessed by the masked language model; they "
        "are written to augmented.tsv in output_dir",
        "data",
    )
    augmented_file: Optional[str] = _flag(
        None, "train on the variants in this file too, such as an augmented.tsv that was edited", "data"
    )

    def __post_init__(self):
        if self.num_shots is not None and self.num_shots < 1:
            raise ConfigError(f"--num_shots must be at least 1, got {as_typed(self.num_shots)}")
        if not 0 <= self.augment <= 100:
            raise ConfigError(f"--augment must be 0 to 100, got {as_typed(self.augment)}")
        if self.augment and self.augmented_file is not None:
            raise ConfigError(
                f"--augment {self.augment} makes variants, --augmented_file {self.augmented_file} has them; drop one of them"
            )
        check_places(self)


@dataclass
class PromptTrainingArguments(TrainingArguments):
    """PaddleNLP's TrainingArguments with prompt learning's own, and defaults that train a few-shot task well.

    Plain data: making one sets no device and joins no process (see device.py), and a trainer works on a copy.

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
    report: bool = _flag(
        False,
        "write output_dir/report/report.html, about test.txt if it has labels, else dev.txt; extra 'report'",
        "steps",
    )
    language: str = _flag("en", "of the report: en or zh", "steps", choices=("en", "zh"))
    resume_from_checkpoint: Optional[str] = _flag(
        None, "a finished run's folder or a checkpoint-N: with --do_train go on training, else load that model", "steps"
    )
    overwrite_output_dir: bool = _flag(False, "let --do_train replace the run that output_dir holds", "steps")
    output_dir: str = _flag("./checkpoints", "where the model, checkpoints and results go", "train")
    learning_rate: Optional[float] = _flag(
        None,
        "peak rate of the language model (default: 1e-5 for a base-size model and 2e-5 for a small one with --verbalizer cosine, "
        "else 3e-5 and 2e-4)",
        "train",
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
    cross_validation: Optional[int] = _flag(
        None,
        "without dev.txt: so many folds of train.txt say for how many epochs training helps, and how good the model is "
        "(default: 4; none with --verbalizer cosine, which is left as it starts and judged by leave-one-out)",
        "train",
    )
    per_device_train_batch_size: int = _flag(16, "training batch size of each device", "train")
    per_device_eval_batch_size: int = _flag(32, "evaluation batch size of each device", "train")
    ema_decay: float = _flag(
        0.97,
        "evaluate and keep an exponential moving average of the weights with this decay per step; 0 is off, and the weights "
        "of the last step count",
        "train",
    )
    use_rdrop: bool = _flag(
        True, "R-Drop: two passes with different dropout must agree; false halves the work of a step", "train"
    )
    alpha_rdrop: float = _flag(5.0, "weight of the R-Drop loss, a batch mean", "train")
    use_rgl: bool = _flag(False, "RGL: predict which examples of a batch share a label", "train")
    alpha_rgl: float = _flag(0.5, "weight of the RGL loss", "train")
    alpha_prototype: float = _flag(0.1, "weight of the prototypes' losses of --verbalizer prototype", "train")
    episode_shots: int = _flag(
        2, "examples of a label in a batch, as far as it has so many; for --verbalizer prototype", "train"
    )
    unlabeled_file: Optional[str] = _flag(
        None,
        "self-training on this file, one text a line: a trained model labels the texts, and the next one is trained on the "
        "probabilities of these labels too; texts of data_dir's train, dev and test.txt are left out",
        "self",
    )
    teacher: Optional[list[str]] = _flag(
        None,
        "trained or exported folders whose mean probabilities label the texts, in place of a first model trained here",
        "self",
    )
    num_teachers: int = _flag(
        0, "first train so many models, of seeds from --seed on, whose mean probabilities label the texts", "self"
    )
    num_generations: int = _flag(1, "models to train after the first, each on the labels of the one before", "self")
    pseudo_label_selection: str = _flag(
        "all",
        "texts to train on: all; balanced: the most probable ones of every class; confidence: those above a probability",
        "self",
        choices=SELECTIONS,
    )
    pseudo_labels_per_class: int = _flag(20, "texts a class at most, with balanced", "self")
    pseudo_label_threshold: float = _flag(0.9, "lowest probability, with confidence", "self")
    freeze_plm: bool = _flag(False, "train prompt and head only", "train")
    freeze_dropout: bool = _flag(False, "also turn the language model's dropout off (implies --freeze_plm)", "train")
    save_prompt_only: bool = _flag(
        False,
        "leave the language model out of what is saved: prompt and head alone, which need it to be loaded; with --freeze_plm",
        "train",
    )
    save_plm: bool = _flag(
        False, "accepted as in PaddleNLP; the whole model is saved, but for --save_prompt_only", "train"
    )
    verbose: bool = _flag(False, "show PaddleNLP's own log too", "train")
    evaluation_strategy: str = _flag("epoch", "no, steps or epoch", "trainer")
    logging_strategy: str = _flag("epoch", "no, steps or epoch", "trainer")
    save_strategy: str = _flag(
        "no", "no, steps or epoch; whatever it is, the best evaluation and the last are saved", "trainer"
    )
    save_total_limit: Optional[int] = _flag(1, "last checkpoints to keep beside the best one; 0 keeps all", "trainer")
    load_best_model_at_end: bool = _flag(True, "end with the best model rather than the last", "trainer")
    metric_for_best_model: str = _flag(
        "accuracy",
        "accuracy, macro_f1, micro_f1 or loss, on dev; micro_f1 is of tasks with several labels a text, whose default it is",
        "trainer",
        parse=_metric,
    )
    device: Optional[str] = _flag(None, "cpu, gpu, gpu:0 … (default: a GPU if there is one)", "trainer")
    warmup_ratio: float = _flag(0.0, "share of the steps with a rising learning rate", "trainer")

    def __post_init__(self):
        check_numbers(self)
        self._check()
        if self.no_cuda:
            if self.device is not None and self.device != "cpu":
                raise ConfigError(f"--no_cuda contradicts --device {self.device}; give one of them")
            self.device = "cpu"
        self.device = choose_device(self.device)
        halves = [name for name in ("fp16", "bf16", "fp16_full_eval", "bf16_full_eval") if getattr(self, name)]
        if halves and not self.device.startswith("gpu"):
            raise ConfigError(f"--{halves[0]} needs a GPU, but the device is {self.device}; drop --{halves[0]}")
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
            self.disable_tqdm: Optional[bool] = not sys.stderr.isatty()
        try:
            with not_joining():
                super().__post_init__()
        except (ValueError, KeyError, AssertionError) as error:
            told = " ".join(str(error).split()) or "a setting of parallel training that its assertions do not allow"
            raise ConfigError(f"PaddleNLP's TrainingArguments: {told}") from error
        self.do_eval = wanted
        self.load_best_model_at_end = keep_best

    def _check(self) -> None:
        check_without_effect(self)
        check_places(self)
        self.report_to: list[str] = choose_reports(self.report_to)
        if self.fp16_opt_level not in ("O1", "O2"):
            raise ConfigError(f"--fp16_opt_level {as_typed(self.fp16_opt_level)}: expected O1 or O2")
        if self.num_cycles > 1000:
            raise ConfigError(f"--num_cycles must be 1000 at most, got {self.num_cycles}")
        if self.unlabeled_file is not None and not (self.do_train and self.do_eval):
            raise ConfigError(
                f"--unlabeled_file {self.unlabeled_file} is for training, which keeps the best generation by its dev score; "
                "add --do_train --do_eval, or drop it"
            )
        if self.metric_for_best_model.replace("eval_", "", 1) not in METRICS:
            raise ConfigError(
                f"--metric_for_best_model {self.metric_for_best_model}: expected {', '.join(METRICS[:-1])} or {METRICS[-1]}"
            )
        if self.teacher and self.num_teachers:
            raise ConfigError(
                f"--teacher {' '.join(self.teacher)} contradicts --num_teachers {self.num_teachers}; give the teachers or train "
                "them here"
            )
        if self.optim != "adamw":
            raise ConfigError(f"--optim {self.optim}: only adamw is supported")
        if self.greater_is_better is None:
            self.greater_is_better: Optional[bool] = not self.metric_for_best_model.endswith("loss")
        elif self.greater_is_better == self.metric_for_best_model.endswith("loss"):
            raise ConfigError(
                f"--greater_is_better {self.greater_is_better} contradicts --metric_for_best_model "
                f"{self.metric_for_best_model}: the worst model would be kept; drop --greater_is_better"
            )
        if self.early_stopping_patience is None:
            self.early_stopping_patience = 5 if self.max_steps <= 0 else 0

    def resolve_learning_rates(self, hidden_size: int, gentle: bool = False) -> None:
        """Fill in the rates that were not given, for a language model of this width; `gentle`: for one that starts well."""
        if self.learning_rate is None:
            self.learning_rate = (1e-5 if gentle else 3e-5) if hidden_size >= 512 else (2e-5 if gentle else 2e-4)
        if self.ppt_learning_rate is None:
            self.ppt_learning_rate = 10 * self.learning_rate
