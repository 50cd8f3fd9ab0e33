"""The training examples in an exported folder: written, read, compared, and what is said of a file that is none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from toy_bundle import write_toy_bundle, write_toy_bundle_with_states

pytest.importorskip("onnxruntime")

from prompt_kit.cli import main as command
from prompt_kit.cli import predict
from prompt_kit.data.dataset import Example
from prompt_kit.errors import BundleError, ConfigError, DataError
from prompt_kit.inference.carried_examples import TrainingExamples, write_examples
from prompt_kit.inference.predictor import Predictor

TRAIN = [Example("球", "sports"), Example("车", "car"), Example("股", "finance"), Example("新\ud83d", "car")]


@pytest.fixture
def predictor(tmp_path):
    folder = write_toy_bundle_with_states(tmp_path / "export")
    predictor = Predictor(folder, device="cpu", num_threads=1)
    whole = [Example(one.text_a.replace("\ud83d", ""), one.label) for one in TRAIN]  # a Predictor refuses half a pair
    write_examples(folder, TRAIN, predictor.states(whole))
    return Predictor(folder, device="cpu", num_threads=1)


def test_nearest_by_hand():
    """About the mean (0.5, 0.5) the examples are (0.5, -0.5) and its opposite; (0.9, 0.1) is the first one's direction."""
    known = TrainingExamples(("a", "b"), ("x", "y"), np.eye(2, dtype=np.float32))
    ((first, second),) = known.nearest(np.array([[0.9, 0.1]], dtype=np.float32))
    assert first == ("a", "x", pytest.approx(1)) and second == ("b", "y", pytest.approx(-1))
    assert len(known.nearest(np.eye(2, dtype=np.float32), 1)[1]) == 1


def test_the_folder_names_the_nearest(predictor):
    """队's state is 0.6 of 球's and 0.8 of 新's; the texts come back as they were, half a surrogate pair as a question mark."""
    (found,) = predictor.nearest(["队"])
    assert [one.text for one in found][:2] == ["新?", "球"]
    (one,) = predictor.nearest(["车"], 1)
    assert (one[0].text, one[0].label) == ("车", "car") and one[0].similarity == pytest.approx(1, abs=1e-2)


def test_explanations_have_them(predictor):
    found = predictor.explain(["球球", "车", ""], nearest=2)
    assert [len(one.nearest) for one in found] == [2, 2, 0]
    assert found[0].nearest[0].text == "球" and found[1].nearest[0].text == "车"
    assert predictor.explain(["球"], nearest=0)[0].nearest == ()


def test_on_the_command_line(predictor, capsys):
    flags = ["explain", "--model_path_prefix", str(predictor.folder), "--device", "cpu", "--text", "球"]
    command.main([*flags, "--nearest", "1"])
    assert capsys.readouterr().out.endswith("\n\tnear 1.00 sports: 球\n")
    command.main([*flags, "--nearest", "2", "--output_format", "jsonl"])
    near = json.loads(capsys.readouterr().out)["nearest"]
    assert [one["text"] for one in near][0] == "球" and len(near) == 2


def test_predictions_have_them_where_they_are_asked_for(predictor):
    """Of every text what `nearest` says of it, also where texts of several lengths and batches are sorted."""
    texts = ["球球球", "车", "股股", "新车球"] * 40
    found = predictor.predict(texts, batch_size=3, nearest=2)
    assert [one.nearest for one in found] == predictor.nearest(texts, 2)
    assert [one.nearest[0].text for one in found[:3]] == ["球", "车", "股"]
    plain = predictor.predict(texts, batch_size=3)
    assert {one.nearest for one in plain} == {()}
    assert [(one.label, one.top) for one in plain] == [(one.label, one.top) for one in found]
    support = predictor.predict(["车"], support=[("球", "ball")], nearest=1)
    assert support[0].nearest[0].text == "车"
    with pytest.raises(ConfigError, match="nearest must be a whole number of 0 or more"):
        predictor.predict_stream(texts, nearest=True)


def test_json_lines_have_them(predictor, capsys):
    flags = ["predict", "--model_path_prefix", str(predictor.folder), "--device", "cpu", "--text", "球", "车"]
    command.main([*flags, "--output_format", "jsonl"])
    plain = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    command.main([*flags, "--output_format", "jsonl", "--nearest", "2"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    near = [row.pop("nearest") for row in rows]
    assert rows == plain and [list(one) for one in near[0]] == [["text", "label", "cosine"]] * 2
    assert [(one[0]["text"], one[0]["label"]) for one in near] == [("球", "sports"), ("车", "car")]
    assert near[0][0]["cosine"] == pytest.approx(1, abs=1e-2) and near[0][1]["cosine"] < near[0][0]["cosine"]
    for format_ in ("label", "tsv"):
        with pytest.raises(
            ConfigError, match=f"--nearest 2 has no place in {format_} lines; add --output_format jsonl"
        ):
            predict.main([*flags[1:], "--output_format", format_, "--nearest", "2"])


def test_tables_of_json_lines_have_them(predictor, tmp_path, capsys):
    (tmp_path / "in.csv").write_text("text,n\n球,1\n", encoding="utf-8")
    flags = ["--model_path_prefix", str(predictor.folder), "--device", "cpu", "--input_file", str(tmp_path / "in.csv")]
    predict.main([*flags, "--output_file", str(tmp_path / "out.jsonl"), "--nearest", "1"])
    (row,) = map(json.loads, (tmp_path / "out.jsonl").read_text("utf-8").splitlines())
    assert list(row) == ["text", "n", "predicted_label", "predicted_score", "predicted_nearest"]
    assert row["predicted_nearest"][0]["text"] == "球"
    with pytest.raises(ConfigError, match="--nearest 1 has no place in a csv table"):
        predict.main([*flags, "--nearest", "1"])
    (tmp_path / "in.jsonl").write_text('{"text": "球", "predicted_nearest": 1}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="has a column 'predicted_nearest' already"):
        predict.main([*flags[:-1], str(tmp_path / "in.jsonl"), "--nearest", "1"])


def test_a_folder_without(tmp_path):
    bare = Predictor(write_toy_bundle_with_states(tmp_path / "export"), device="cpu", num_threads=1)
    assert bare.training_examples is None and bare.explain(["球"])[0].nearest == ()
    with pytest.raises(BundleError, match="carries no training examples; export it again with --with_examples"):
        bare.nearest(["球"])
    with pytest.raises(BundleError, match="carries no training examples"):
        bare.predict_stream(["球"], nearest=1)
    stateless = Predictor(write_toy_bundle(tmp_path / "other"), device="cpu", num_threads=1)
    assert stateless.training_examples is None


def test_mistakes(predictor, tmp_path):
    with pytest.raises(ConfigError, match="nearest must be a whole number of 0 or more"):
        predictor.explain(["球"], nearest=-1)
    for examples in ([], [Example("球")]):
        with pytest.raises(DataError, match="training examples need labels"):
            write_examples(tmp_path, examples, np.zeros((len(examples), 4)))


def raw(value):
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def contents(**changes):
    fine = {"states": np.eye(2, 4, dtype=np.float16), "examples": raw([["球", "sports"], ["车", "car"]])}
    return {**fine, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"states": np.eye(2, 5, dtype=np.float16)},
        {"states": np.full((2, 4), np.nan, dtype=np.float16)},
        {"states": np.eye(3, 4, dtype=np.float16)},
        {"states": np.array([["a"] * 4] * 2)},
        {"examples": raw([["球", "sports"], ["车", 1]])},
        {"examples": raw(["球", "车"])},
        {"examples": raw({"a": "b"})},
        {"examples": np.frombuffer(b'[["a"', np.uint8)},
        {"examples": np.array([{"a": 1}], dtype=object)},
    ],
)
def test_a_damaged_file_is_one_line(predictor, changes):
    """Objects, which only a pickle could hold, are not read."""
    np.savez(predictor.folder / "examples.npz", **contents(**changes))
    again = Predictor(predictor.folder, device="cpu", num_threads=1)
    with pytest.raises(BundleError, match="examples.npz is damaged .*or delete the file") as found:
        again.nearest(["球"])
    assert "\n" not in str(found.value)


def test_no_zip_and_half_of_one(predictor):
    path = predictor.folder / "examples.npz"
    for content in (b"", b"no zip", path.read_bytes()[:200]):
        path.write_bytes(content)
        with pytest.raises(BundleError, match="examples.npz is damaged"):
            Predictor(predictor.folder, device="cpu", num_threads=1).nearest(["球"])
    np.savez(path, **contents())
    assert Predictor(predictor.folder, device="cpu", num_threads=1).nearest(["球"])[0][0].text == "球"
