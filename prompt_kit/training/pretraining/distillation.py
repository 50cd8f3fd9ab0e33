"""Distillation beside masked-language modelling: the states that a prompt reads learn to tell a teacher's vectors.

The states are those of the masks of several templates (transformed, as the vocabulary reads them), of [CLS], and the
mean. Each tells the vector through a linear projection that is thrown away afterwards. Sources: a linear map between
the student's and the teacher's widths, TinyBERT (Jiao et al., arXiv:1909.10351); a sentence encoder's vectors as the
target, Reimers & Gurevych (arXiv:2004.09813); how a batch's lines lie to each other, relational knowledge distillation
(Park et al., arXiv:1904.05068), here with a softmax over cosines in place of their distances and angles.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import paddle
import paddle.nn.functional as F
from paddle import nn

from prompt_kit.atomic import replace_file
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.training.cpu.last_layer import take_rows
from prompt_kit.training.models.weights import load_safetensors, save_safetensors
from prompt_kit.training.pretraining.masked_batches import LengthBatchSampler
from prompt_kit.training.pretraining.masked_lm import MaskedLanguageModel, PretrainingTrainer
from prompt_kit.training.pretraining.masking import WholeWordMasker
from prompt_kit.training.pretraining.taught_batches import FORMS, TaughtCollator, TaughtLines
from prompt_kit.training.pretraining.teacher_vectors import TeacherVectors

PROJECTIONS_FILE = "projections.safetensors"  # of a checkpoint; a finished model has none
TEMPERATURE = 0.1
_LEAST_SPREAD = 0.5  # of a state's own length
_MEAN_SHARE = 0.5  # of the loss of the mean, which takes part in every batch, to that of the masks or [CLS]


@dataclass(frozen=True)
class Weights:
    """Of the terms of the loss: telling the vector, masked-language modelling, relations within a batch."""

    teacher: float = 6.0
    mlm: float = 0.5
    relation: float = 1.0


def cosine_loss(told: paddle.Tensor, teacher: paddle.Tensor) -> paddle.Tensor:
    """Mean of 1 - cosine of the rows of told and teacher, both [B, D]."""
    return (1 - F.cosine_similarity(told, teacher, axis=1)).mean()


def relational_loss(states: paddle.Tensor, teacher: paddle.Tensor) -> paddle.Tensor:
    """Mean over lines of KL(teacher's || student's softmax of its cosines to the batch's other lines, over TEMPERATURE).

    Args:
        states: [B, F]; the batch's mean is taken off them.
        teacher: [B, D].

    0 for fewer than three lines, where there is one other line at most. A centred state is divided by half of the
    state's length where it is shorter than that: the states of a new model hardly differ, and the gradient of their
    cosines, which grows with the inverse of what they differ by, would drown all the others.
    """
    if len(states) < 3:
        return paddle.zeros([])
    itself = paddle.eye(len(states)) * 1e4

    def likeness(unit):
        return F.log_softmax(paddle.matmul(unit, unit, transpose_y=True) / TEMPERATURE - itself, axis=1)

    def length(vectors):
        return vectors.square().sum(1, keepdim=True).clip(min=1e-12).sqrt()

    centred = states - states.mean(0, keepdim=True)
    found = likeness(centred / paddle.maximum(length(centred), _LEAST_SPREAD * length(states)))
    wanted = likeness(teacher / length(teacher))
    return (wanted.exp() * (wanted - found)).sum(1).mean()


class DistilledLanguageModel(MaskedLanguageModel):
    """A MaskedLanguageModel with projections [·, D] of what a prompt reads.

    Args:
        backbone, tokenizer: see MaskedLanguageModel.
        width: D, of the teacher's vectors.
    """

    def __init__(self, backbone: nn.Layer, tokenizer: Tokenizer, width: int):
        super().__init__(backbone, tokenizer)
        hidden, transformed = backbone.config.hidden_size, self._lm_head.weight().shape[1]
        sizes = {"one": transformed, "two": 2 * transformed, "cls": hidden, "mean": hidden}
        self.projections: Optional[nn.LayerDict] = nn.LayerDict(
            {name: nn.Linear(size, width) for name, size in sizes.items()}
        )

    def forward(self, input_ids, columns=None, rows=None, read=None):
        """Without `read`, as a MaskedLanguageModel; else (logits or None, states [B, F], told [B, D], told by the mean [B, D]).

        Args:
            input_ids: [B, L] int64, padded.
            columns, rows: the hidden places, if there are any.
            read: [B, M] int64, the columns of the masks; M = 1 and column 0 is [CLS].
        """
        projections = self.projections
        if read is None or projections is None:
            return super().forward(input_ids, columns, rows)
        sequence = self._encoder(input_ids, token_type_ids=paddle.zeros_like(input_ids))
        sequence = sequence[0] if isinstance(sequence, (tuple, list)) else sequence  # [B, L, H]
        logits = None
        if columns is not None:
            hidden = take_rows(sequence, columns)
            hidden = self._lm_head.transform(paddle.gather(hidden.reshape([-1, hidden.shape[-1]]), rows))
            logits = paddle.matmul(hidden, self._lm_head.weight(), transpose_y=True) + self._lm_head.bias()
        states = take_rows(sequence, read)
        name = "cls" if int(read[0, 0]) == 0 else {1: "one", 2: "two"}[read.shape[1]]
        states = (states if name == "cls" else self._lm_head.transform(states)).flatten(1).astype("float32")
        real = (input_ids != self.tokenizer.pad_id).astype("float32").unsqueeze(-1)
        mean = (sequence.astype("float32") * real).sum(1) / real.sum(1)
        told, told_by_mean = projections[name](states), projections["mean"](mean)
        # Every parameter gets a gradient in every batch, or the optimizer would not know all of them in a checkpoint.
        told = told + 0.0 * paddle.add_n([parameter.sum() for parameter in self._outside_encoder()])
        return logits, states, told.astype("float32"), told_by_mean.astype("float32")

    def _outside_encoder(self) -> list:
        encoder = {id(parameter) for parameter in self._encoder.parameters()}
        return [p for p in self.parameters() if id(p) not in encoder and not p.stop_gradient]

    def drop_projections(self) -> None:
        """Training is over: what is saved from now on is the language model alone."""
        self.projections = None

    def save_finished(self, folder, dtype: str = "float32") -> None:
        self.drop_projections()
        super().save_finished(folder, dtype)

    def save_pretrained(self, folder, dtype: str = "float32") -> None:
        """The language model's folder and, until they are dropped, the projections in it."""
        super().save_pretrained(folder, dtype)
        if self.projections is not None:
            with replace_file(Path(folder) / PROJECTIONS_FILE) as staging:
                save_safetensors(dict(self.projections.named_parameters()), staging)

    def load_weights(self, folder) -> None:
        super().load_weights(folder)
        if self.projections is not None:
            load_safetensors(dict(self.projections.named_parameters()), Path(folder) / PROJECTIONS_FILE)


class DistillationTrainer(PretrainingTrainer):
    """A PretrainingTrainer with a teacher; its evaluation also gives the cosine to it.

    Args:
        model, args, lines, held_out, share, batch_tokens: see PretrainingTrainer.
        collator: gives the lines their forms.
        teacher: the vectors; rows, held_out_rows: which of them are the lines' and the held-out lines'. No
            held_out_rows: no vectors of these.
        weights: of the loss's terms.
    """

    def __init__(
        self, model: DistilledLanguageModel, args, lines, held_out, share: float, batch_tokens: int,
        collator: TaughtCollator, teacher: TeacherVectors, rows, held_out_rows, weights: Weights,
    ):  # fmt: skip
        super().__init__(model, args, lines, held_out, share, batch_tokens, collator.longest_form)
        masker = WholeWordMasker(model.tokenizer, share)
        self.train_dataset = TaughtLines(lines, masker, args.seed, teacher, [rows[i] for i in lines.origins])
        self.data_collator, self.weights = collator, weights
        self._taught = None
        if held_out is not None and len(held_out_rows):
            kept = [held_out_rows[i] for i in held_out.origins]
            self._taught = TaughtLines(held_out, masker, args.seed + 1, teacher, kept)

    def compute_loss(self, model, inputs, return_outputs: bool = False):
        inputs = dict(inputs)
        targets, teacher = inputs.pop("targets", None), inputs.pop("teacher")
        logits, states, told, told_by_mean = model(**inputs)
        telling = cosine_loss(told, teacher) + _MEAN_SHARE * cosine_loss(told_by_mean, teacher)
        loss = self.weights.teacher * telling + self.weights.relation * relational_loss(states, teacher)
        if targets is not None:
            loss = loss + self.weights.mlm * F.cross_entropy(logits.astype("float32"), targets)
        return loss

    @paddle.no_grad()
    def _more_metrics(self) -> dict[str, float]:
        """Mean cosine to the teacher of what the masks of the first form tell of the held-out lines, nothing hidden."""
        if self._taught is None:
            return {}
        total = 0.0
        for batch in LengthBatchSampler(self._taught.lines.lengths, self.batch_tokens, 0):
            items = self.data_collator.in_form([self._taught[item] for item in batch], FORMS[0], clean=True)
            inputs = self._prepare_inputs({name: paddle.to_tensor(array) for name, array in items.items()})
            teacher = inputs.pop("teacher")
            total += float(F.cosine_similarity(self.model(**inputs)[2], teacher, axis=1).sum())
        return {"cosine": total / len(self._taught)}
