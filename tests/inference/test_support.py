"""Labels added by a support set, on a graph whose states are 球, 车, 股 and 新 as four directions, 队 between two of them."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from toy_bundle import edit_config, write_toy_bundle, write_toy_bundle_with_states

from prompt_kit.data.dataset import Example
from prompt_kit.errors import BundleError, ConfigError, DataError, PromptKitError
from prompt_kit.inference.bundle import read_bundle
from prompt_kit.inference.predictor import Predictor
from prompt_kit.inference.prototypes import WORD_EXAMPLES, expected_gain
from prompt_kit.inference.support import DEFAULT_SCALE, read_support

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_toy_bundle_with_states(tmp_path_factory.mktemp("states") / "export")


@pytest.fixture(scope="module")
def predictor(folder, engine):
    return Predictor(folder, device="cpu", num_threads=1, engine=engine)


def test_states_in_the_order_of_the_texts(predictor):
    found = predictor.states(["新新新新", "队", Example("球"), "车股"], batch_size=2)
    half = math.sqrt(0.5)
    assert found == pytest.approx(
        np.array([[0, 0, 0, 1], [0.6, 0, 0, 0.8], [1, 0, 0, 0], [0, half, half, 0]]), abs=1e-6
    )
    assert found.dtype == np.float32


def test_a_label_more_beside_the_models_own(predictor):
    (prediction,) = predictor.predict(["新新球"], top_k=4, support=[("新", "novel")])
    # the state is (1, 0, 0, 2) / sqrt(5), so that the new logit is 10 x 2 / sqrt(5), times sqrt(1.6 / 0.9), the gain of
    # three examples, for one that stands beside labels of many; the model's own logits are 2, 0, 0
    powers = [math.exp(2), 1, 1, math.exp(20 / math.sqrt(5) * math.sqrt(1.6 / 0.9))]
    assert [label for label, _ in prediction.top] == ["novel", "sports", "car", "finance"]
    assert [score for _, score in prediction.top] == pytest.approx(
        [p / sum(powers) for p in sorted(powers)[::-1]], 1e-5
    )


def test_the_prototype_is_the_mean_of_the_examples(predictor):
    support = [("新", "a"), ("球", "a"), ("车", "b")]
    (prediction,) = predictor.predict(["新"], top_k=2, support=support, only_support=True)
    assert prediction.label == "a"
    assert prediction.score == pytest.approx(1 / (1 + math.exp(-10 * math.sqrt(0.5))), 1e-5)


def test_the_words_of_a_label_count_as_examples(predictor):
    """车 and 球 are the words: from their mean they point to (-1, 1, 0, 0) and back, and count as three examples."""
    assert WORD_EXAMPLES == 3.0
    support = [("新", "a==车"), ("新", "a"), ("股", "b==球")]
    more = predictor.with_support(support, only_support=True)
    assert more.labels == ("a", "b")
    half = 3 * math.sqrt(0.5)
    rows = np.array([[-half, half, 0, 2], [half, -half, 1, 0]])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert more._support.prototypes == pytest.approx(rows, abs=1e-6)
    assert more.predict(["车"])[0].label == "a" and more.predict(["球"])[0].label == "b"


def test_a_label_of_words_alone_beside_the_models_own(predictor):
    """Its word is centred on the words of the model's labels too: 新 less a quarter of 球队, 车, 股票 and 新."""
    words = predictor.states(["球队", "车", "股票", "新"])
    apart = words - words.mean(axis=0)
    row = apart[3] / np.linalg.norm(apart[3])
    more = predictor.with_support(["novel==新"])
    assert more.labels == ("sports", "car", "finance", "novel")
    assert more._support.prototypes == pytest.approx(row[None] * expected_gain(np.array([3.0]))[0], abs=1e-6)
    assert more.predict(["新新球"])[0].label == "novel"


def test_only_the_support_set_may_take_the_models_names(predictor):
    support = [("新", "car"), ("球", "sports")]
    found = predictor.predict(["队", "车新"], support=support, only_support=True)
    assert [one.label for one in found] == ["car", "car"]
    with pytest.raises(DataError, match=r"the model has the label\(s\) car, sports itself"):
        predictor.predict(["队"], support=support)


def test_the_predictor_itself_stays_as_it_is(predictor):
    before = predictor.predict(["新新球"])
    more = predictor.with_support([("新", "novel")])
    assert more.labels == ("sports", "car", "finance", "novel") and predictor.labels == ("sports", "car", "finance")
    assert predictor.predict(["新新球"]) == before
    assert (
        more.predict(["新新球"])
        == list(more.predict_stream(["新新球"]))
        == predictor.predict(["新新球"], support=[("新", "novel")])
    )


def test_streams_explanations_and_pickles_know_the_new_label(predictor):
    more = predictor.with_support(iter([Example("新", "novel")]))
    assert [one.label for one in more.predict_stream(iter(["车", "新", "球球"]), batch_size=1)] == [
        "car",
        "novel",
        "sports",
    ]
    assert more.explain(["新球"])[0].label == "novel"
    again = pickle.loads(pickle.dumps(more))  # noqa: S301
    assert again.labels == more.labels and again.predict(["新", "车"]) == more.predict(["新", "车"])


def test_heads_of_another_kind_take_the_support_set_alone(tmp_path):
    other = Predictor(write_toy_bundle_with_states(tmp_path / "export", scale=None), device="cpu", num_threads=1)
    (prediction,) = other.predict(["新"], support=[("新", "novel"), ("球", "sports")], only_support=True)
    assert prediction.score == pytest.approx(1 / (1 + math.exp(-DEFAULT_SCALE)))
    with pytest.raises(ConfigError, match="logits are no cosines"):
        other.predict(["新"], support=[("新", "novel")])


def test_a_folder_without_states(tmp_path):
    other = Predictor(write_toy_bundle(tmp_path / "export"), device="cpu", num_threads=1)
    with pytest.raises(BundleError, match=r"without states.*--with_states"):
        other.predict(["新"], support=[("新", "novel")])
    with pytest.raises(BundleError, match="without states"):
        other.states(["新"])


@pytest.mark.parametrize(
    "support, told",
    [
        ([], "no example"),
        ([("", "novel")], "support 1: the text or the label is empty"),
        ([("新", "novel"), ("新", " ")], "support 2: the text or the label is empty"),
        ([("新", "novel"), ("新\udc00", "novel")], r"support 2: the text holds half of a surrogate pair, U\+DC00 at 1"),
        ([Example("新")], "support 1: expected a text and its label"),
        ([("新", 3)], "support 1: expected a text and its label"),
        (["新"], "support 1: expected a text and its label"),
        ([("新", "novel=="), ("新", "novel==")], "support 1: the label or one of its words is empty: 'novel=='"),
        (["==新"], "support 1: the label or one of its words is empty"),
        ([("新", "a==b==c")], "support 1: more than one '=='"),
    ],
)
def test_mistakes_in_the_support_set(predictor, support, told):
    with pytest.raises(PromptKitError, match=told):
        predictor.predict(["新"], support=support)


@pytest.mark.parametrize("support", ["support.txt", 3])
def test_no_support_set_at_all(predictor, support):
    with pytest.raises(ConfigError, match="expected examples with labels"):
        predictor.with_support(support)


def test_only_support_without_support(predictor):
    with pytest.raises(ConfigError, match="only_support needs support"):
        predictor.predict(["新"], only_support=True)


def test_read_support(tmp_path):
    path = tmp_path / "support.txt"
    path.write_text("新\tnovel\n 球 队 \t 体育 \n队\tnovel==新,队\n股==股 \n", encoding="utf-8")
    assert read_support(path) == [
        Example("新", "novel"),
        Example("球 队", "体育"),
        Example("队", "novel==新,队"),
        "股==股",
    ]


@pytest.mark.parametrize("line", ["新", "新\t", "\tnovel", "新\t球\tnovel"])
def test_a_line_that_is_none_of_a_support_file(tmp_path, line):
    path = tmp_path / "support.txt"
    path.write_text(f"新\tnovel\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"support.txt:2: expected text<TAB>label"):
        read_support(path)


def test_states_are_declared_and_raise_the_format(folder, tmp_path):
    config = read_bundle(folder)
    assert config.has_states and config.format_version == 3 and config.scale == 10.0
    plain = read_bundle(write_toy_bundle(tmp_path / "plain"))
    assert not plain.has_states and plain.format_version == 1 and "scale" not in plain.to_dict()


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"states": 5}, "outputs: the template and 3 labels ask for"),
        ({"states": None}, "outputs: the template and 3 labels ask for"),
        ({"states": 0}, "states"),
        ({"outputs": {"logits": ["batch", 3], "hidden": ["batch", 4]}}, "outputs: the template and 3 labels ask for"),
        ({"scale": -1}, "scale"),
        ({"scale": "12"}, "scale"),
        ({"format_version": 4}, "update prompt-kit"),
    ],
)
def test_states_that_are_declared_wrongly(tmp_path, changes, told):
    folder = write_toy_bundle_with_states(tmp_path / "export")
    edit_config(folder, **changes)
    with pytest.raises(BundleError, match=told):
        read_bundle(folder)


def test_states_that_are_declared_but_not_there(tmp_path):
    folder = write_toy_bundle_with_states(tmp_path / "export")
    (folder / "model.onnx").write_bytes((write_toy_bundle(tmp_path / "plain") / "model.onnx").read_bytes())
    with pytest.raises(BundleError, match="output logits and states, got"):
        Predictor(folder, device="cpu", num_threads=1)


def test_columns_the_other_way_round(predictor):
    label = predictor.labels[0]
    with pytest.raises(DataError, match=f"support: '{label}' is a label, expected a text before it"):
        predictor.with_support([(label, "新车上市")], True)


def test_words_that_say_nothing_or_the_same(predictor):
    with pytest.raises(DataError, match="the words of 'a' .* have no token that the model knows"):
        predictor.with_support(["a==\u200b"])
    with pytest.raises(DataError, match="the words of 'b' .车. are those of another label too"):
        predictor.with_support(["a==车", "b==车"], True)
    words = predictor.with_support(["a==车", "b==车", ("球", "b")], True)
    assert words.labels[-2:] == ("a", "b")
