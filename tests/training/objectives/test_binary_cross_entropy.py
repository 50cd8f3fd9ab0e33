"""The losses of tasks in which a text may have several labels: numbers by hand and by numpy."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from runs import arguments
from tiny import tiny_model

from prompt_kit.prompt.task import MULTI_LABEL, Task
from prompt_kit.training.objectives.binary_cross_entropy import BinaryCrossEntropy
from prompt_kit.training.objectives.choice import choose_objectives
from prompt_kit.training.objectives.objective import Forward
from prompt_kit.training.objectives.r_drop import RDropOfSets, r_drop_loss_of_sets


def sigmoid(z):
    return 1 / (1 + np.exp(-np.asarray(z)))


def forward_of(logits, targets, passes=1):
    tensor = paddle.to_tensor(np.asarray(logits, "float32"))
    labels = paddle.zeros([len(logits)], "int64")
    return Forward(tensor, tensor, labels, paddle.to_tensor(np.asarray(targets, "float32")), passes)


def test_binary_cross_entropy_is_minus_the_log_probability_of_the_answer():
    logits, targets = [[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]], [[1, 0, 0], [0, 1, 1]]
    p = sigmoid(logits)
    right = np.where(np.array(targets) > 0, p, 1 - p)
    found = float(BinaryCrossEntropy().loss(None, forward_of(logits, targets)))
    assert found == pytest.approx(-np.log(right).sum(axis=1).mean(), rel=1e-6)
    assert found == pytest.approx(Task(MULTI_LABEL).loss(np.array(logits), np.array(targets)), rel=1e-6)


def test_r_drop_is_the_kl_of_there_and_not_there():
    z, w = np.array([[1.0, -2.0], [0.3, 0.8]]), np.array([[0.5, -1.0], [0.3, -0.8]])
    p, q = sigmoid(z), sigmoid(w)

    def kl(a, b):
        return a * np.log(a / b) + (1 - a) * np.log((1 - a) / (1 - b))

    expected = (0.5 * (kl(p, q) + kl(q, p))).sum(axis=1).mean()
    found = r_drop_loss_of_sets(paddle.to_tensor(z), paddle.to_tensor(w))
    assert float(found) == pytest.approx(expected)
    both = forward_of(np.concatenate([z, w]), np.zeros((4, 2)), passes=2)
    assert float(RDropOfSets().loss(None, both)) == pytest.approx(expected, rel=1e-5)
    assert float(r_drop_loss_of_sets(paddle.to_tensor(z), paddle.to_tensor(z))) == 0.0


def test_the_task_chooses_the_terms(tmp_path):
    model = tiny_model()
    args = arguments(tmp_path, use_rdrop=True)
    one = [type(term).__name__ for term in choose_objectives(args, model)]
    model.task = Task(MULTI_LABEL)
    several = [type(term).__name__ for term in choose_objectives(args, model)]
    assert (one, several) == (["CrossEntropy", "RDrop"], ["BinaryCrossEntropy", "RDropOfSets"])
