"""What characters do for a label, on a graph that adds token scores: 球 2 and 队 1 for sports, 车 3, 股 2 and 票 1."""

from __future__ import annotations

import math

import numpy as np
import pytest
from toy_bundle import VOCABULARY, toy_config, write_toy_bundle

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.inference.explanation import explain, log_odds, units_of
from prompt_kit.inference.predictor import Predictor
from prompt_kit.metrics import softmax
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.tokenization import Tokenizer

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return Predictor(write_toy_bundle(tmp_path_factory.mktemp("bundle") / "export"), device="cpu", num_threads=1)


def probability(*logits):
    return softmax(np.array(logits, dtype=float))[0]


def test_effects_are_what_is_lost_without_the_character(predictor):
    (one,) = predictor.explain(["球新队"])
    whole = probability(3, 0, 0)
    assert (one.text, one.label, one.is_cut) == ("球新队", "sports", False)
    assert one.score == pytest.approx(whole, abs=1e-7)
    assert [(effect.text, effect.start) for effect in one.effects] == [("球", 0), ("新", 1), ("队", 2)]
    lost = [whole - probability(1, 0, 0), 0, whole - probability(2, 0, 0)]
    assert [effect.probability for effect in one.effects] == pytest.approx(lost, abs=1e-7)
    # log p / (1 - p) of logits (x, 0, 0) is x - log 2
    assert [effect.log_odds for effect in one.effects] == pytest.approx([2, 0, 1], abs=1e-6)
    assert [effect.text for effect in one.top] == ["球", "队"], "what does nothing is not named"


def test_another_label_and_characters_against_it(predictor):
    (one,) = predictor.explain(["车股"], label="finance")
    assert one.label == "finance" and one.score == pytest.approx(probability(2, 0, 3), abs=1e-7)
    assert one.effects[0].log_odds < 0 < one.effects[1].log_odds
    assert [effect.text for effect in one.top] == ["股"]


def test_top_k_and_the_order_of_many_texts(predictor):
    texts = ["球队", "车", "股票新", ""] * 40  # more than are classified together
    found = predictor.explain(texts, top_k=1, batch_size=7)
    assert [one.text for one in found] == texts
    assert [one.label for one in found[:3]] == ["sports", "car", "finance"]
    assert all(len(one.top) <= 1 for one in found) and found[0].top[0].text == "球"
    assert found[3].effects == () and found[2] == found[-2]


def test_only_what_is_read_has_an_effect(tmp_path):
    """Seven tokens: [CLS] 是 [MASK] [SEP] and three of the text; a character that is left out makes no room for another."""
    for mode, first, named in (("tail", 0, ["球"]), ("head", 3, ["车"])):
        config = toy_config()
        prompt = {**config.prompt, "max_seq_length": 7, "truncate_mode": mode}
        predictor = Predictor(write_toy_bundle(tmp_path / mode, prompt=prompt), device="cpu", num_threads=1)
        (one,) = predictor.explain(["球新 新车新新"])
        assert one.is_cut and one.text == "球新 新车新新"
        assert [effect.start for effect in one.effects] == ([0, 1, 3] if first == 0 else [4, 5, 6])
        assert [effect.text for effect in one.top] == named


def test_words_go_whole():
    assert units_of("iPhone 15 上市，5G") == [("iPhone", 0), ("15", 7), ("上", 10), ("市", 11), ("，", 12), ("5G", 13)]
    assert units_of("a_b\u3000") == [("a", 0), ("_", 1), ("b", 2)]


def test_text_b_stays():
    tokenizer = Tokenizer.from_vocab(VOCABULARY)
    template = Template.parse("{'text': 'text_a'}{'sep'}{'text': 'text_b'}{'mask'}")
    seen = []

    def probabilities(examples):
        seen.extend(examples)
        return np.full((len(examples), 2), 0.5)

    prompt_tokenizer = PromptTokenizer(template, tokenizer, 32)
    (one,) = explain(probabilities, [prompt_tokenizer], ["a", "b"], [Example("球队", None, "车")])
    assert [(each.text_a, each.text_b) for each in seen] == [("球队", "车"), ("队", "车"), ("球", "车")]
    assert one.label == "a" and one.top == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [("球\ud83d队", r"text 2 holds half of a surrogate pair, U\+D83D at 1"), (None, "text 2: expected a string")],
)
def test_what_is_no_text(predictor, text, message):
    with pytest.raises(DataError, match=message):
        predictor.explain(["球", text])


def test_log_odds_are_finite():
    found = log_odds(np.array([0.0, 0.25, 1.0]))
    assert np.isfinite(found).all() and found[1] == pytest.approx(-math.log(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"top_k": 0}, "top_k must be"), ({"label": "x"}, "no label 'x'"), ({"batch_size": 0}, "batch_size must be")],
)
def test_mistakes(predictor, arguments, message):
    with pytest.raises(ConfigError, match=message):
        predictor.explain(["球"], **arguments)


def test_one_text_is_a_mistake(predictor):
    with pytest.raises(ConfigError, match="takes a list of texts"):
        predictor.explain("球")


def test_an_ensemble_is_explained_by_the_mean(tmp_path):
    from prompt_kit.prompt_config import EnsembleConfig, write_prompt_config

    for name in ("member-0", "member-1"):
        write_toy_bundle(tmp_path / "both" / name)
    config = toy_config()
    write_prompt_config(tmp_path / "both", EnsembleConfig({"member-0": 0.5, "member-1": 0.5}, config.labels))
    (one,) = Predictor(tmp_path / "both", device="cpu", num_threads=1).explain(["球新"])
    assert one.label == "sports" and [effect.log_odds for effect in one.effects] == pytest.approx([2, 0], abs=1e-6)
