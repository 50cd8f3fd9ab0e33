"""Task: decisions of label sets and paths, against numbers computed by hand or by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_kit.errors import ConfigError
from prompt_kit.prompt.task import HIERARCHICAL, MULTI_LABEL, Task, above_of

f1_score = pytest.importorskip("sklearn.metrics").f1_score

LABELS = ("a", "b", "c")
TREE = ("交往", "交往##会见", "人生", "人生##死亡", "人生##死亡##自然")


def logit(p):
    p = np.asarray(p, dtype="float64")
    return np.log(p) - np.log1p(-p)


def test_multi_class_is_softmax_and_argmax():
    task = Task()
    logits = np.array([[0.0, np.log(3.0), 0.0]])
    np.testing.assert_allclose(task.probabilities(logits, LABELS), [[0.2, 0.6, 0.2]])
    assert task.answer(task.probabilities(logits, LABELS)[0], LABELS) == "b"
    assert not task.several


def test_labels_that_reach_the_threshold():
    task = Task(MULTI_LABEL, 0.4)
    probabilities = task.probabilities(logit([[0.4001, 0.9, 0.3], [0.3, 0.2, 0.1]]), LABELS)
    np.testing.assert_allclose(probabilities, [[0.4001, 0.9, 0.3], [0.3, 0.2, 0.1]])
    assert task.answer(probabilities[0], LABELS) == ("a", "b")
    assert task.answer(probabilities[1], LABELS) == ("a",), "the best one, where every text has a label"
    assert Task(MULTI_LABEL, 0.4, at_least_one=False).answer(probabilities[1], LABELS) == ()


def test_sigmoid_of_large_logits_is_finite():
    found = Task(MULTI_LABEL).probabilities(np.array([[-800.0, 0.0, 800.0]]), LABELS)
    np.testing.assert_array_equal(found, [[0.0, 0.5, 1.0]])


def test_a_label_below_never_comes_without_the_label_above():
    task = Task(HIERARCHICAL, 0.5)
    probabilities = task.probabilities(logit([[0.1, 0.2, 0.3, 0.05, 0.7]]), TREE)
    np.testing.assert_allclose(probabilities, [[0.2, 0.2, 0.7, 0.7, 0.7]])
    assert task.answer(probabilities[0], TREE) == ("人生", "人生##死亡", "人生##死亡##自然")
    rng = np.random.default_rng(0)
    for at_least_one in (True, False):
        task = Task(HIERARCHICAL, 0.6, at_least_one)
        chosen = task.chosen(task.probabilities(rng.normal(size=(500, 5)), TREE))
        for label, above in above_of(TREE):
            assert not (chosen[:, label] & ~chosen[:, above]).any()
        assert chosen.any(axis=1).all() == at_least_one


def test_at_least_one_takes_the_whole_path_of_the_best_label():
    task = Task(HIERARCHICAL, 0.9)
    assert task.answer(task.probabilities(logit([[0.1, 0.4, 0.3, 0.2, 0.1]]), TREE)[0], TREE) == ("交往", "交往##会见")


def test_a_path_without_what_lies_above_it_is_refused():
    with pytest.raises(
        ConfigError, match="'人生##死亡##自然' lies under '人生##死亡', which is no label; add a line 人生##死亡"
    ):
        Task(HIERARCHICAL).check_labels(("人生", "人生##死亡##自然"))
    Task(MULTI_LABEL).check_labels(("人生##死亡##自然", "a"))


@pytest.mark.parametrize("kind", [MULTI_LABEL, HIERARCHICAL])
def test_a_label_with_a_comma_is_refused(kind):
    with pytest.raises(ConfigError, match="has a comma"):
        Task(kind).check_labels(("a", "b，c"))
    Task().check_labels(("a", "b，c"))


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(1)
    gold = (rng.random((80, 3)) < 0.4).astype("float32")
    probabilities = rng.random((80, 3))
    task = Task(MULTI_LABEL, 0.6, at_least_one=False)
    predicted = probabilities >= 0.6
    scores = task.scores(probabilities, gold, LABELS)
    assert scores == {
        "accuracy": float((predicted == (gold > 0.5)).all(axis=1).mean()),
        "micro_f1": f1_score(gold, predicted, average="micro"),
        "macro_f1": f1_score(gold, predicted, average="macro"),
    }
    np.testing.assert_array_equal(task.right(probabilities, gold).mean(), scores["accuracy"])


def test_macro_f1_leaves_out_labels_that_nobody_has():
    task = Task(MULTI_LABEL, 0.5)
    gold = np.array([[1, 0, 0], [0, 1, 0]], dtype="float32")
    probabilities = np.array([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1]])
    assert task.scores(probabilities, gold, LABELS)["macro_f1"] == 1.0


def test_accuracy_of_each_level():
    task = Task(HIERARCHICAL, 0.5)
    gold = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 1], [1, 0, 0, 0, 0]], dtype="float32")
    answers = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0, 0]], dtype="float64")
    scores = task.scores(answers, gold, TREE)
    assert (scores["level1_accuracy"], scores["level2_accuracy"], scores["level3_accuracy"]) == (0.75, 0.75, 0.75)
    assert scores["accuracy"] == 0.25


def test_the_threshold_of_the_best_micro_f1():
    task = Task(MULTI_LABEL, 0.5, at_least_one=False)
    gold = np.array([[1, 0, 0], [1, 1, 0]], dtype="float32")
    probabilities = np.array([[0.3, 0.1, 0.05], [0.4, 0.2, 0.15]])
    decided = task.decided_on(probabilities, gold)
    assert decided.threshold == pytest.approx(0.175)  # between 0.15 and 0.2: all three are found, and nothing else
    assert decided.scores(probabilities, gold, LABELS)["micro_f1"] == 1.0
    assert Task().decided_on(probabilities, np.array([0, 0])) == Task()
    best = max(
        f1_score(gold, probabilities >= one, average="micro", zero_division=0.0) for one in np.linspace(0.01, 0.5, 200)
    )
    assert decided.scores(probabilities, gold, LABELS)["micro_f1"] == best


def test_loss_is_minus_the_log_probability_of_the_whole_answer():
    p = np.array([[0.8, 0.1, 0.6]])
    gold = np.array([[1, 0, 0]], dtype="float32")
    assert Task(MULTI_LABEL).loss(logit(p), gold) == pytest.approx(-np.log(0.8 * 0.9 * 0.4))
    assert Task().loss(np.log([[0.2, 0.8]]), np.array([1])) == pytest.approx(-np.log(0.8))


def test_targets():
    ids = {label: place for place, label in enumerate(LABELS)}
    np.testing.assert_array_equal(Task().targets(["c", "a"], ids), [2, 0])
    np.testing.assert_array_equal(Task(MULTI_LABEL).targets([("c", "a"), ()], ids), [[1, 0, 1], [0, 0, 0]])


def test_entries_of_a_configuration():
    assert Task(MULTI_LABEL, 0.25, False).to_entries() == {
        "task_type": "multi-label",
        "threshold": 0.25,
        "at_least_one": False,
    }
    assert Task().to_entries() == {"task_type": "multi-class", "threshold": None, "at_least_one": None}


@pytest.mark.parametrize(
    "values", [("multi",), (MULTI_LABEL, "0.5"), (MULTI_LABEL, 2), (MULTI_LABEL, float("nan")), (MULTI_LABEL, 0.5, 1)]
)
def test_a_damaged_task_is_refused(values):
    with pytest.raises(ConfigError, match="expected"):
        Task(*values)
