"""Requests and their answers, over a real socket."""

from __future__ import annotations

import json
import threading

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from service import Counting, running  # noqa: E402

TOP_K = "top_k: expected a whole number from 1 to 3, the model's labels, got "
TOO_LARGE = "the body has more than 20000 bytes; send the texts in several requests"


@pytest.fixture(scope="module")
def client():
    predictors = {"news": Counting(), "pairs": Counting(("a", "b"), ("text_a", "text_b"))}
    with running(predictors, texts=50, characters=100, body_bytes=20_000) as client:
        yield client


def error(client, path, value, **headers):
    status, answer = client.post(path, value, **headers)
    assert set(answer) == {"error"} and set(answer["error"]) == {"status", "code", "message"}
    assert answer["error"]["status"] == status
    return status, answer["error"]["code"], answer["error"]["message"]


def test_predict(client):
    status, answer = client.post("/predict", {"texts": ["一", "一二", "一二三"], "top_k": 2})
    assert status == 200 and answer["model"] == "news"
    assert [one["label"] for one in answer["predictions"]] == ["one", "two", "zero"]
    assert answer["predictions"][0] == {
        "label": "one", "score": 0.9, "top": [{"label": "one", "score": 0.9}, {"label": "zero", "score": 0.05}]
    }  # fmt: skip


def test_simple_server(client):
    """paddlenlp/server/handlers/cls_post_handler.py answers with label ids and confidences."""
    question = {"data": {"text": ["一", "一二"]}, "parameters": {"max_seq_len": 128, "batch_size": 1}}
    status, answer = client.post("/models/news", question)
    assert status == 200
    assert answer == {"result": {"label": [1, 2], "confidence": [0.9, 0.9], "label_name": ["one", "two"]}}
    assert client.post("/models/news", {"data": {"text": "一"}})[1]["result"]["label"] == [1]
    assert client.post("/models/news", {"data": {"text": ["一"], "text_pair": None}})[0] == 200


def test_a_model_by_name_and_pairs(client):
    question = {"model": "pairs", "texts": ["一"], "text_pairs": ["二"]}
    assert client.post("/predict", question)[1]["predictions"][0]["label"] == "b"
    assert client.post("/models/pairs", {"data": {"text": "一二", "text_pair": "二"}})[1]["result"]["label"] == [0]
    assert error(client, "/predict", {"model": "pairs", "texts": ["一"]})[:2] == (422, "no_pairs")
    assert error(client, "/predict", {"texts": ["一"], "text_pairs": ["二"]})[:2] == (422, "wrong_shape")
    assert error(client, "/predict", {**question, "text_pairs": ["二", "三"]})[2] == (
        "1 in texts, but 2 in text_pairs; send as many"
    )


def test_what_is_there(client):
    found = json.loads(client.get("/models")[2])
    assert [one["name"] for one in found["models"]] == ["news", "pairs"]
    assert found["models"][0]["labels"] == ["zero", "one", "two"]
    assert found["limits"] == {"texts": 50, "characters": 100, "body_bytes": 20_000}
    assert json.loads(client.get("/health")[2])["status"] == "ok"
    assert json.loads(client.get("/ready")[2]) == {"status": "ready"}
    status, headers, body = client.request("HEAD", "/health")
    assert (status, body) == (200, b"") and int(headers["content-length"]) > 0


def test_metrics_count_by_route_and_never_by_what_was_typed(client):
    client.post("/predict", {"texts": ["一"] * 3})
    client.get("/no/such/page")
    status, headers, body = client.get("/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain")
    lines = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))
    assert float(lines['prompt_kit_requests_total{path="/predict",status="200"}']) >= 1
    assert float(lines['prompt_kit_requests_total{path="other",status="404"}']) >= 1
    assert float(lines['prompt_kit_texts_total{model="news"}']) >= 3
    assert lines['prompt_kit_waiting_texts{model="news"}'] == "0.0"
    assert "no/such" not in body.decode()


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_pages_need_nothing_from_elsewhere(client, path):
    status, headers, body = client.get(path)
    page = body.decode()
    assert status == 200 and headers["content-type"] == "text/html; charset=utf-8"
    assert (
        "default-src 'none'" in headers["content-security-policy"]
        and "unsafe" not in headers["content-security-policy"]
    )
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert "src=" not in page and "@import" not in page and "http://" not in page.replace("http://127.0.0.1:8189", "")
    assert "https://" not in page


def test_docs_show_every_path_with_a_command(client):
    page = client.get("/docs")[2].decode()
    for path in json.loads(client.get("/openapi.json")[2])["paths"]:
        assert f" {path}</code></h2>" in page
    assert "curl http://127.0.0.1:8189/predict" in page


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        (b"{", 400, "not_json", "the body is not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        ("今".encode("gbk"), 400, "not_utf8", "the body is not UTF-8 (byte 0); send JSON in UTF-8"),
        (b"[" * 9000, 400, "not_json", "the body is JSON that cannot be read: nested too deeply, or a number too long"),
        ([], 422, "wrong_shape", "expected a JSON object, got a list"),
        ({}, 422, "wrong_shape", 'expected {"texts": ["…"]}, got no "texts"'),
        ({"text": ["一"]}, 422, "wrong_shape", "unknown key 'text', expected texts, text_pairs, model, top_k"),
        ({"texts": "一"}, 422, "wrong_shape", "texts: expected a list of texts, got a string"),
        ({"texts": ["一", None]}, 422, "wrong_shape", "texts[1]: expected a text, got null"),
        ({"texts": []}, 422, "no_texts", "texts is an empty list; send at least one text"),
        ({"texts": ["一"] * 51}, 422, "too_many_texts", "texts has 51 texts, at most 50; send the rest in another request"),
        ({"texts": ["一" * 101]}, 422, "text_too_long", "texts[0] has 101 characters, at most 100"),
        ({"texts": ["一", "\u200b "]}, 422, "empty_text", "texts[1] is empty; expected some words"),
        (b'{"texts": ["\\ud83d"]}', 422, "broken_text", "texts[0] holds half of a surrogate pair (\\ud800 to \\udfff alone)"),
        ({"texts": ["一"], "top_k": 4}, 422, "wrong_shape", TOP_K + "the number 4"),
        ({"texts": ["一"], "top_k": True}, 422, "wrong_shape", TOP_K + "true"),
        ({"texts": ["一"], "model": "x"}, 404, "no_such_model", "no model is called 'x'; there is: news, pairs"),
        ({"texts": ["一" * 30_000]}, 413, "body_too_large", TOO_LARGE),
    ],
)  # fmt: skip
def test_refusals_of_predict(client, body, status, code, message):
    assert error(client, "/predict", body) == (status, code, message)


def test_refusals_of_simple_server(client):
    assert error(client, "/models/x", {"data": {"text": ["一"]}})[:2] == (404, "no_such_model")
    assert (
        error(client, "/models/news", {"data": ["一"]})[2]
        == 'expected {"data": {"text": ["…"]}}, got no "text" in "data"'
    )
    assert (
        error(client, "/models/news", {"data": {"text": "一"}, "parameters": 5})[2]
        == "parameters: expected an object, got the number 5"
    )
    assert (
        error(client, "/models/news", {"data": {"text": "一"}, "x": 1})[2]
        == "unknown key 'x', expected data, parameters"
    )


def test_only_json_which_no_form_of_another_site_can_send(client):
    found = error(client, "/predict", {"texts": ["一"]}, **{"Content-Type": "text/plain"})
    assert found[:2] == (415, "not_json") and "Content-Type: application/json" in found[2]
    assert error(client, "/predict", {"texts": ["一"]}, **{"Content-Encoding": "gzip"})[:2] == (415, "compressed")


def test_the_router_speaks_json_too(client):
    status, _, body = client.get("/x")
    assert (status, json.loads(body)["error"]["code"]) == (404, "not_found")
    status, headers, body = client.request("DELETE", "/predict")
    assert (status, json.loads(body)["error"]["code"], headers["allow"]) == (405, "method_not_allowed", "POST")


def test_a_model_that_breaks_fails_only_the_request_at_fault():
    predictor = Counting(delay=0.05)
    with running({"m": predictor}, wait_ms=100, batch=8) as client:
        found = {}

        def ask(text):
            found[text] = client.post("/predict", {"texts": [text]})

        threads = [threading.Thread(target=ask, args=(text,)) for text in ("好", "boom", "好好")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found["好"][0] == found["好好"][0] == 200
        assert found["boom"][0] == 500 and found["boom"][1]["error"]["code"] == "internal"
        assert client.post("/predict", {"texts": ["好"]})[0] == 200


def test_an_answer_that_takes_too_long_and_a_full_queue():
    with running({"m": Counting(delay=0.6)}, seconds=0.3, texts=2, waiting=2, batch=2) as client:
        assert error(client, "/predict", {"texts": ["一"]})[:2] == (504, "too_slow")
        found = []

        def ask():
            found.append(client.post("/predict", {"texts": ["一", "二"]})[1]["error"]["code"])

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(found) == {"too_slow", "busy"}
