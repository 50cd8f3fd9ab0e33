"""PromptClassifier: the same model as train.py, scikit-learn's manners, and nothing left behind."""

from __future__ import annotations

import copy
import csv
import json
import logging
import os
import pickle
import random
import shutil
import tempfile
import threading
from pathlib import Path

import numpy as np
import paddle
import pytest
from runs import names, same, saved_weights, weights
from scripts import load_script
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from tiny import EXAMPLES

from prompt_kit import Predictor, PromptClassifier, PromptModel
from prompt_kit.classifier import NotTrainedError
from prompt_kit.data.dataset import Example, read_examples
from prompt_kit.errors import CheckpointError, ConfigError, DataError, PromptKitError, VerbalizerError
from prompt_kit.training.export.exporter import export_checkpoint
from prompt_kit.training.loop import in_memory

LABELS = {"car": "汽车", "sports": "体育", "finance": "财经"}
TEXTS = [example.text_a for example in EXAMPLES]
GOLD = [example.label for example in EXAMPLES]
# a start from the examples takes a moment, a step of training three: rates that move the tiny model
TRAINED = dict(options={"max_steps": 2, "eval_steps": 1}, learning_rate=1e-3, per_device_train_batch_size=8)


@pytest.fixture
def make(tiny_folder):
    """A classifier of the tiny model, quiet."""

    def call(labels=LABELS, **parameters):
        settings = dict(model_name_or_path=str(tiny_folder), device="cpu", max_seq_length=32, verbose=False)
        return PromptClassifier(labels, **{**settings, **parameters})

    return call


def pickled(classifier: PromptClassifier) -> PromptClassifier:
    """There and back."""
    return pickle.loads(pickle.dumps(classifier))  # noqa: S301 -- our own


@pytest.fixture(scope="module")
def fitted(tiny_folder):
    """One that was trained; read only."""
    classifier = PromptClassifier(
        LABELS, model_name_or_path=str(tiny_folder), device="cpu", max_seq_length=32, verbose=False, **TRAINED
    )
    return classifier.fit(TEXTS, GOLD, eval_data=(TEXTS, GOLD))


# -- the same as train.py ---------------------------------------------------------------------------------------------


def run_train(folder, flags: str, tiny_folder, data) -> dict:
    """train.py on the tiny model; {text: (label, probability)} of its test_predictions.tsv."""
    load_script("train").main(
        f"--device cpu --report_to none --do_train --do_predict --max_seq_length 32 --data_dir {data} --output_dir {folder} "
        f"--model_name_or_path {tiny_folder} {flags}".split()
    )
    with open(folder / "test_predictions.tsv", encoding="utf-8", newline="") as file:
        return {row["text"]: (row["label"], float(row["probability"])) for row in csv.DictReader(file, delimiter="\t")}


def check_predictions(classifier, expected: dict) -> None:
    texts = list(expected)
    assert classifier.predict(texts).tolist() == [expected[text][0] for text in texts]
    probabilities = classifier.predict_proba(texts).max(axis=1)
    assert np.allclose(probabilities, [expected[text][1] for text in texts], atol=2e-6)


def columns(path) -> tuple[list, list]:
    examples = read_examples(path, list(LABELS), require_labels=True)
    return [example.text_a for example in examples], [example.label for example in examples]


@pytest.mark.parametrize(
    "flags, parameters",
    [
        (
            "--do_eval --max_steps 3 --eval_steps 1 --learning_rate 1e-3 --per_device_train_batch_size 4 --seed 3",
            dict(learning_rate=1e-3, per_device_train_batch_size=4, seed=3, options={"max_steps": 3, "eval_steps": 1}),
        ),
        (
            "--do_eval --num_train_epochs 2 --learning_rate 1e-3 --verbalizer soft --soft_encoder mlp --use_rdrop false "
            "--prompt 这条新闻的主题是 --calibrate",
            dict(
                num_train_epochs=2, learning_rate=1e-3, verbalizer="soft", use_rdrop=False, prompt="这条新闻的主题是",
                calibrate=True, options={"soft_encoder": "mlp"},
            ),
        ),
        (
            "--do_eval --max_steps 2 --learning_rate 1e-3 --method finetune",
            dict(learning_rate=1e-3, method="finetune", options={"max_steps": 2}),
        ),
    ],
    ids=["cosine", "soft", "finetune"],
)  # fmt: skip
def test_the_same_model_as_train_py(make, tiny_folder, tiny_data, tmp_path, flags, parameters):
    expected = run_train(tmp_path / "run", flags, tiny_folder, tiny_data)
    read = make(tiny_data / "label.txt", **parameters).fit(tiny_data)
    texts = None if parameters.get("method") == "finetune" else tiny_data / "data.txt"
    given = make(**parameters)
    given.fit(*columns(tiny_data / "train.txt"), eval_data=columns(tiny_data / "dev.txt"), unlabeled_data=texts)
    wanted = json.loads((tmp_path / "run" / "eval_results.json").read_text("utf-8"))
    saved = saved_weights(tmp_path / "run")
    for classifier in (read, given):
        held = weights(classifier.model_)
        assert same({name: held[name] for name in saved}, saved)  # a pooler takes no part, and is not saved
        check_predictions(classifier, expected)
        for name in ("eval_accuracy", "eval_macro_f1", "eval_loss", "template", "mode", "seed", "versions"):
            assert classifier.results_[name] == wanted[name], name


def test_without_eval_data_the_same_as_without_dev_txt(make, tiny_folder, tiny_data, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    (data / "dev.txt").unlink()
    expected = run_train(tmp_path / "run", "--do_eval", tiny_folder, data)
    classifier = make().fit(*columns(data / "train.txt"), unlabeled_data=data / "data.txt")
    assert same(weights(classifier.model_), saved_weights(tmp_path / "run"))
    check_predictions(classifier, expected)
    wanted = json.loads((tmp_path / "run" / "eval_results.json").read_text("utf-8"))
    assert classifier.results_["eval_accuracy"] == wanted["eval_accuracy"]
    assert classifier.results_["eval_interval"] == wanted["eval_interval"]
    assert classifier.results_["eval_by"] == "leave-one-out"


def test_without_eval_data_a_length_that_is_given_is_trained(make, tiny_folder, tiny_data, tmp_path):
    expected = run_train(tmp_path / "run", "--num_train_epochs 2 --learning_rate 1e-3", tiny_folder, tiny_data)
    classifier = make(num_train_epochs=2, learning_rate=1e-3)
    classifier.fit(*columns(tiny_data / "train.txt"), unlabeled_data=tiny_data / "data.txt")
    assert same(weights(classifier.model_), saved_weights(tmp_path / "run"))
    check_predictions(classifier, expected)
    assert "eval_accuracy" not in classifier.results_
    started = make().fit(*columns(tiny_data / "train.txt"), unlabeled_data=tiny_data / "data.txt")
    assert not same(weights(classifier.model_), weights(started.model_))


def test_texts_alone_the_same_as_data_txt_alone(make, tiny_folder, tiny_data, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("label.txt", "data.txt", "test.txt"):
        shutil.copy(tiny_data / name, data)
    expected = run_train(tmp_path / "run", "", tiny_folder, data)
    for classifier in (make().fit(unlabeled_data=TEXTS), make(None).fit(data)):
        check_predictions(classifier, expected)
        assert classifier.results_["mode"] == "prompt"


def test_zero_shot_the_same_as_train_py(make, tiny_folder, tiny_data, tmp_path):
    main = load_script("train").main
    data = tmp_path / "data"
    data.mkdir()
    for name in ("label.txt", "test.txt"):
        shutil.copy(tiny_data / name, data)
    main(
        f"--device cpu --report_to none --do_predict --max_seq_length 32 --data_dir {data} --output_dir {tmp_path / 'run'} "
        f"--model_name_or_path {tiny_folder} --calibrate".split()
    )
    with open(tmp_path / "run" / "test_predictions.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    expected = {row["text"]: (row["label"], float(row["probability"])) for row in rows}
    classifier = make(calibrate=True)
    check_predictions(classifier, expected)
    assert classifier.model_.config.mode == "zero-shot" and not hasattr(classifier, "results_")


# -- labels and columns -----------------------------------------------------------------------------------------------


def test_zero_shot_answers_at_once_and_follows_its_parameters(make):
    classifier = make()
    probabilities = classifier.predict_proba(TEXTS)
    assert probabilities.shape == (8, 3) and np.allclose(probabilities.sum(axis=1), 1)
    model = classifier.model_
    assert classifier.model_ is model, "it is built once"
    classifier.set_params(prompt="{'mask'}新闻{'text': 'text_a'}")
    assert classifier.model_ is not model and str(classifier.model_.template).startswith("{'mask'}")
    classifier.labels = {"car": "汽车", "sports": "体育"}
    assert classifier.predict_proba(TEXTS).shape == (8, 2)


@pytest.mark.parametrize("values", [(2, 0, 1), (0.5, 1.5, 2.5), ("c", "b", "a"), (("x", 1), ("x", 2), ("y", 1))])
def test_labels_come_back_as_they_were(make, values):
    of = dict(zip(LABELS, values))
    gold = [of[label] for label in GOLD]
    classifier = make(dict(zip(values, LABELS.values()))).fit(TEXTS, gold)
    predicted = classifier.predict(TEXTS)
    assert {type(label) for label in predicted.tolist()} == {type(values[0])} and set(predicted.tolist()) <= set(values)
    named = make().fit(TEXTS, GOLD)
    assert predicted.tolist() == [of[label] for label in named.predict(TEXTS)]
    assert classifier.evaluate(TEXTS, gold) == named.evaluate(TEXTS, GOLD)


def test_columns_of_probabilities_are_in_the_order_of_classes(make):
    named = make().fit(TEXTS, GOLD)
    assert named.classes_.tolist() == ["car", "finance", "sports"]  # sorted, as scikit-learn's scorers take it
    assert list(named.model_.verbalizer.labels) == ["car", "sports", "finance"]  # as given
    probabilities = named.predict_proba(TEXTS)
    assert named.predict(TEXTS).tolist() == named.classes_[probabilities.argmax(axis=1)].tolist()
    turned = make(dict(reversed(LABELS.items()))).fit(TEXTS, GOLD)
    assert np.allclose(turned.predict_proba(TEXTS), probabilities, atol=1e-6)


def test_scorers_of_probabilities_are_right(make):
    """Labels whose order is not the sorted one; scikit-learn takes the columns for sorted."""
    of = dict(zip(LABELS, (2, 0, 1)))
    gold = [of[label] for label in GOLD]
    classifier = make(dict(zip(of.values(), LABELS.values())))
    losses = cross_val_score(classifier, TEXTS, gold, cv=2, scoring="neg_log_loss")
    halves = cross_val_predict(classifier, TEXTS, gold, cv=2, method="predict_proba")
    assert np.isclose(losses.mean(), np.log(halves[np.arange(8), gold]).mean(), atol=1e-5)
    with pytest.raises(DataError, match="where scikit-learn has numbered the labels"):
        cross_val_predict(make(), TEXTS, GOLD, cv=2, method="predict_proba")


def test_without_labels_they_are_those_of_the_examples(make):
    classifier = make(None, prompt="这条新闻的主题是").fit(TEXTS, [LABELS[label] for label in GOLD])
    assert classifier.classes_.tolist() == sorted(LABELS.values())
    assert classifier.model_.verbalizer.words == tuple((word,) for word in sorted(LABELS.values()))


def test_every_container_gives_the_same(make):
    expected = make().fit(TEXTS, GOLD).predict_proba(TEXTS)
    containers = [tuple, np.array, lambda values: np.array(values, dtype=object)]
    try:
        import pandas

        containers.append(lambda values: pandas.Series(values, index=range(100, 108)))
    except ImportError:
        pass
    for container in containers:
        classifier = make().fit(container(TEXTS), container(GOLD))
        assert np.array_equal(classifier.predict_proba(container(TEXTS)), expected)
        assert 0 <= classifier.score(container(TEXTS), container(GOLD)) <= 1


def test_evaluate_by_hand(make):
    classifier = make().fit(TEXTS, GOLD)
    probabilities = classifier.predict_proba(TEXTS)
    gold = np.array([["car", "finance", "sports"].index(label) for label in GOLD])
    found = classifier.evaluate(TEXTS, GOLD)
    assert found["accuracy"] == (probabilities.argmax(axis=1) == gold).mean() == classifier.score(TEXTS, GOLD)
    assert np.isclose(found["loss"], -np.log(probabilities[np.arange(8), gold]).mean())
    assert 0 < found["macro_f1"] <= 1 and set(found) == {"accuracy", "macro_f1", "loss"}


def test_evaluate_and_fit_read_files(make, tiny_data):
    classifier = make(tiny_data).fit(tiny_data, eval_data=tiny_data / "dev.txt", unlabeled_data=TEXTS[:3])
    assert classifier.evaluate(tiny_data / "test.txt") == classifier.evaluate(*columns(tiny_data / "test.txt"))


def test_report_of_texts_and_of_a_file(fitted, tiny_data, tmp_path):
    pytest.importorskip("jinja2")
    page = fitted.report(TEXTS, GOLD, tmp_path / "zh", language="zh")
    right = int((fitted.predict(TEXTS) == GOLD).sum())
    assert f"8 条文本中答对 {right} 条" in page.read_text("utf-8")
    assert (tmp_path / "zh" / "confusion_matrix.png").is_file() and (tmp_path / "zh" / "test_bad_cases.tsv").is_file()
    page = fitted.report(tiny_data / "dev.txt", folder=tmp_path / "en")
    assert "on dev.txt" in page.read_text("utf-8")
    with pytest.raises(DataError, match="report needs labels"):
        fitted.report(TEXTS)


# -- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda c: c.fit(TEXTS, GOLD[:3]), "8 texts but 3 labels; give every text its label"),
        (lambda c: c.fit(TEXTS, ["cat", *GOLD[1:]]), r"labels\[0\]: unknown label 'cat', expected one of the 3 labels: 'car'"),
        (lambda c: c.fit([], []), "texts: empty"),
        (lambda c: c.fit(TEXTS), "requires y to be passed, but the target y is None"),
        (lambda c: c.fit("今天汽车发布", ["car"]), r"texts: expected a list, got the string '今天汽车发布'; .* write \[text\]"),
        (lambda c: c.fit(TEXTS, "car"), "labels: expected a list, got the string 'car'"),
        (lambda c: c.fit("no/such/folder"), "no/such/folder: no such folder"),
        (lambda c: c.fit(), "fit needs texts and labels, or a folder"),
        (lambda c: c.fit(TEXTS, GOLD, eval_data=(TEXTS, GOLD[:2])), "8 eval_data texts but 2 eval_data labels"),
        (lambda c: c.fit(TEXTS, GOLD, eval_data=(["新"], ["x"])), r"eval_data labels\[0\]: unknown label 'x'"),
        (lambda c: c.fit(TEXTS, GOLD, eval_data=TEXTS), "eval_data: expected a pair"),
        (lambda c: c.fit(TEXTS, GOLD, eval_data=([], [])), "eval_data texts: empty"),
        (lambda c: c.fit(TEXTS, GOLD, unlabeled_data=[3]), r"unlabeled_data\[0\]: expected a string, got 3"),
        (lambda c: c.predict("今天汽车发布"), r"write \[text\]"),
        (lambda c: c.predict([]), "texts: empty"),
        (lambda c: c.predict(["新", None]), r"texts\[1\]: expected a string, got None"),
        (lambda c: c.predict_proba(["新", " "]), r"texts\[1\]: empty text"),
        (lambda c: c.evaluate(TEXTS), "evaluate needs labels"),
        (lambda c: c.evaluate(TEXTS, GOLD[:1]), "8 test texts but 1 test labels"),
    ],
)  # fmt: skip
def test_mistakes_in_data(make, call, message):
    with pytest.raises(DataError, match=message) as caught:
        call(make())
    assert isinstance(caught.value, ValueError) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "parameters, message",
    [
        (dict(method="promt"), "method 'promt': expected one of prompt, finetune"),
        (dict(verbalizer="sofd"), "verbalizer 'sofd': expected one of cosine, soft"),
        (dict(learning_rate=-1.0), "learning_rate must be above 0, got -1.0"),
        (dict(learning_rate="fast"), "--learning_rate must be a finite number, got fast"),
        (dict(seed=-1), "seed must be a whole number from 0"),
        (dict(seed="x"), "seed must be a whole number from 0"),
        (dict(max_seq_length=4), "leaves no room"),
        (dict(device="gpu"), "--device gpu"),
        (dict(device="abacus"), "--device abacus"),
        (dict(options={"soft_encodr": "mlp"}), "options: 'soft_encodr' is no flag of train.py; did you mean 'soft_encoder'"),
        (dict(options={"output_dir": "x"}), "options: 'output_dir' is for train.py, not for a classifier"),
        (dict(options={"seed": 3}), "options: 'seed' is a parameter of its own"),
        (dict(options=["seed"]), "options: expected a dictionary"),
    ],
)  # fmt: skip
def test_mistakes_in_parameters(make, parameters, message):
    if parameters.get("device") == "gpu" and paddle.is_compiled_with_cuda():
        pytest.skip("there is a GPU build")
    classifier = make(**parameters)  # the constructor only keeps them
    with pytest.raises(PromptKitError, match=message) as caught:
        classifier.fit(TEXTS, GOLD)
    assert isinstance(caught.value, ConfigError) and "\n" not in str(caught.value)


def test_a_batch_size_of_prediction_out_of_range(make):
    for size in (0, 2.5, True):
        with pytest.raises(ConfigError, match="per_device_eval_batch_size must be"):
            make(per_device_eval_batch_size=size).predict(TEXTS)


def test_unlabeled_data_that_would_change_nothing(make):
    with pytest.raises(ConfigError, match="unlabeled_data starts a cosine head, or calibrates"):
        make(verbalizer="soft", num_train_epochs=1).fit(TEXTS, GOLD, unlabeled_data=TEXTS)


def test_not_fitted_only_where_it_is_right(make):
    for classifier, message in (
        (make(None), "has no labels yet: call fit"),
        (make(method="finetune"), "method='finetune' starts at random: call fit"),
    ):
        for call in (classifier.predict, classifier.predict_proba):
            with pytest.raises(NotTrainedError, match=message) as caught:
                call(TEXTS)
            assert isinstance(caught.value, NotFittedError) and isinstance(caught.value, PromptKitError)
    assert not hasattr(make(None), "classes_") and make().classes_.tolist() == ["car", "finance", "sports"]


def test_one_label_is_no_choice(make):
    with pytest.raises(VerbalizerError, match="at least 2 labels, got 1"):
        make(None).fit(TEXTS, ["汽车"] * 8)


def test_a_failed_fit_leaves_the_model_that_was_there(make):
    classifier = make().fit(TEXTS, GOLD)
    before = classifier.predict_proba(TEXTS)
    with pytest.raises(ConfigError, match="learning_rate"):
        classifier.set_params(learning_rate=-1.0).fit(TEXTS, GOLD)
    assert np.array_equal(classifier.predict_proba(TEXTS), before)


# -- scikit-learn -----------------------------------------------------------------------------------------------------


def test_the_constructor_only_keeps_its_parameters(make):
    labels, options = ["x"], {"nonsense": object()}
    classifier = PromptClassifier(labels, options=options, learning_rate="?")
    assert classifier.labels is labels and classifier.options is options and vars(classifier) == classifier.get_params()
    copied = clone(make(learning_rate=0.5).set_params(seed=7))
    assert copied.get_params() == make(learning_rate=0.5, seed=7).get_params()


def test_a_clone_of_a_fitted_one_is_not_fitted(fitted):
    copied = clone(fitted)
    assert not hasattr(copied, "results_") and copied.get_params() == fitted.get_params()


def test_cross_val_score(make):
    scores = cross_val_score(make(), TEXTS, GOLD, cv=2)
    assert scores.shape == (2,) and np.isfinite(scores).all()
    by_hand = make().fit(TEXTS[4:], GOLD[4:])
    folds = [([0, 1, 2, 3], [4, 5, 6, 7]), ([4, 5, 6, 7], [0, 1, 2, 3])]
    assert cross_val_score(make(), TEXTS, GOLD, cv=folds)[1] == by_hand.score(TEXTS[:4], GOLD[:4])


@pytest.mark.slow
def test_pipeline(make):
    steps = [
        ("clean", FunctionTransformer(lambda texts: [text.replace("!", "") for text in texts])),
        ("classify", make()),
    ]
    pipeline = Pipeline(steps)
    assert pipeline.predict(["球队!"])[0] in LABELS, "zero-shot"
    pipeline.fit([f"{text}!" for text in TEXTS], GOLD, classify__eval_data=(TEXTS, GOLD))
    alone = make().fit(TEXTS, GOLD, eval_data=(TEXTS, GOLD))
    assert np.array_equal(pipeline.predict_proba([f"!{text}" for text in TEXTS]), alone.predict_proba(TEXTS))
    assert pipeline.classes_.tolist() == ["car", "finance", "sports"]


def test_grid_search_over_the_rate(make):
    grid = {"learning_rate": np.array([1e-5, 5e-2]), "max_seq_length": np.array([32])}
    search = GridSearchCV(make(num_train_epochs=1, use_rdrop=False), grid, cv=2, refit=True)
    search.fit(TEXTS, GOLD)
    assert search.best_params_["learning_rate"] in grid["learning_rate"]
    assert search.best_estimator_.predict(TEXTS).shape == (8,)
    low, high = (make(num_train_epochs=1, use_rdrop=False, learning_rate=rate) for rate in (1e-5, 5e-2))
    assert not same(weights(low.fit(TEXTS, GOLD).model_), weights(high.fit(TEXTS, GOLD).model_)), "the rate is used"


def test_pickle_joblib_and_deepcopy(fitted, make, tmp_path):
    joblib = pytest.importorskip("joblib")
    expected = fitted.predict_proba(TEXTS)
    joblib.dump(fitted, tmp_path / "classifier")
    for copied in (pickled(fitted), copy.deepcopy(fitted), joblib.load(tmp_path / "classifier")):
        assert np.array_equal(copied.predict_proba(TEXTS), expected) and copied.results_ == fitted.results_
        assert pickled(copied).classes_.tolist() == ["car", "finance", "sports"]
    unread = pickled(pickled(fitted))  # pickled again before it was used
    assert np.array_equal(unread.predict_proba(TEXTS), expected)
    zero = make()
    zero.predict(TEXTS)
    assert len(pickle.dumps(zero)) < 2000, "the untrained model is built again, not carried"


@pytest.mark.slow
def test_processes(make):
    pytest.importorskip("joblib")
    alone = cross_val_score(make(), TEXTS, GOLD, cv=2)
    assert np.array_equal(cross_val_score(make(), TEXTS, GOLD, cv=2, n_jobs=2), alone)


def test_threads_share_a_classifier(fitted):
    expected, found = fitted.predict_proba(TEXTS), []
    threads = [threading.Thread(target=lambda: found.append(fitted.predict_proba(TEXTS))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(np.array_equal(one, expected) for one in found)


# -- folders ----------------------------------------------------------------------------------------------------------


def test_save_and_load(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = PromptClassifier.load(tmp_path / "model", device="cpu", verbose=False)
    assert np.array_equal(loaded.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
    assert loaded.results_ == json.loads(json.dumps(fitted.results_))
    expected = {**fitted.get_params(), "labels": {label: [word] for label, word in LABELS.items()}}
    assert loaded.get_params() == expected
    assert same(weights(clone(loaded).fit(TEXTS, GOLD, eval_data=(TEXTS, GOLD)).model_), weights(fitted.model_))
    loaded.save(tmp_path / "model")  # over an earlier save
    assert names(tmp_path / "model") == sorted(
        "all_results.json classifier.json config.json model.safetensors prompt_config.json tokenizer.json".split()
    )


def test_numbers_as_labels_survive_a_folder(make, tmp_path):
    gold = [list(LABELS).index(label) for label in GOLD]
    classifier = make(dict(enumerate(LABELS.values()))).fit(TEXTS, gold)
    classifier.save(tmp_path / "model")
    loaded = PromptClassifier.load(tmp_path / "model", verbose=False)
    assert loaded.predict(TEXTS).tolist() == classifier.predict(TEXTS).tolist()
    assert loaded.predict(TEXTS).dtype.kind == "i" and loaded.evaluate(TEXTS, gold) == classifier.evaluate(TEXTS, gold)


def test_a_zero_shot_model_is_saved_and_loaded(make, tmp_path):
    classifier = make()
    classifier.save(tmp_path / "model")
    loaded = PromptClassifier.load(tmp_path / "model", verbose=False)
    assert np.array_equal(loaded.predict_proba(TEXTS), classifier.predict_proba(TEXTS))
    assert loaded.results_ == {"mode": "zero-shot"}


@pytest.mark.parametrize("method", ["prompt", "finetune"])
def test_load_opens_a_run_of_train_py(tiny_folder, tiny_data, tmp_path, method):
    flags = f"--do_eval --max_steps 2 --eval_steps 1 --save_steps 1 --learning_rate 1e-3 --method {method}"
    expected = run_train(tmp_path / "run", flags, tiny_folder, tiny_data)
    loaded = PromptClassifier.load(tmp_path / "run", verbose=False)
    check_predictions(loaded, expected)
    assert loaded.method == method and loaded.max_seq_length == 32 and loaded.model_name_or_path == str(tiny_folder)
    assert (
        loaded.results_["eval_accuracy"]
        == json.loads((tmp_path / "run/eval_results.json").read_text("utf-8"))["eval_accuracy"]
    )
    inside = next((tmp_path / "run").glob("checkpoint-*"))
    assert PromptClassifier.load(inside, verbose=False).classes_.tolist() == ["car", "finance", "sports"]


def test_train_py_and_from_pretrained_open_a_save(fitted, tmp_path, tiny_data):
    fitted.save(tmp_path / "model")
    model = PromptModel.from_pretrained(tmp_path / "model")
    assert same(weights(model), weights(fitted.model_))
    load_script("train").main(
        f"--device cpu --report_to none --do_predict --resume_from_checkpoint {tmp_path / 'model'} --data_dir {tiny_data} "
        f"--output_dir {tmp_path / 'results'}".split()
    )
    assert (tmp_path / "results" / "test_predictions.tsv").is_file()


def test_save_refuses_what_it_would_spoil(fitted, make, tmp_path, tiny_folder, tiny_data):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CheckpointError, match="is a file"):
        fitted.save(tmp_path / "file")
    with pytest.raises(CheckpointError, match="holds something else than a saved classifier"):
        fitted.save(tmp_path / "mine")
    assert (tmp_path / "mine" / "config.json").read_text("utf-8") == "{}"
    tuples = make(dict(zip([("x", 1), ("x", 2), ("y", 1)], LABELS.values())))
    with pytest.raises(VerbalizerError, match="which a folder cannot keep"):
        tuples.save(tmp_path / "tuples")
    assert not (tmp_path / "tuples").exists()


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"format_version": 9, "settings": {}, "classes": []}', "has format 9, but this prompt-kit reads 1"),
        ('{"format_version": 1, "settings": {"colour": 3}, "classes": ["car", "sports", "finance"]}', "colour"),
        ('{"format_version": 1, "settings": {}, "classes": ["car", "sports"]}', "its classes are not the labels"),
        (
            '{"format_version": 1, "settings": {"options": {"trust_pickle": true}}, "classes": []}',
            "asks for trust_pickle",
        ),
    ],
)
def test_a_damaged_save(fitted, tmp_path, content, message):
    fitted.save(tmp_path / "model")
    (tmp_path / "model" / "classifier.json").write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        PromptClassifier.load(tmp_path / "model", verbose=False)


def test_load_says_what_a_folder_is(tmp_path, fitted):
    with pytest.raises(CheckpointError, match="prompt_config.json is missing"):
        PromptClassifier.load(tmp_path / "nothing")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "model.onnx").touch()
    with pytest.raises(CheckpointError, match="is an exported folder, which Predictor opens"):
        PromptClassifier.load(tmp_path / "bundle")


def test_leave_to_unpickle_is_not_saved(make, tmp_path):
    make(options={"trust_pickle": True, "ema_decay": 0.5}).save(tmp_path / "model")
    assert PromptClassifier.load(tmp_path / "model", verbose=False).options == {"ema_decay": 0.5}


def test_export_writes_what_export_py_writes(make, tmp_path):
    pytest.importorskip("paddle2onnx")
    classifier = make(verbalizer="soft", **TRAINED).fit(TEXTS, GOLD, eval_data=(TEXTS, GOLD))
    predictor = classifier.export(tmp_path / "bundle")
    assert isinstance(predictor, Predictor)
    assert [one.label for one in predictor.predict(TEXTS)] == classifier.predict(TEXTS).tolist()
    classifier.save(tmp_path / "model")
    export_checkpoint(tmp_path / "model", tmp_path / "other")
    assert names(tmp_path / "bundle") == names(tmp_path / "other")
    for name in ("prompt_config.json", "README.md", "tokenizer.json"):  # the graphs differ in the names of their nodes
        assert (tmp_path / "bundle" / name).read_bytes() == (tmp_path / "other" / name).read_bytes(), name
    examples = [Example(text) for text in TEXTS]
    assert np.array_equal(predictor.probabilities(examples), Predictor(tmp_path / "other").probabilities(examples))
    metrics = json.loads((tmp_path / "bundle/prompt_config.json").read_text("utf-8"))["metrics"]
    assert metrics["eval_accuracy"] == classifier.results_["eval_accuracy"]


# -- manners ----------------------------------------------------------------------------------------------------------


def states() -> tuple:
    return random.getstate(), np.random.get_state()[1].tobytes(), paddle.get_rng_state("cpu")[0].current_seed()


def test_the_callers_random_states_and_device_stay(make):
    random.seed(1)
    np.random.seed(2)
    paddle.seed(3)
    before = states()
    classifier = make(**TRAINED)
    classifier.predict(TEXTS)
    classifier.fit(TEXTS, GOLD, eval_data=(TEXTS, GOLD)).evaluate(TEXTS, GOLD)
    assert states() == before and paddle.get_device() == "cpu"
    drawn = random.random(), np.random.rand(), float(paddle.rand([1]))
    random.seed(1)
    np.random.seed(2)
    paddle.seed(3)
    assert drawn == (random.random(), np.random.rand(), float(paddle.rand([1])))


def test_the_result_does_not_depend_on_the_callers_random_states(make):
    paddle.seed(5)
    np.random.seed(5)
    first = weights(make(**TRAINED).fit(TEXTS, GOLD, eval_data=(TEXTS, GOLD)).model_)
    paddle.seed(6)
    np.random.seed(6)
    assert same(first, weights(make(**TRAINED).fit(TEXTS, GOLD, eval_data=(TEXTS, GOLD)).model_))


def test_nothing_is_left_behind_and_nothing_is_said(make, tmp_path, monkeypatch, capfd):
    work, temporary = tmp_path / "work", tmp_path / "temporary"
    work.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    parameters = dict(os.environ)
    classifier = make(**TRAINED)
    classifier.predict(TEXTS)
    classifier.fit(TEXTS, GOLD, eval_data=(TEXTS, GOLD))
    pickled(classifier).predict(TEXTS)
    with pytest.raises(ConfigError):
        make(learning_rate=-1.0).fit(TEXTS, GOLD)
    assert names(work) == [] and names(temporary) == [] and dict(os.environ) == parameters
    assert capfd.readouterr() == ("", "")


def test_verbose_says_what_is_done_on_stderr(make, capfd, monkeypatch):
    log = logging.getLogger("prompt_kit")
    monkeypatch.setattr(log, "propagate", False)  # as where the caller has set up no logging
    before = log.level, list(log.handlers)
    make(verbose=True, **TRAINED).fit(TEXTS, GOLD, eval_data=(TEXTS, GOLD))
    out, err = capfd.readouterr()
    assert (
        out == "" and "language model: " in err and "template: " in err and "step 2: " in err and "dev accuracy" in err
    )
    assert (log.level, list(log.handlers)) == before


def test_told_lets_warnings_through_and_comes_back(caplog):
    log = logging.getLogger("prompt_kit.some.module")
    caplog.set_level(logging.INFO)
    with in_memory.log_shown(False):
        log.info("hidden")
        log.warning("shown")
    with in_memory.log_shown(True):
        log.info("shown too")
    assert [record.message for record in caplog.records] == ["shown", "shown too"]


def test_the_data_stays_the_callers(make):
    texts, labels, options = list(TEXTS), list(GOLD), {"max_steps": 1}
    make(options=options).fit(texts, labels, eval_data=(texts, labels))
    assert (texts, labels, options) == (TEXTS, GOLD, {"max_steps": 1})


def test_a_saved_folder_needs_nothing_outside_it(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    shutil.move(tmp_path / "model", tmp_path / "moved")
    assert np.array_equal(
        PromptClassifier.load(Path(tmp_path / "moved"), verbose=False).predict_proba(TEXTS), fitted.predict_proba(TEXTS)
    )


@pytest.mark.parametrize(
    "parameters", [{"prompt": 5}, {"device": 0}, {"model_name_or_path": 5}, {"options": {"soft_encoder": 1}}], ids=repr
)
def test_a_parameter_of_another_type_is_told(make, parameters):
    with pytest.raises(PromptKitError):
        make(**parameters).predict(["新车"])


def test_texts_that_contradict_each_other_are_told_in_python_too(make, caplog):
    make().fit([*TEXTS, TEXTS[0]], [*GOLD, next(label for label in LABELS if label != GOLD[0])])
    (message,) = caplog.messages
    assert message.startswith("the texts of fit: 1 text stands there with different labels, such as ")


@pytest.mark.parametrize("words", [{"car": "ＡＡ", "sports": "aa"}])
def test_words_that_are_read_alike_are_no_zero_shot_classifier(make, words):
    with pytest.raises(VerbalizerError, match="cannot be told apart|in the model's vocabulary"):
        make(words).predict(["新车"])
