"""Predictor on a graph that adds token scores: 球 2 and 队 1 for sports, 车 3 for car, 股 2 and 票 1 for finance."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from toy_bundle import toy_config, write_toy_bundle

from prompt_kit.data.dataset import Example
from prompt_kit.errors import BundleError, ConfigError, DataError
from prompt_kit.inference.onnx_model import OnnxModel
from prompt_kit.inference.predictor import WINDOW, Prediction, Predictor
from prompt_kit.metrics import softmax

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def predictor(folder, engine):
    return Predictor(folder, device="cpu", num_threads=1, engine=engine)


def test_label_and_probability(predictor):
    (prediction,) = predictor.predict(["球队"])  # logits 3, 0, 0
    assert (prediction.text, prediction.label) == ("球队", "sports")
    assert prediction.score == pytest.approx(math.exp(3) / (math.exp(3) + 2), abs=1e-12)
    assert prediction.top == (("sports", prediction.score),)


def test_top_k_is_best_first_and_sums_to_one(predictor):
    (prediction,) = predictor.predict(["车股"], top_k=3)  # logits 0, 3, 2
    assert [label for label, _ in prediction.top] == ["car", "finance", "sports"]
    assert sum(probability for _, probability in prediction.top) == pytest.approx(1, abs=1e-12)
    assert prediction.top[0] == (prediction.label, prediction.score)


def test_order_is_kept_though_texts_are_sorted_by_length(predictor):
    texts = ["新新新新新车", "球", "新新股", "车", "新新新新新新新队", "票", "！"] * 9
    expected = [predictor.predict([text])[0] for text in texts]
    for batch_size in (1, 2, 5, 64):
        got = predictor.predict(texts, batch_size=batch_size)
        assert [one.text for one in got] == texts
        assert [one.label for one in got] == [one.label for one in expected]
        assert np.allclose([one.score for one in got], [one.score for one in expected], atol=1e-6)


def test_batches_are_of_similar_lengths(predictor, monkeypatch):
    shapes = []
    logits = OnnxModel.logits

    def watched(self, features):
        shapes.append(sorted(len(one.input_ids) for one in features))
        return logits(self, features)

    monkeypatch.setattr(OnnxModel, "logits", watched)
    predictor.predict(["球" * length for length in (9, 1, 8, 2)], batch_size=2)
    assert shapes == [[5, 6], [12, 13]]  # [CLS] text 是 [MASK] [SEP]


def test_a_cpu_gets_a_large_batch_in_parts(predictor, monkeypatch):
    sizes = []
    logits = OnnxModel.logits

    def watched(self, features):
        sizes.append((len(features), max(len(one.input_ids) for one in features)))
        return logits(self, features)

    monkeypatch.setattr(OnnxModel, "logits", watched)
    monkeypatch.setattr("prompt_kit.inference.onnx_model._CPU_TOKENS", 24)
    texts = ["球" * length for length in (8, 8, 1, 1, 1, 2, 8)]  # of 5, 6 and 12 tokens
    expected = [one.score for one in predictor.predict(texts, batch_size=1)]
    sizes.clear()
    assert [one.score for one in predictor.predict(texts, batch_size=32)] == pytest.approx(expected, abs=1e-6)
    assert sizes == [(4, 6), (2, 12), (1, 12)]
    sizes.clear()
    monkeypatch.setattr("prompt_kit.inference.onnx_model._CPU_TOKENS", 4)
    predictor.predict(texts[:2], batch_size=32)
    assert sizes == [(1, 12), (1, 12)]  # a text is never cut for it
    sizes.clear()
    monkeypatch.setattr(predictor.models[0], "device", "gpu")
    predictor.predict(texts[:2], batch_size=32)
    assert sizes == [(2, 12)]  # a GPU takes what it is given


@pytest.mark.parametrize(("batch_size", "read"), [(1, 1), (2, 2 * WINDOW)])
def test_stream_reads_a_bounded_window_ahead(predictor, batch_size, read):
    taken = itertools.count()
    endless = (f"球{'新' * (next(taken) % 5)}" for _ in itertools.repeat(None))
    predictions = predictor.predict_stream(endless, batch_size=batch_size)
    assert next(predictions).label == "sports"
    assert next(taken) == read
    assert len(list(itertools.islice(predictions, 3 * WINDOW))) == 3 * WINDOW


def test_no_texts(predictor):
    assert predictor.predict([]) == []


def test_examples_are_taken_too(predictor):
    assert predictor.predict([Example("车")])[0] == predictor.predict(["车"])[0]


def test_special_tokens_in_a_text_are_text(predictor):
    assert predictor.predict(["[MASK][SEP]车"])[0].label == "car"


CALLS = ["predict", "predict_stream", "states", "nearest", "probabilities", "explain", "explain_stream"]


@pytest.mark.parametrize("call", CALLS)
def test_a_table_and_an_array_of_no_column_are_no_texts(predictor, call):
    pandas = pytest.importorskip("pandas")
    tables = (pandas.DataFrame({"text": ["车"], "label": ["car"]}), np.array([["车", "球"]]), np.array("车"))
    for wrong, dimensions in zip(tables, (2, 2, 0)):
        with pytest.raises(ConfigError, match=rf"^{call}: expected one dimension, .* of {dimensions}$"):
            getattr(predictor, call)(wrong)
    for wrong in ({"车": "car"}, {"车"}, None):
        with pytest.raises(ConfigError, match="^expected texts, such as a list of strings, got "):
            getattr(predictor, call)(wrong)


def test_columns_are_taken_whatever_holds_them(predictor):
    pandas = pytest.importorskip("pandas")
    for texts in (pandas.Series(["车", "球"], index=[7, 7]), np.array(["车", "球"]), iter(("车", "球"))):
        assert [one.label for one in predictor.predict(texts)] == ["car", "sports"]


@pytest.mark.parametrize("call", CALLS)
def test_one_text_is_no_list_of_texts(predictor, call):
    with pytest.raises(ConfigError, match=rf"{call} takes a list of texts; for one text write {call}\(\[text\]\)"):
        getattr(predictor, call)("球队")


@pytest.mark.parametrize("call", ["probabilities", "predict", "explain"])
@pytest.mark.parametrize("make", [str, Example])
def test_half_a_surrogate_pair_is_refused_by_every_call(predictor, call, make):
    with pytest.raises(DataError, match=r"^text 2 holds half of a surrogate pair, U\+D83D at 1"):
        getattr(predictor, call)([make("车"), make("车\ud83d")])


def test_probabilities_of_strings_and_of_examples(predictor):
    assert np.array_equal(
        predictor.probabilities(["车", "球"]), predictor.probabilities([Example("车"), Example("球")])
    )


def test_arguments_out_of_range(predictor):
    with pytest.raises(ConfigError, match="top_k 4 exceeds the model's 3 labels"):
        predictor.predict(["球"], top_k=4)
    for name in ("batch_size", "top_k"):
        with pytest.raises(ConfigError, match=name):
            predictor.predict_stream(["球"], **{name: 0})  # at the call, not at the first text


@pytest.mark.parametrize(
    "arguments",
    [
        {"device": "cuda"},
        {"engine": "tensorrt"},
        {"precision": "int4"},
        {"num_threads": 0},
        {"device_id": -1},
        {"max_seq_length": 0},
    ],
)
def test_settings_out_of_range(folder, arguments):
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        Predictor(folder, **arguments)


def test_max_seq_length_may_shorten(engine, folder):
    text = "新" * 9 + "车"
    assert Predictor(folder, device="cpu", engine=engine).predict([text])[0].label == "car"
    short = Predictor(folder, device="cpu", engine=engine, max_seq_length=8).predict([text])[0]
    assert short.score == pytest.approx(1 / 3)  # the 车 at the end is cut off


def test_max_seq_length_never_exceeds(folder):
    with pytest.raises(ConfigError, match="max_seq_length 17 exceeds the exported model's 16"):
        Predictor(folder, max_seq_length=17)


def test_prefix_as_in_paddlenlp(engine, folder, predictor):
    assert Predictor(folder / "model", device="cpu", engine=engine).predict(["股"]) == predictor.predict(["股"])


def test_pickle(predictor):
    again = pickle.loads(pickle.dumps(predictor))  # noqa: S301  our own bytes
    assert again.predict(["球队", "车"], top_k=2) == predictor.predict(["球队", "车"], top_k=2)
    assert (again.engine, again.device, again.precision) == (predictor.engine, "cpu", "fp32")


def test_a_pickle_is_the_arguments(engine, own):
    """No weights and no vocabulary travel; who unpickles it reads the folder as it is then."""
    predictor = Predictor(
        own / "model", "cpu", device_id=3, num_threads=2, precision="fp32", max_seq_length=8, engine=engine
    )
    sent = pickle.dumps(predictor)
    assert len(sent) < 600
    again = pickle.loads(sent)  # noqa: S301  our own bytes
    assert (again.folder, again.device_id, again.num_threads) == (own, 3, 2)
    assert again.prompt_tokenizer.max_seq_length == 8
    (own / "model.onnx").unlink()
    with pytest.raises(BundleError, match="model.onnx is missing"):
        pickle.loads(sent)  # noqa: S301


def test_each_process_has_its_own(predictor):
    """As with Spark's workers: a started process gets the pickle, not the session."""
    texts = ["球队", "车新新", "股票", "队"]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        answers = pool.map(predictor.predict, [[text] for text in texts])
    assert [answer[0].label for answer in answers] == [each.label for each in predictor.predict(texts)]


def test_threads_may_share_one(predictor):
    texts = ["球", "车", "股"] * 5
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: predictor.predict(texts), range(8)))
    assert all(answer == answers[0] for answer in answers)


def test_softmax_survives_huge_logits():
    assert np.allclose(softmax(np.array([[1e4, 1e4, -1e4]], np.float32)), [[0.5, 0.5, 0]])


def test_prediction_cannot_be_changed(predictor):
    with pytest.raises(AttributeError):
        predictor.predict(["球"])[0].label = "car"
    assert isinstance(predictor.predict(["球"])[0], Prediction)


_FORKED = """
import multiprocessing, sys
from prompt_kit.inference.predictor import Predictor
predictor = Predictor(sys.argv[1], device="cpu", num_threads=1, engine=sys.argv[2])
expected = predictor.predict(["球队", "车"])
with multiprocessing.get_context("fork").Pool(1) as pool:
    assert pool.apply_async(predictor.predict, [["球队", "车"]]).get(timeout=60) == expected
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_may_use_it(folder, engine, root):
    """In a process of its own: what threads of other tests' libraries leave locked when it is forked is not ours."""
    done = subprocess.run(
        [sys.executable, "-c", _FORKED, str(folder), engine],
        cwd=root,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


# --- texts that are none, and what comes before them ---


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "text 3: expected a string or an Example, got NoneType: None"),
        (float("nan"), "text 3: expected a string or an Example, got float: nan"),
        ("车".encode(), "text 3: expected a string or an Example, got bytes"),
        (Example(None), "text 3: expected a string or an Example, got NoneType"),
        (Example("车", text_b=7), "text 3: expected a string or an Example, got int: 7"),
        ("", r"text 3 is empty \(''\)"),
        (" \u200b", r"text 3 is empty \(' \\u200b'\)"),
        ("\udcff", r"text 3 holds half of a surrogate pair, U\+DCFF at 0"),
        ("车\ud83d", r"text 3 holds half of a surrogate pair, U\+D83D at 1"),
        (Example("车", text_b="\ud83d"), "text 3 holds half"),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_what_is_no_text_is_named_by_its_place(predictor, text, says, batch_size):
    found = []
    with pytest.raises(DataError, match=f"^{says}"):
        found += [one.label for one in predictor.predict(["车", "球", text, "股"], batch_size)]
    stream = predictor.predict_stream(iter(["车", "球", text, "股"]), batch_size)
    assert [next(stream).label, next(stream).label] == ["car", "sports"]
    with pytest.raises(DataError, match=f"^{says}"):
        next(stream)


def test_a_text_that_the_template_refuses(tmp_path):
    template = "{'text': 'text_a', 'truncate': False}{'hard': '是'}{'mask'}"
    prompt = {**toy_config().prompt, "template": template}
    predictor = Predictor(write_toy_bundle(tmp_path / "export", prompt=prompt), device="cpu")
    stream = predictor.predict_stream(["车", "球", "球" * 99, "股"])
    assert [next(stream).label, next(stream).label] == ["car", "sports"]
    with pytest.raises(DataError, match="^text 3: a text with truncate False has "):
        next(stream)


def test_an_error_of_the_callers_iterator_comes_after_the_answers(predictor):
    def texts():
        yield "车"
        raise KeyError("ours")

    stream = predictor.predict_stream(texts())
    assert next(stream).label == "car"
    with pytest.raises(KeyError, match="ours"):
        next(stream)


@pytest.mark.parametrize("texts", [None, 5, "车"])
def test_no_list_of_texts(predictor, texts):
    with pytest.raises(ConfigError):
        predictor.predict(texts)


def test_whole_numbers_of_numpy(folder):
    predictor = Predictor(folder, "cpu", device_id=np.int32(0), num_threads=np.int64(1), max_seq_length=np.int64(8))
    assert predictor.predict(["车"], batch_size=np.int16(2), top_k=np.int64(2)) == predictor.predict(["车"], 2, 2)
    with pytest.raises(ConfigError, match="top_k must be a whole number of 1 or more, got 1.0"):
        predictor.predict(["车"], top_k=1.0)
    with pytest.raises(ConfigError, match="top_k must be"):
        predictor.predict(["车"], top_k=np.int64(0))


@pytest.mark.parametrize("path", [None, 5, b"/tmp"])
def test_a_path_that_is_none(path):
    with pytest.raises(ConfigError, match="^path: expected the path of an exported folder"):
        Predictor(path)


@pytest.mark.parametrize("texts", [{"车": 1}, {"车", "球"}, frozenset({"车"})])
def test_texts_without_an_order_are_refused(predictor, texts):
    with pytest.raises(ConfigError, match="expected texts, such as a list of strings, got "):
        predictor.predict(texts)
