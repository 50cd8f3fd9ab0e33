"""Train a masked language model on lines of text: the model, its folder, and its trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn
from paddlenlp.trainer import Trainer, TrainingArguments

from prompt_kit.atomic import replace_files
from prompt_kit.json_file import write_json
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt.vocabulary import SPECIAL_TOKENS
from prompt_kit.training.cpu.kernels import CPUKernels
from prompt_kit.training.loop.callbacks import ProgressCallback
from prompt_kit.training.loop.resumable import ResumableTrainer
from prompt_kit.training.models.base import WEIGHTS_FILE, plain_config
from prompt_kit.training.models.heads import masked_lm_head
from prompt_kit.training.models.weights import load_safetensors, save_safetensors
from prompt_kit.training.pretraining.masked_batches import LengthBatchSampler, MaskedCollator, MaskedLines
from prompt_kit.training.pretraining.masking import EncodedLines, WholeWordMasker

RECIPE_FILE = "pretraining.json"
_TOKENIZER_CLASSES = {
    "ernie": "ErnieTokenizer", "bert": "BertTokenizer", "roberta": "RobertaChineseTokenizer", "electra": "ElectraTokenizer"
}  # fmt: skip


class MaskedLanguageModel(nn.Layer):
    """A PaddleNLP …ForMaskedLM whose hidden places alone reach the last layer and the vocabulary: [N, V], not [B, L, V].

    Args:
        backbone: an ERNIE, BERT, RoBERTa or ELECTRA-generator …ForMaskedLM.
        tokenizer: whose vocabulary is saved with it.
        recipe: how it is being trained, saved with it.
    """

    def __init__(self, backbone: nn.Layer, tokenizer: Tokenizer, recipe: Optional[dict[str, Any]] = None):
        super().__init__()
        self.backbone, self.tokenizer, self.recipe = backbone, tokenizer, recipe or {}
        self._lm_head = masked_lm_head(backbone)
        self._encoder = getattr(backbone, backbone.base_model_prefix)
        if getattr(self._encoder, "pooler", None) is not None:  # takes no part in what is predicted
            for parameter in self._encoder.pooler.parameters():
                parameter.stop_gradient = True
        self._kernels = CPUKernels(self._encoder)

    def forward(self, input_ids, columns, rows):
        """Vocabulary logits [N, V] of the hidden places.

        Args:
            input_ids: [B, L] int64, padded.
            columns: [B, M] int64, the hidden places of each line, padded with 0.
            rows: [N] int64, which of the B*M are no padding.
        """
        states = self._kernels.rows(input_ids, columns, token_type_ids=paddle.zeros_like(input_ids))
        states = paddle.gather(states.reshape([-1, states.shape[-1]]), rows)
        return paddle.matmul(self._lm_head.transform(states), self._lm_head.weight(), transpose_y=True) + (
            self._lm_head.bias()
        )

    def save_pretrained(self, folder, dtype: str = "float32") -> None:
        """Write a folder that load_backbone and PaddleNLP's AutoModelForMaskedLM read; the recipe beside it."""
        self.write(self.backbone, self.tokenizer, self.recipe, folder, dtype)

    def save_finished(self, folder, dtype: str = "float32") -> None:
        """What is left of a run that has ended."""
        self.save_pretrained(folder, dtype)

    @staticmethod
    def write(backbone: nn.Layer, tokenizer: Tokenizer, recipe: dict[str, Any], folder, dtype: str) -> None:
        """Write a language model's folder: weights, config.json, vocabulary, and the recipe."""
        tokens = {f"{token.strip('[]').lower()}_token": token for token in SPECIAL_TOKENS}
        with replace_files(Path(folder)) as staging:
            save_safetensors(dict(backbone.named_parameters()), staging / WEIGHTS_FILE, dtype)
            write_json(staging / "config.json", plain_config(backbone))
            with open(staging / "vocab.txt", "w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{tokenizer.id_to_token(i)}\n" for i in range(tokenizer.vocab_size))
            write_json(
                staging / "tokenizer_config.json",
                {
                    "do_lower_case": tokenizer.lowercase,
                    **tokens,
                    "tokenizer_class": _TOKENIZER_CLASSES[backbone.base_model_prefix],
                },
            )
            write_json(staging / RECIPE_FILE, recipe)

    def load_weights(self, folder) -> None:
        """Replace all weights by those in `folder`; every one must be there, in its shape."""
        load_safetensors(dict(self.backbone.named_parameters()), Path(folder) / WEIGHTS_FILE)


class PretrainingTrainer(ResumableTrainer):
    """Trains a MaskedLanguageModel; evaluates on held-out lines whose masks never change.

    Args:
        model, args: args.num_train_epochs or args.max_steps count batches of `batch_tokens`.
        lines, held_out: encoded lines; held_out None: no evaluation.
        share: of the words that are hidden.
        added: tokens that a batch may add to each line.
    """

    def __init__(
        self, model: MaskedLanguageModel, args: TrainingArguments, lines: EncodedLines,
        held_out: Optional[EncodedLines], share: float, batch_tokens: int, added: int = 0,
    ):  # fmt: skip
        self.batch_tokens = batch_tokens
        masker = WholeWordMasker(model.tokenizer, share)
        self._sampler = LengthBatchSampler(
            [length + added for length in lines.lengths], batch_tokens, args.seed,
            max(1, args.dataset_world_size), max(0, args.dataset_rank),
            args.gradient_accumulation_steps,
        )  # fmt: skip
        self._masked = MaskedCollator(model.tokenizer)
        self._held_out = None if held_out is None else MaskedLines(held_out, masker, args.seed + 1)
        super().__init__(
            model=model,
            args=args,
            data_collator=self._masked,
            train_dataset=MaskedLines(lines, masker, args.seed),
            callbacks=[ProgressCallback(("held-out loss", "masked accuracy"))],
        )

    def _get_train_sampler(self):
        return self._sampler

    @property
    def holds_out(self) -> bool:
        """Whether there are lines to evaluate on."""
        return self._held_out is not None

    def compute_loss(self, model, inputs, return_outputs: bool = False):
        inputs = dict(inputs)
        targets = inputs.pop("targets")
        return F.cross_entropy(model(**inputs).astype("float32"), targets)

    @paddle.no_grad()
    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval") -> dict[str, float]:
        """Mean loss and accuracy over the hidden tokens of the held-out lines; a short file is hidden several times over.
        Nothing where no lines are held out."""
        held_out = self._held_out
        if held_out is None:
            return {}
        lines = held_out.lines
        rounds = int(np.clip(2000 // max(1, held_out.masker.share * lines.tokens), 1, 8))
        sampler = LengthBatchSampler(lines.lengths, self.batch_tokens, 0)
        loss, right, total = 0.0, 0, 0
        self.model.eval()
        for number in range(rounds):
            sampler.set_epoch(number)
            for batch in sampler:
                inputs = self._prepare_inputs(
                    {k: paddle.to_tensor(v) for k, v in self._masked([held_out[i] for i in batch]).items()}
                )
                targets = inputs.pop("targets")
                logits = self.model(**inputs).astype("float32")
                loss += float(F.cross_entropy(logits, targets, reduction="sum"))
                right += int((logits.argmax(-1) == targets).sum())
                total += len(targets)
        metrics = {f"{metric_key_prefix}_loss": loss / total, f"{metric_key_prefix}_accuracy": right / total}
        metrics.update({f"{metric_key_prefix}_{name}": value for name, value in self._more_metrics().items()})
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _more_metrics(self) -> dict[str, float]:
        """What else is measured on the held-out lines; the model is in evaluation mode."""
        return {}

    def create_optimizer(self, lr_scheduler=None):
        """AdamW; biases and norms do not decay."""
        if self.optimizer is None:
            optimizer_class, options = Trainer.get_optimizer_cls_and_kwargs(self.args)
            named = [(n, p) for n, p in self.model.named_parameters() if not p.stop_gradient]
            decayed = {p.name for n, p in named if not any(part in n for part in ("bias", "norm"))}
            self.optimizer = optimizer_class(
                learning_rate=lr_scheduler or self.lr_scheduler,
                parameters=[{"params": [p for _, p in named]}],
                weight_decay=self.args.weight_decay,
                apply_decay_param_fun=decayed.__contains__,
                grad_clip=nn.ClipGradByGlobalNorm(self.args.max_grad_norm) if self.args.max_grad_norm > 0 else None,
                **options,
            )
        return self.optimizer
