"""Batches for distillation: lines in the forms in which prompts read them, each with its teacher's vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.training.pretraining.masked_batches import MaskedCollator, MaskedLines
from prompt_kit.training.pretraining.teacher_vectors import TeacherVectors


@dataclass(frozen=True)
class Form:
    """`front` masks and `before`, a line, `behind` and `back` masks; `share` of the batches are in this form.

    Without a mask it is [CLS] that is read.
    """

    share: float
    front: int = 0
    before: str = ""
    behind: str = ""
    back: int = 0


FORMS = (
    Form(0.38, front=2, before="："),
    Form(0.08, front=2),
    Form(0.10, front=1, before="："),
    Form(0.12, behind="。总之，", back=2),
    Form(0.08, behind="。总之，", back=1),
    Form(0.08, behind="。这是", back=2),
    Form(0.16),
)
_CLEAN = 0.35  # of the batches have no word hidden, as a text has none when a prompt reads it


class TaughtLines(MaskedLines):
    """`self[epoch, line]` is (an item of MaskedLines, the ids with nothing hidden, the teacher's vector [D], (epoch, line)).

    Args:
        lines, masker, seed: see MaskedLines.
        teacher: the vectors.
        rows: which of them is that of each line.
    """

    def __init__(self, lines, masker, seed: int, teacher: TeacherVectors, rows: Sequence[int]):
        super().__init__(lines, masker, seed)
        self.teacher, self.rows = teacher, rows

    def __getitem__(self, item: tuple[int, int]):
        return super().__getitem__(item), self.lines[item[1]][0], self.teacher[[self.rows[item[1]]]][0], item


class TaughtCollator:
    """Items of TaughtLines -> the inputs of DistilledLanguageModel, `teacher` [B, D] and, where words are hidden, `targets`.

    The form of a batch, and whether words are hidden, is a function of the seed and of its first item.
    """

    def __init__(self, tokenizer: Tokenizer, seed: int):
        self.seed, self._collate = seed, MaskedCollator(tokenizer)
        masks = tokenizer.mask_id
        self._parts = {
            form: (
                [masks] * form.front + tokenizer.encode(form.before),
                tokenizer.encode(form.behind) + [masks] * form.back,
            )
            for form in FORMS
        }

    @property
    def longest_form(self) -> int:
        """Tokens that a form adds to a line, at most."""
        return max(len(before) + len(behind) for before, behind in self._parts.values())

    def __call__(self, items) -> dict[str, np.ndarray]:
        random = np.random.default_rng([self.seed, *items[0][-1]])
        shares = np.array([form.share for form in FORMS])
        form = FORMS[random.choice(len(FORMS), p=shares / shares.sum())]
        return self.in_form(items, form, clean=random.random() < _CLEAN)

    def in_form(self, items, form: Form, clean: bool) -> dict[str, np.ndarray]:
        """The batch in this form; `clean`: with nothing hidden. `read` [B, M]: the columns of the states to read."""
        before, behind = self._parts[form]
        nothing = np.zeros(0, dtype="int64")
        lines = [(ids, nothing, nothing) if clean else masked for masked, ids, _, _ in items]
        batch = self._collate(lines, before, behind)
        if clean:
            batch = {"input_ids": batch["input_ids"]}
        if form.back:
            ends = [1 + len(before) + len(ids) + len(behind) for ids, _, _ in lines]
            read = [[end - form.back + i for i in range(form.back)] for end in ends]
        else:
            read = [[1 + i for i in range(form.front)] or [0]] * len(lines)
        return {
            **batch,
            "read": np.array(read, dtype="int64"),
            "teacher": np.stack([vector for *_, vector, _ in items]),
        }
