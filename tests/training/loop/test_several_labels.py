"""Several labels a text, from train.py's command line to infer.py and PromptClassifier."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from scripts import load_script
from sklearn.metrics import f1_score
from tiny import EXAMPLES, write_tiny_folder

from prompt_kit import Predictor, PromptClassifier
from prompt_kit.errors import CheckpointError, ConfigError, DataError
from prompt_kit.inference.bundle import read_bundle
from prompt_kit.training.models.base import TextClassifier

LINES = [
    f"{one.text_a}{other.text_a}\t{','.join(dict.fromkeys((one.label, other.label)))}"
    for one in EXAMPLES for other in EXAMPLES[::2]
]  # fmt: skip
SHORT = "--max_steps 4 --logging_steps 1 --eval_steps 2 --learning_rate 1e-3 --max_seq_length 32 --device cpu --report_to none"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    for name, lines in (("train", LINES), ("dev", LINES[::3]), ("test", LINES[1::3])):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    texts = [line.partition("\t")[0] for line in LINES]
    (folder / "data.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    (folder / "label.txt").write_text("car==汽车\nsports==体育\nfinance==财经\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def main():
    return load_script("train").main


def predictions(folder):
    with open(folder / "test_predictions.tsv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags", ["", "--verbalizer soft", "--verbalizer manual --prompt 主题是", "--method finetune", "--method rtd"]
)
def test_infer_agrees_with_the_trainer_on_every_line(main, tiny_folder, data, tmp_path, capsys, flags):
    model = write_tiny_folder(tmp_path / "electra", discriminator=True) if "rtd" in flags else tiny_folder
    output = tmp_path / "run"
    main(
        f"--do_train --do_eval --do_predict --task_type multi-label {SHORT} {flags}".split()
        + ["--data_dir", str(data), "--output_dir", str(output), "--model_name_or_path", str(model)]
    )
    # random weights are none that survive half precision
    load_script("export").main(["--resume_from_checkpoint", str(output), "--no_fp16"])
    rows = predictions(output)
    results = json.loads((output / "all_results.json").read_text(encoding="utf-8"))
    config = json.loads((output / "prompt_config.json").read_text(encoding="utf-8"))
    bundle = read_bundle(output / "export")
    assert bundle.task.to_entries() == {name: config[name] for name in ("task_type", "threshold", "at_least_one")}
    assert config["task_type"] == "multi-label"
    assert config["at_least_one"] is True, "every training text has a label"

    capsys.readouterr()
    (tmp_path / "infer").mkdir()
    (tmp_path / "infer" / "data.txt").write_text("\n".join(row["text"] for row in rows) + "\n", encoding="utf-8")
    prefix = ["--model_path_prefix", str(output / "export"), "--device", "cpu", "--precision", "fp32"]
    load_script("infer").main([*prefix, "--data_dir", str(tmp_path / "infer")])
    assert capsys.readouterr().out.splitlines() == [row["label"] for row in rows]

    names = bundle.labels
    gold, predicted = (
        np.array([[name in row[column].split(",") for name in names] for row in rows]) for column in ("gold", "label")
    )
    assert results["test_micro_f1"] == pytest.approx(f1_score(gold, predicted, average="micro"))
    assert results["test_accuracy"] == pytest.approx((gold == predicted).all(axis=1).mean())
    wrong = (output / "test_bad_cases.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(wrong) == (gold != predicted).any(axis=1).sum()


@pytest.mark.slow
def test_the_threshold_is_the_best_on_dev_and_is_kept(main, tiny_folder, data, tmp_path):
    output = tmp_path / "run"
    base = ["--data_dir", str(data), "--output_dir", str(output)]
    main(
        f"--do_train --do_eval --task_type multi-label {SHORT}".split()
        + base
        + ["--model_name_or_path", str(tiny_folder)]
    )
    first = json.loads((output / "eval_results.json").read_text(encoding="utf-8"))
    model = TextClassifier.from_pretrained(output)
    classifier = PromptClassifier.load(output, device="cpu", verbose=False)
    scores = classifier.evaluate(data / "dev.txt")
    assert scores["micro_f1"] == pytest.approx(first["eval_micro_f1"], abs=1e-6)
    assert scores["loss"] == pytest.approx(first["eval_loss"], abs=1e-4)
    for threshold in (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95):
        classifier.model_.task = type(model.task)("multi-label", threshold, model.task.at_least_one)
        assert classifier.evaluate(data / "dev.txt")["micro_f1"] <= first["eval_micro_f1"] + 1e-6
    main(
        f"--do_eval --resume_from_checkpoint {output} --device cpu --report_to none".split()
        + base[:2]
        + ["--output_dir", str(tmp_path / "again")]
    )
    again = json.loads((tmp_path / "again" / "eval_results.json").read_text(encoding="utf-8"))
    assert again["eval_micro_f1"] == pytest.approx(first["eval_micro_f1"])
    with pytest.raises(CheckpointError, match="--task_type multi-class contradicts the checkpoint"):
        main(
            f"--do_eval --task_type multi-class --resume_from_checkpoint {output}".split()
            + base[:2]
            + ["--output_dir", str(tmp_path / "no")]
        )


@pytest.mark.slow
def test_zero_shot_and_without_dev(main, tiny_folder, data, tmp_path):
    model = ["--model_name_or_path", str(tiny_folder), "--max_seq_length", "32", "--device", "cpu"]
    main(
        [
            "--do_eval",
            "--task_type",
            "multi-label",
            "--data_dir",
            str(data),
            "--output_dir",
            str(tmp_path / "zero"),
            *model,
        ]
    )
    zero = json.loads((tmp_path / "zero" / "eval_results.json").read_text(encoding="utf-8"))
    assert zero["mode"] == "zero-shot" and 0 <= zero["eval_micro_f1"] <= 1
    few = tmp_path / "few"
    few.mkdir()
    for name in ("train.txt", "label.txt"):
        (few / name).write_bytes((data / name).read_bytes())
    main(
        [
            "--do_train",
            "--do_eval",
            "--task_type",
            "multi-label",
            "--data_dir",
            str(few),
            "--output_dir",
            str(tmp_path / "run"),
            *model,
        ]
    )
    results = json.loads((tmp_path / "run" / "eval_results.json").read_text(encoding="utf-8"))
    assert results["eval_by"] == "leave-one-out on train.txt" and "eval_micro_f1" in results
    assert TextClassifier.from_pretrained(tmp_path / "run").task.threshold != 0.5, "chosen by leave-one-out"


@pytest.mark.parametrize(
    "flags, said",
    [
        ("--use_rgl", "--use_rgl True is not for --task_type multi-label"),
        ("--verbalizer prototype", "--verbalizer prototype is not for --task_type multi-label"),
        ("--calibrate", "--calibrate True is not for --task_type multi-label"),
        ("--augment 2", "--augment 2 is not for --task_type multi-label"),
        ("--unlabeled_file x.txt", "--unlabeled_file x.txt is not for --task_type multi-label"),
    ],
)
def test_what_has_no_meaning_is_refused(main, data, flags, said):
    with pytest.raises(ConfigError, match=said):
        main(f"--do_train --do_eval --task_type multi-label {flags}".split() + ["--data_dir", str(data)])


def test_micro_f1_is_of_several_labels(main, data):
    with pytest.raises(ConfigError, match="add --task_type multi-label"):
        main(["--do_train", "--do_eval", "--metric_for_best_model", "micro_f1_score", "--data_dir", str(data)])


def classifier_of(tiny_folder, **options):
    return PromptClassifier(
        {"car": "汽车", "sports": "体育", "finance": "财经"}, task_type="multi-label", model_name_or_path=str(tiny_folder),
        max_seq_length=32, device="cpu", verbose=False, **options,
    )  # fmt: skip


@pytest.mark.slow
def test_classifier_takes_lists_and_a_matrix(tiny_folder, data, tmp_path):
    texts, labels = zip(*(line.split("\t") for line in LINES))
    lists = [label.split(",") for label in labels]
    classifier = classifier_of(tiny_folder).fit(list(texts), lists)
    assert classifier.classes_.tolist() == ["car", "finance", "sports"]
    matrix = np.array([[name in own for name in classifier.classes_] for own in lists]).astype(int)
    again = classifier_of(tiny_folder).fit(list(texts), matrix)
    np.testing.assert_allclose(again.predict_proba(texts), classifier.predict_proba(texts), atol=1e-6)
    predicted = classifier.predict(texts)
    assert predicted.shape == matrix.shape and set(np.unique(predicted)) <= {0, 1}
    names = classifier.predict_labels(texts)
    assert names[0] == tuple(name for name, there in zip(classifier.classes_, predicted[0]) if there)
    scores = classifier.evaluate(list(texts), lists)
    assert scores["micro_f1"] == pytest.approx(f1_score(matrix, predicted, average="micro"))

    classifier.save(tmp_path / "saved")
    loaded = PromptClassifier.load(tmp_path / "saved", device="cpu", verbose=False)
    np.testing.assert_array_equal(loaded.predict(texts), predicted)

    trained = classifier_of(tiny_folder, verbalizer="soft", num_train_epochs=1).fit(list(texts), lists)
    answers = trained.export(tmp_path / "export", fp16=False).predict(list(texts))
    assert [set(one.label.split(",")) for one in answers] == [set(own) for own in trained.predict_labels(texts)]
    assert isinstance(Predictor(tmp_path / "export", device="cpu").decision.threshold, float)


def test_classifier_refuses_what_is_no_label_set(tiny_folder):
    for y, said in (
        (["car", "sports"], r"labels\[0\]: expected a list of labels, which may be empty, got 'car'; write \['car'\]"),
        ([["car"], ["boat"]], r"labels\[1\]\[0\]: unknown label 'boat'"),
        (np.ones((2, 2)), "expected ones and zeros in 3 columns"),
        ([["car"]], "2 texts but 1 labels"),
    ):
        with pytest.raises(DataError, match=said):
            classifier_of(tiny_folder).fit(["汽车", "体育"], y)


def test_a_text_without_labels_lets_answers_be_empty(tiny_folder):
    classifier = classifier_of(tiny_folder).fit(
        ["汽车", "体育", "财经", "一二"], [["car"], ["sports"], ["finance"], []]
    )
    assert classifier.model_.task.at_least_one is False


@pytest.mark.parametrize("flags", ["--verbalizer soft", "--method finetune", "--cross_validation 2"])
def test_cross_validation_is_for_one_label_a_text(main, tiny_folder, data, tmp_path, flags):
    (tmp_path / "data").mkdir()
    for name in ("train.txt", "label.txt"):
        shutil.copy(data / name, tmp_path / "data" / name)
    with pytest.raises(ConfigError, match="cross-validation is for one label a text"):
        main(
            f"--do_train --do_eval --task_type multi-label {SHORT} {flags}".split()
            + ["--data_dir", str(tmp_path / "data"), "--output_dir", str(tmp_path / "run")]
            + ["--model_name_or_path", str(tiny_folder)]
        )
