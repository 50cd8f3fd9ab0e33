"""Two texts a line, and labels with levels, from train.py to infer.py."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from scripts import load_script
from tiny import EXAMPLES

from prompt_kit import PromptClassifier
from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError, DataError, TemplateError
from prompt_kit.inference.bundle import read_bundle
from prompt_kit.prompt.task import Task
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.models.heads import ManualHead

SHORT = "--max_steps 4 --logging_steps 1 --eval_steps 2 --learning_rate 1e-3 --max_seq_length 40 --device cpu --report_to none"
PAIRS = [(one.text_a, other.text_a, "same" if one.label == other.label else "other")
         for one in EXAMPLES for other in EXAMPLES]  # fmt: skip
TREE = ["车==汽车", "车##新车==汽车发布", "体==体育", "体##球==球队", "体##赛==比赛", "财==财经"]
PATHS = [("汽车发布", "车,车##新车"), ("今天汽车", "车##新车"), ("汽车公司大涨", "车"), ("球队冠军", "体,体##球"),
         ("比赛冠军", "体,体##赛"), ("球队比赛", "体##球,体##赛"), ("公司上市", "财"), ("股票大涨", "财")]  # fmt: skip


def write_folder(folder, lines, labels, texts):
    for name, part in (("train", lines), ("dev", lines[::2]), ("test", lines[1::2])):
        (folder / f"{name}.txt").write_text("\n".join(part) + "\n", encoding="utf-8")
    (folder / "data.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    (folder / "label.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    lines = ["\t".join(pair) for pair in PAIRS]
    labels = ["same==体育", "other==财经"]
    return write_folder(tmp_path_factory.mktemp("pairs"), lines, labels, [f"{a}\t{b}" for a, b, _ in PAIRS])


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    lines = ["\t".join(line) for line in PATHS] * 2
    return write_folder(tmp_path_factory.mktemp("tree"), lines, TREE, [text for text, _ in PATHS])


@pytest.fixture(scope="module")
def main():
    return load_script("train").main


@pytest.fixture
def run(main, tiny_folder, tmp_path, capsys):
    """Train, predict test.txt, export, and label the same texts by infer.py -> (rows of the predictions, infer.py's lines)."""

    def call(data, flags, texts):
        output = tmp_path / "run"
        main(
            f"--do_train --do_eval --do_predict {SHORT} {flags}".split()
            + ["--data_dir", str(data), "--output_dir", str(output), "--model_name_or_path", str(tiny_folder)]
        )
        load_script("export").main(["--resume_from_checkpoint", str(output), "--no_fp16"])
        with open(output / "test_predictions.tsv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        (tmp_path / "infer").mkdir()
        (tmp_path / "infer" / "data.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
        capsys.readouterr()
        prefix = ["--model_path_prefix", str(output / "export"), "--device", "cpu", "--precision", "fp32"]
        load_script("infer").main([*prefix, "--data_dir", str(tmp_path / "infer")])
        return rows, capsys.readouterr().out.splitlines()

    return call


@pytest.mark.slow
@pytest.mark.parametrize("flags", ["", "--verbalizer soft", "--method finetune"])
def test_infer_agrees_with_the_trainer_on_every_pair(run, pairs, tmp_path, flags):
    texts = [f"{a}\t{b}" for a, b, _ in PAIRS][1::2]
    rows, lines = run(pairs, f"--text_pairs {flags}", texts)
    assert [row["text"] for row in rows] == texts
    assert [row["label"] for row in rows] == lines
    bundle = read_bundle(tmp_path / "run" / "export")
    assert bundle.template.fields == ("text_a", "text_b")
    results = json.loads((tmp_path / "run" / "all_results.json").read_text(encoding="utf-8"))
    assert results["test_accuracy"] == pytest.approx(np.mean([row["label"] == row["gold"] for row in rows]))


def test_a_template_with_text_b_says_it_without_a_flag(main, pairs, tiny_folder, tmp_path):
    prompt = "{'text': 'text_a'}{'mask'}{'text': 'text_b'}"
    main(
        ["--do_eval", "--prompt", prompt, "--data_dir", str(pairs), "--output_dir", str(tmp_path / "zero"), "--device", "cpu",
         "--model_name_or_path", str(tiny_folder), "--max_seq_length", "40"]
    )  # fmt: skip
    results = json.loads((tmp_path / "zero" / "eval_results.json").read_text(encoding="utf-8"))
    assert (results["mode"], results["eval_samples"]) == ("zero-shot", len(PAIRS[::2]))


def test_words_of_a_pair_are_the_decoders_rows(tiny_folder, pairs):
    from prompt_kit.training.models.prompt_model import PromptModel

    model = PromptModel.build(
        pairs / "label.txt", "{'text': 'text_a'}{'mask'}{'text': 'text_b'}", str(tiny_folder), max_seq_length=40
    )
    tokens = model.verbalizer.token_table(model.tokenizer, 1)
    rows = ManualHead(model._lm_head, tokens, 1).rows()[0].numpy()[0]
    centred = rows - rows.mean(axis=0)
    np.testing.assert_allclose(
        model.head.weight.numpy(), centred / np.linalg.norm(centred, axis=1, keepdims=True), atol=1e-6
    )


@pytest.mark.parametrize(
    "flags, error, said",
    [
        (["--text_pairs", "--prompt", "{'text': 'text_a'}{'mask'}"], ConfigError, "--text_pairs contradicts --prompt"),
        (["--text_pairs", "--augment", "1"], ConfigError, "makes variants of one text"),
        (["--text_pairs", "--prompt", "{'text': 'text_b'"], TemplateError, "text_b"),
        ([], DataError, "3 columns .*expected two, text<TAB>label; add --text_pairs for two texts and a label"),
    ],
)
def test_mistakes_are_named(main, pairs, flags, error, said):
    with pytest.raises(error, match=said):
        main(["--do_train", "--do_eval", "--data_dir", str(pairs), *flags])


@pytest.mark.slow
def test_classifier_takes_pairs(tiny_folder, pairs, tmp_path):
    texts, labels = [(a, b) for a, b, _ in PAIRS], [label for _, _, label in PAIRS]
    classifier = PromptClassifier(
        {"same": "体育", "other": "财经"}, text_pairs=True, model_name_or_path=str(tiny_folder), max_seq_length=40,
        device="cpu", verbose=False,
    )  # fmt: skip
    classifier.fit(texts, labels)
    predicted = classifier.predict(texts)
    assert (predicted == classifier.predict(np.array(texts))).all()
    assert classifier.evaluate(texts, labels)["accuracy"] == pytest.approx(np.mean(predicted == np.array(labels)))
    assert classifier.evaluate(pairs / "train.txt")["accuracy"] == classifier.evaluate(texts, labels)["accuracy"]
    answers = classifier.export(tmp_path / "export", fp16=False).predict([Example(a, text_b=b) for a, b in texts])
    assert [one.label for one in answers] == predicted.tolist()
    classifier.save(tmp_path / "saved")
    loaded = PromptClassifier.load(tmp_path / "saved", device="cpu", verbose=False)
    assert (loaded.predict(texts) == predicted).all()
    with pytest.raises(DataError, match=r"texts\[0\]: expected two texts, \(text_a, text_b\), got '汽车'"):
        classifier.predict(["汽车"])


@pytest.mark.slow
def test_levels(run, tree, tmp_path):
    texts = [text for text, _ in PATHS * 2][1::2]
    rows, lines = run(tree, "--task_type hierarchical --verbalizer soft", texts)
    assert [row["label"] for row in rows] == lines
    for line in lines:
        found = line.split(",")
        for label in found:
            assert label.rpartition("##")[0] in ("", *found), "a label below never comes without the one above"
    results = json.loads((tmp_path / "run" / "all_results.json").read_text(encoding="utf-8"))
    for level in (0, 1):
        same = [
            {one for one in row["label"].split(",") if one.count("##") == level}
            == {one for one in row["gold"].split(",") if one.count("##") == level}
            for row in rows
        ]
        assert results[f"test_level{level + 1}_accuracy"] == pytest.approx(np.mean(same))
    assert rows[0]["gold"] == "车,车##新车", "what lies above is added"
    assert TextClassifier.from_pretrained(tmp_path / "run").task.kind == "hierarchical"
    assert isinstance(read_bundle(tmp_path / "run" / "export").task, Task)


def test_a_path_without_its_top_is_refused(main, tree, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for path in tree.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "label.txt").write_text("\n".join(TREE[1:]) + "\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match="label '车##新车' lies under '车', which is no label; add a line 车 to label.txt"
    ):
        main(["--do_train", "--do_eval", "--task_type", "hierarchical", "--data_dir", str(folder)])
