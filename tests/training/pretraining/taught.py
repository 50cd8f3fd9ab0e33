"""Two lines with their teacher's vectors, as distillation reads them."""

from __future__ import annotations

import numpy as np
from tiny import tiny_tokenizer

from prompt_kit.training.pretraining.masking import EncodedLines, WholeWordMasker
from prompt_kit.training.pretraining.taught_batches import TaughtCollator, TaughtLines
from prompt_kit.training.pretraining.teacher_vectors import TeacherVectors


def taught(folder, lines=("手机公司", "体育")):
    np.save(folder / "t.npy", np.array([[3, 0], [0, 3], [0, 0.5]], dtype="float32"))
    encoded = EncodedLines(lines, tiny_tokenizer(), 30, first_only=True)
    masker = WholeWordMasker(tiny_tokenizer(), 0.3)
    dataset = TaughtLines(encoded, masker, 1, TeacherVectors(folder / "t.npy", 3, "a.txt"), [2, 0])
    return dataset, TaughtCollator(tiny_tokenizer(), 1)
