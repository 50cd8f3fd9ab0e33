"""PromptTrainer: PaddleNLP's Trainer with prompt losses, two learning rates, and checkpoints that can be trusted."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import paddle
from paddlenlp.trainer import IntervalStrategy, Trainer
from paddlenlp.trainer.trainer_utils import SchedulerType

from prompt_kit.data.dataset import Example
from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.training.cpu.kernels import uses
from prompt_kit.training.cpu.trained_rows import RowsAdamW, TrainedRows
from prompt_kit.training.loop.arguments import PromptTrainingArguments
from prompt_kit.training.loop.averaging import LIVE_FILE, WeightAverage
from prompt_kit.training.loop.batching import Collator, EncodedDataset, SeededBatchSampler
from prompt_kit.training.loop.callbacks import BestModelCallback, ProgressCallback, evaluations
from prompt_kit.training.loop.device import move, use_device
from prompt_kit.training.loop.resumable import ResumableTrainer
from prompt_kit.training.loop.run_record import record_of
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.objectives.choice import choose_objectives
from prompt_kit.training.objectives.objective import Forward, Objective

Examples = Union[Sequence[Example], EncodedDataset]


class PromptTrainer(ResumableTrainer):
    """Trains a PromptModel or a FineTuneModel.

    Args:
        model: the model; `args.freeze_plm` and `args.freeze_dropout` are applied to it.
        args: PromptTrainingArguments.
        train_dataset, eval_dataset: Examples with labels, or EncodedDatasets.
        callbacks: further TrainerCallbacks.

    What differs from the Trainer: a resumed run equals an uninterrupted one (see ResumableTrainer); the evaluation that
    is the best so far is always saved, and that model is the one that training ends with.
    """

    def __init__(
        self,
        model: TextClassifier,
        args: PromptTrainingArguments,
        train_dataset: Optional[Examples] = None,
        eval_dataset: Optional[Examples] = None,
        callbacks: Optional[list] = None,
    ):
        use_device(args.device)
        move(model)
        args = copy.deepcopy(args)  # the caller's may serve another model, for which other rates are right
        args.resolve_learning_rates(model.backbone.config.hidden_size, model.starts_from_examples)
        model.unfreeze_language_model()  # an earlier trainer may have frozen it
        if args.freeze_plm:
            model.freeze_language_model()
        model.freeze_dropout = args.freeze_dropout
        self._best = BestModelCallback(args.early_stopping_patience or 0)
        self._average = WeightAverage(model, args.ema_decay) if args.ema_decay else None
        self.objectives = choose_objectives(args, model)
        train_dataset = _encoded(train_dataset, model)
        if train_dataset is not None:
            # too few examples or epochs: say so before anything is written
            _check_schedule(args, len(_sampler(train_dataset, args, self.objectives)))
        super().__init__(
            model=model,
            args=args,
            data_collator=Collator(model.tokenizer.pad_id),
            train_dataset=train_dataset,
            eval_dataset=_encoded(eval_dataset, model),
            compute_metrics=self._scores,
            callbacks=[self._best, *filter(None, [self._average]), ProgressCallback(), *(callbacks or [])],
        )
        if self.train_dataset is not None:
            dev = None if self.eval_dataset is None else self.eval_dataset.examples
            self.record = record_of(args, self.train_dataset.examples, dev)
        self.judged: Optional[dict[str, Any]] = None  # what cross-validation says of the model, without a dev.txt

    # -- data ---------------------------------------------------------------------------------------------------------

    def _get_train_sampler(self):
        return _sampler(self.train_dataset, self.args, self.objectives)

    def predict_logits(self, examples: Examples) -> np.ndarray:
        """[N, C] float32 label logits, in the examples' order, whether or not they have labels."""
        return self.predict(_encoded(examples, self.model)).predictions

    def evaluate(self, eval_dataset: Optional[Examples] = None, ignore_keys=None, metric_key_prefix: str = "eval"):
        with self._averaged():
            return super().evaluate(_encoded(eval_dataset, self.model), ignore_keys, metric_key_prefix)

    def _averaged(self):
        """Context in which the model has the averaged weights, while training; after it the model has them anyway."""
        average = self._average if self._best.training else None
        return contextlib.nullcontext() if average is None else average.applied()

    def evaluation_loop(self, *args, metric_key_prefix: str = "eval", **kwargs):
        output = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
        if output.predictions is not None and output.label_ids is not None:
            # the Trainer's mean counts the examples twice that fill up the last batch of several processes
            output.metrics[f"{metric_key_prefix}_loss"] = self.model.task.loss(output.predictions, output.label_ids)
        return output

    def _scores(self, output) -> dict[str, float]:
        """The task's metrics; while training, by the threshold that is best on dev, which the model then has."""
        task, labels = self.model.task, self.model.verbalizer.labels
        probabilities = task.probabilities(output.predictions, labels)
        if self._best.training:
            task = self.model.task = task.decided_on(probabilities, output.label_ids)
        return task.scores(probabilities, output.label_ids, labels)

    # -- optimization -------------------------------------------------------------------------------------------------

    def training_step(self, model, inputs) -> paddle.Tensor:
        if self.model.starts_from_examples and not self.state.global_step and self._last_step < 0:
            self._evaluate_the_start(model)
        rows = self.optimizer.rows
        with contextlib.nullcontext() if rows is None else rows.used():
            return self._finite(super().training_step(model, inputs))

    def _finite(self, loss: paddle.Tensor) -> paddle.Tensor:
        """The loss; ConfigError where it is no number, before a model of such weights is taken for the best."""
        if not math.isfinite(float(loss)):
            raise ConfigError(
                f"the loss is {float(loss)} at step {self.state.global_step + 1}: the weights have run away; lower "
                f"--learning_rate {self.args.learning_rate:g} and --ppt_learning_rate {self.args.ppt_learning_rate:g}"
            )
        return loss

    def _evaluate_the_start(self, model) -> None:
        """Let a model that knows its examples before the first step be the best one: training may only make it worse."""
        evaluates = self.eval_dataset is not None and self.args.evaluation_strategy != IntervalStrategy.NO
        if not evaluates or evaluations(
            self.state.log_history, self.args.metric_for_best_model
        ):  # it is in the log: resumed
            return
        self.evaluate()
        if self.control.should_save:
            self._save_checkpoint(model)
            self.control = self.callback_handler.on_save(self.args, self.state, self.control)
        self.control.should_save = False
        model.train()

    def compute_loss(self, model, inputs, return_outputs: bool = False):
        """The weighted sum of the objectives while training; the first one otherwise."""
        inputs = dict(inputs)
        targets = inputs.pop("labels")
        batch, terms = targets.shape[0], self.objectives if self.model.training else self.objectives[:1]
        passes = max(term.passes for term in terms)
        if passes > 1:  # one pass over a batch that is repeated
            targets, inputs = _repeated(targets, passes), {k: _repeated(v, passes) for k, v in inputs.items()}
        logits, states = model(**inputs, return_mask_states=True)
        labels = targets.argmax(axis=1) if targets.ndim == 2 else targets
        forward = Forward(logits, states, labels, targets, passes)
        loss = sum(term.weight * term.loss(self.model, forward) for term in terms if term.weight)
        return (loss, (loss, logits[:batch])) if return_outputs else loss

    def create_optimizer(self, lr_scheduler=None):
        """AdamW over two groups: the language model, and prompt and head with a rate, decay and betas of their own.

        `max_grad_norm` bounds the norm of each group's gradient, not of both together: Paddle clips by group.
        """
        if self.optimizer is not None:
            return self.optimizer
        args = self.args
        _, options = Trainer.get_optimizer_cls_and_kwargs(args)
        decayed = {p.name for n, p in self.model.named_parameters() if not any(part in n for part in ("bias", "norm"))}
        rows = self._rows_to_train()
        replaced = {} if rows is None else {id(rows.table): rows.parameter}
        language_model = [replaced.get(id(p), p) for p in self.model.language_model_parameters()]
        groups = [
            {"params": language_model, "weight_decay": args.weight_decay},
            {
                "params": self.model.prompt_parameters(),
                "learning_rate": args.ppt_learning_rate / args.learning_rate,  # Paddle takes a factor here
                "weight_decay": args.ppt_weight_decay,
                "beta1": args.ppt_adam_beta1,
                "beta2": args.ppt_adam_beta2,
                "epsilon": args.ppt_adam_epsilon,
            },
        ]
        self.optimizer = RowsAdamW(
            learning_rate=lr_scheduler or self.lr_scheduler,
            parameters=[group for group in groups if group["params"]],
            weight_decay=args.weight_decay,
            apply_decay_param_fun=decayed.__contains__,
            grad_clip=paddle.nn.ClipGradByGlobalNorm(args.max_grad_norm) if args.max_grad_norm > 0 else None,
            **options,
        )
        self.optimizer.rows = rows
        if self._average is not None:
            self._average.rows = rows
        return self.optimizer

    def _rows_to_train(self) -> Optional[TrainedRows]:
        """The rows of the word embeddings that training can move, or None where that may be all or saves nothing."""
        table = self.model.backbone.get_input_embeddings().weight
        alone = self.args.world_size <= 1 and not self.args.weight_decay and paddle.get_device() == "cpu"
        if self.train_dataset is None or table.stop_gradient or self.model.reads_word_embeddings or not alone:
            return None
        if not uses("trained_rows"):
            return None
        ids = {0, self.model.tokenizer.pad_id}  # 0 stands in the place of soft tokens
        ids.update(*(features.input_ids for features in self.train_dataset.features))
        return TrainedRows(self.model.backbone.get_input_embeddings(), ids) if 2 * len(ids) <= table.shape[0] else None

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def train(self, resume_from_checkpoint: Optional[str] = None, ignore_keys_for_eval=None):
        """Train; end with the best model if `load_best_model_at_end` and there was an evaluation, else with the last."""
        if resume_from_checkpoint is None:
            self.start()
        keep_best = self.args.load_best_model_at_end
        self._best.resumed_from = resume_from_checkpoint if keep_best else None
        # The Trainer would look for model_state.pdparams, not find it, warn, and go on with the last model.
        self.args.load_best_model_at_end = False
        try:
            output = super().train(resume_from_checkpoint, ignore_keys_for_eval)
        finally:
            self.args.load_best_model_at_end = keep_best
        if keep_best and self.state.best_model_checkpoint:
            self.model.load_weights(self.state.best_model_checkpoint)
            self.model.decide_as(self.state.best_model_checkpoint)
        elif self._average is not None:
            self._average.apply()
        return output

    def _is_spare(self) -> bool:
        return self._best.spare

    def start(self) -> None:
        """Start the model's head from the training examples, if it is of a kind that can."""
        data = self.train_dataset
        self.model.start_from_examples(data.features, data.answers, self.args.per_device_eval_batch_size)

    def leave_one_out(self) -> tuple[np.ndarray, dict[str, float]]:
        """([N] bool: which training examples are right by a head that is started from the others, all scores of it).

        The model's threshold, if its task has one, is the best for these.
        """
        data, model = self.train_dataset, self.model
        logits = model.leave_one_out(data.features, data.answers, self.args.per_device_eval_batch_size)
        probabilities = model.task.probabilities(logits, model.verbalizer.labels)
        model.task = model.task.decided_on(probabilities, data.answers)
        scores = model.task.scores(probabilities, data.answers, model.verbalizer.labels)
        return model.task.right(probabilities, data.answers), scores

    def _load_from_checkpoint(self, resume_from_checkpoint: Optional[str] = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint)
        if resume_from_checkpoint is None:
            return
        held = (Path(resume_from_checkpoint) / LIVE_FILE).is_file()
        if held != (self._average is not None):
            raise CheckpointError(
                f"{resume_from_checkpoint} was trained {'with' if held else 'without'} averaged weights; resume with the "
                f"--ema_decay of the first run, which was {'above 0' if held else '0'}"
            )
        if self._average is not None:
            self._average.resume(Path(resume_from_checkpoint))


def _check_schedule(args: PromptTrainingArguments, batches: int) -> None:
    """ConfigError where the epochs are less than one step, or the rates are none that the schedule can have."""
    steps = max(1, batches // args.gradient_accumulation_steps)
    if args.max_steps <= 0 and int(steps * args.num_train_epochs) < 1:
        raise ConfigError(
            f"--num_train_epochs {args.num_train_epochs:g} is less than one step, of which an epoch has {steps}; raise it, or "
            "give --max_steps"
        )
    if SchedulerType(args.lr_scheduler_type) == SchedulerType.POLYNOMIAL and args.lr_end >= args.learning_rate:
        raise ConfigError(f"--lr_end {args.lr_end:g} must be below --learning_rate {args.learning_rate:g}")


def _repeated(tensor: paddle.Tensor, times: int) -> paddle.Tensor:
    return paddle.concat([tensor] * times)


def _sampler(dataset: EncodedDataset, args: PromptTrainingArguments, objectives: list[Objective]) -> SeededBatchSampler:
    """The batches that one of the objectives needs, else shuffled ones."""
    options = dict(
        num_replicas=max(1, args.dataset_world_size),
        rank=max(0, args.dataset_rank),
        accumulation=args.gradient_accumulation_steps,
    )
    size, seed = args.per_device_train_batch_size, args.seed
    for term in objectives:
        sampler = term.sampler(dataset.labels, size, seed, **options)
        if sampler is not None:
            return sampler
    return SeededBatchSampler(len(dataset), size, seed, **options)


def _encoded(examples: Optional[Examples], model: TextClassifier) -> Optional[EncodedDataset]:
    if examples is None or isinstance(examples, EncodedDataset):
        return examples
    label_to_id, targets = model.verbalizer.label_to_id, None
    if model.task.several and all(one.label is not None for one in examples):
        targets = model.task.targets([one.label for one in examples], label_to_id)
    return EncodedDataset(examples, model.prompt_tokenizer, label_to_id, targets)
