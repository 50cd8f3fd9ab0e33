"""A request's body -> the texts to label, or a Refusal that says what is wrong with it.

The body is read here and not by FastAPI, so that its size and the time it takes are bounded, and JSON that is nested a
hundred thousand deep is a 400 and no RecursionError.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from starlette.requests import Request

from prompt_kit.data.dataset import Example
from prompt_kit.data.texts import half_character, is_empty
from prompt_kit.serving.limits import Limits
from prompt_kit.serving.refusals import Refusal

_DRAINED = 256 << 20  # bytes of a body that is too large, read on so that the client gets to see the answer


@dataclass(frozen=True)
class Question:
    """What a request asks: the texts, of which model (None: the first), and how many labels of each.

    label  that /explain is to explain; None: the most probable one
    """

    examples: list[Example]
    model: Optional[str] = None
    top_k: int = 1
    label: Optional[str] = None


async def read_body(request: Request, limits: Limits) -> bytes:
    """The whole body. Refusals: 415 for another content type, 413 for too many bytes, 408 for too much time."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(
            415,
            "not_json",
            f"the content type is {kind[:60]!r}; send JSON with the header Content-Type: application/json",
            True,
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "compressed", "the body is compressed; send it as it is", True)
    collected = _Collected()
    try:
        await asyncio.wait_for(_collect(request, limits, collected), limits.seconds)
    except asyncio.TimeoutError:
        if collected.size <= limits.body_bytes:
            raise Refusal(408, "too_slow", f"the body did not arrive within {limits.seconds:g} s", True) from None
    if collected.size > limits.body_bytes:
        most = f"the body has more than {limits.body_bytes} bytes"
        raise Refusal(413, "body_too_large", f"{most}; send the texts in several requests", True)
    return b"".join(collected.chunks)


@dataclass
class _Collected:
    """What has arrived: `size` counts all of it, `chunks` holds it while it is not too much."""

    size: int = 0
    chunks: list[bytes] = field(default_factory=list)


async def _collect(request: Request, limits: Limits, collected: _Collected) -> None:
    declared = request.headers.get("content-length", "")
    waits = "expect" in request.headers  # for our 100 Continue, without which it sends nothing
    if declared.isdecimal() and int(declared) > limits.body_bytes and (waits or int(declared) > _DRAINED):
        collected.size = int(declared)
        return
    while collected.size <= _DRAINED:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Refusal(499, "gone", "the client has gone", True)
        chunk = message.get("body", b"")
        collected.size += len(chunk)
        if collected.size <= limits.body_bytes:
            collected.chunks.append(chunk)
        else:
            collected.chunks.clear()
        if not message.get("more_body"):
            return


def parse_predict(body: bytes, limits: Limits, labels: Callable[[Optional[str]], int]) -> Question:
    """{"texts": [...], "model": "name", "top_k": 3}; `labels` tells how many the model has. Refusals 400, 404 and 422."""
    content = _object(body)
    _only(content, ("texts", "text_pairs", "model", "top_k"))
    name = _name(content, "model", "the name of a model")
    top_k = content.get("top_k", 1)
    most = labels(name)
    if not isinstance(top_k, int) or isinstance(top_k, bool) or not 1 <= top_k <= most:
        raise _wrong("top_k", f"a whole number from 1 to {most}, the model's labels", top_k)
    if "texts" not in content:
        raise Refusal(422, "wrong_shape", 'expected {"texts": ["…"]}, got no "texts"')
    return Question(_examples("texts", content["texts"], "text_pairs", content.get("text_pairs"), limits), name, top_k)


def parse_explain(body: bytes, limits: Limits) -> Question:
    """{"text": "…", "text_pair": "…", "label": "…", "model": "name"}, all but the text optional. Refusals 400 and 422."""
    content = _object(body)
    _only(content, ("text", "text_pair", "label", "model"))
    if "text" not in content:
        raise Refusal(422, "wrong_shape", 'expected {"text": "…"}, got no "text"')
    name, label = _name(content, "model", "the name of a model"), _name(content, "label", "a label of the model")
    texts, pairs = [content["text"]], content.get("text_pair")
    examples = _examples("text", texts, "text_pair", None if pairs is None else [pairs], limits)
    return Question(examples, name, label=label)


def parse_simple_server(body: bytes, limits: Limits) -> Question:
    """PaddleNLP SimpleServer's {"data": {"text": [...] or "…", "text_pair": …}, "parameters": {…}}.

    Its parameters max_seq_len, batch_size and prob_limit are accepted and change nothing: the model has its own length,
    and the service its own batches.
    """
    content = _object(body)
    _only(content, ("data", "parameters"))
    parameters = content.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise _wrong("parameters", "an object", parameters)
    data = content.get("data")
    if not isinstance(data, dict) or "text" not in data:
        raise Refusal(422, "wrong_shape", 'expected {"data": {"text": ["…"]}}, got no "text" in "data"')
    texts, pairs = ([value] if isinstance(value, str) else value for value in (data["text"], data.get("text_pair")))
    return Question(_examples("text", texts, "text_pair", pairs, limits))


def _name(content: Mapping[str, Any], key: str, what: str) -> Optional[str]:
    value = content.get(key)
    if value is not None and not isinstance(value, str):
        raise _wrong(key, what, value)
    return value


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise Refusal(400, "not_utf8", f"the body is not UTF-8 (byte {problem.start}); send JSON in UTF-8") from None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as problem:
        where = f"line {problem.lineno}, column {problem.colno}"
        raise Refusal(400, "not_json", f"the body is not JSON: {problem.msg} at {where}") from None
    except (ValueError, RecursionError):
        raise Refusal(
            400, "not_json", "the body is JSON that cannot be read: nested too deeply, or a number too long"
        ) from None
    if not isinstance(content, dict):
        raise Refusal(422, "wrong_shape", f"expected a JSON object, got {_kind(content)}")
    return content


def _only(content: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in content:
        if key not in known:
            raise Refusal(422, "wrong_shape", f"unknown key {key[:60]!r}, expected {', '.join(known)}")


def _examples(key: str, texts: Any, pair_key: str, pairs: Any, limits: Limits) -> list[Example]:
    _check_texts(key, texts, limits)
    if pairs is None:
        return [Example(text) for text in texts]
    _check_texts(pair_key, pairs, limits)
    if len(pairs) != len(texts):
        raise Refusal(422, "wrong_shape", f"{len(texts)} in {key}, but {len(pairs)} in {pair_key}; send as many")
    return [Example(text, text_b=pair) for text, pair in zip(texts, pairs)]


def _check_texts(key: str, texts: Any, limits: Limits) -> None:
    if not isinstance(texts, list):
        raise _wrong(key, "a list of texts", texts)
    if not texts:
        raise Refusal(422, "no_texts", f"{key} is an empty list; send at least one text")
    if len(texts) > limits.texts:
        raise Refusal(
            422,
            "too_many_texts",
            f"{key} has {len(texts)} texts, at most {limits.texts}; send the rest in another request",
        )
    for number, text in enumerate(texts):
        where = f"{key}[{number}]"
        if not isinstance(text, str):
            raise _wrong(where, "a text", text)
        if len(text) > limits.characters:
            raise Refusal(422, "text_too_long", f"{where} has {len(text)} characters, at most {limits.characters}")
        if half_character(text):
            raise Refusal(422, "broken_text", f"{where} holds half of a surrogate pair (\\ud800 to \\udfff alone)")
        if is_empty(text):
            raise Refusal(422, "empty_text", f"{where} is empty; expected some words")


def _wrong(where: str, expected: str, got: Any) -> Refusal:
    return Refusal(422, "wrong_shape", f"{where}: expected {expected}, got {_kind(got)}")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value:.6g}" if abs(value) < 1e15 else "a huge number"
    return "a string" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"
