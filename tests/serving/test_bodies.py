"""What a body asks, and what is refused in it, with the code that a program goes by."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("starlette")

from prompt_kit.data.dataset import Example  # noqa: E402
from prompt_kit.serving.bodies import Question, parse_explain, parse_predict, parse_simple_server  # noqa: E402
from prompt_kit.serving.limits import Limits  # noqa: E402
from prompt_kit.serving.refusals import Refusal  # noqa: E402

LIMITS = Limits(texts=2, characters=3, waiting=2)


def predict(content) -> Question:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return parse_predict(body, LIMITS, lambda name: 2 if name is None else 5)


def test_what_is_asked():
    assert predict({"texts": ["甲", "乙"]}) == Question([Example("甲"), Example("乙")])
    pair = {"texts": ["甲"], "text_pairs": ["乙"], "model": "m", "top_k": 5}
    assert predict(pair) == Question([Example("甲", text_b="乙")], "m", 5)
    assert predict(b'\xef\xbb\xbf{"texts": ["a"]}') == Question([Example("a")])
    body = json.dumps({"text": "甲", "text_pair": "乙", "label": "a", "model": "m"}).encode()
    assert parse_explain(body, LIMITS) == Question([Example("甲", text_b="乙")], "m", label="a")


def test_paddlenlps_simple_server_takes_a_text_or_a_list():
    for text in ("甲", ["甲"]):
        body = json.dumps({"data": {"text": text}, "parameters": {"batch_size": 1}}).encode()
        assert parse_simple_server(body, LIMITS) == Question([Example("甲")])


@pytest.mark.parametrize(
    ("content", "status", "code", "said"),
    [
        (b"\xff", 400, "not_utf8", "the body is not UTF-8 (byte 0)"),
        (b'{"a": 1,\n}', 400, "not_json", "at line 2, column 1"),
        (b"[" * 200_000, 400, "not_json", "nested too deeply"),
        ([], 422, "wrong_shape", "expected a JSON object, got a list"),
        ({}, 422, "wrong_shape", 'got no "texts"'),
        ({"texts": ["a"], "k": 1}, 422, "wrong_shape", "unknown key 'k', expected texts, text_pairs, model, top_k"),
        ({"texts": "a"}, 422, "wrong_shape", "texts: expected a list of texts, got a string"),
        ({"texts": []}, 422, "no_texts", "texts is an empty list"),
        ({"texts": ["a"] * 3}, 422, "too_many_texts", "texts has 3 texts, at most 2"),
        ({"texts": ["a", None]}, 422, "wrong_shape", "texts[1]: expected a text, got null"),
        ({"texts": ["abcd"]}, 422, "text_too_long", "texts[0] has 4 characters, at most 3"),
        ({"texts": ["题\ud83d"]}, 422, "broken_text", "texts[0] holds half of a surrogate pair"),
        ({"texts": ["a", " \u200b"]}, 422, "empty_text", "texts[1] is empty"),
        ({"texts": ["a", "b"], "text_pairs": ["c"]}, 422, "wrong_shape", "2 in texts, but 1 in text_pairs"),
        ({"texts": ["a"], "top_k": 3}, 422, "wrong_shape", "a whole number from 1 to 2, the model's labels, got the number 3"),
        ({"texts": ["a"], "top_k": True}, 422, "wrong_shape", "got true"),
        ({"texts": ["a"], "model": 10**20}, 422, "wrong_shape", "model: expected the name of a model, got a huge number"),
    ],
)  # fmt: skip
def test_what_is_refused(content, status, code, said):
    with pytest.raises(Refusal) as caught:
        predict(content)
    assert (caught.value.status, caught.value.code) == (status, code) and said in caught.value.message
