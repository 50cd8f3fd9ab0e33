"""What strangers send to a service: over 200 requests that are wrong, hostile, slow or cut off, and what each is owed.

Used by tests/serving/test_bad_requests.py and by serve_load.py. Everything goes to an address of this machine, and ends
by itself.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

WRONG_VALUES = (
    None,
    True,
    0,
    -1,
    1.5,
    1e300,
    "",
    "文",
    [],
    {},
    [[]],
    [None],
    [1],
    [True],
    [{}],
    [""],
    [" "],
    ["\u200b"],
    [["文"]],
)

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@dataclass(frozen=True)
class Case:
    """A request: bytes for a connection of its own.

    statuses  which answers are right; empty when none is owed, because the client leaves first
    drip      seconds between bytes that are sent one by one; None: all at once
    leave     the client closes: "end" after sending, "reset" without waiting for anything to be taken
    reads     False: it never reads, so that nothing but the service's own bounds gets rid of it
    """

    name: str
    data: bytes
    statuses: tuple[int, ...]
    drip: Optional[float] = None
    leave: str = ""
    reads: bool = True


def post(path: str, body: bytes, *headers: str, length: Optional[int] = None) -> bytes:
    """A POST with JSON's content type."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body


def cases(body_bytes: int, texts: int, characters: int, model: str = "default") -> list[Case]:
    """All of them, for a service with these limits and a model of that name. No request is one that should succeed."""
    return [
        *_wrong_types(model),
        *_broken_json(model),
        *_too_much(body_bytes, texts, characters),
        *_wrong_http(),
        *_slow_and_cut(body_bytes),
    ]


def send(case: Case, port: int, wait: float) -> tuple[bool, str]:
    """(whether the service did right, what it did). The answer must come, whole, within `wait` seconds."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
            _write(connection, case, wait)
            if case.leave == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if case.leave or not case.reads:
                if not case.reads:
                    time.sleep(wait / 2)
                return True, "left"
            answer = _read(connection, wait, body=not case.data.startswith(b"HEAD"))
    except OSError as problem:
        return False, f"no answer: {problem}"
    return _judge(case, answer)


def _write(connection: socket.socket, case: Case, wait: float) -> None:
    end = time.monotonic() + wait
    if case.drip is None:
        try:
            connection.sendall(case.data)
        except OSError:
            pass  # refused before all was sent; what it says is read next
        return
    connection.settimeout(case.drip)
    for place in range(len(case.data)):
        try:
            connection.sendall(case.data[place : place + 1])
            if connection.recv(1, socket.MSG_PEEK):
                break  # it has answered
        except (socket.timeout, TimeoutError):
            pass
        except OSError:
            break
        if time.monotonic() > end:
            break
    connection.settimeout(wait)


def _read(connection: socket.socket, wait: float, body: bool) -> bytes:
    """One answer, by its Content-Length where it has a body, or what there is when the connection ends."""
    found = b""
    end = time.monotonic() + wait
    while time.monotonic() < end:
        head, mark, rest = found.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if mark and (not body or (length and len(rest) >= int(length[1]))):
            break
        chunk = connection.recv(65536)
        if not chunk:
            break
        found += chunk
    return found


def _judge(case: Case, answer: bytes) -> tuple[bool, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    if length := _LENGTH.search(head):
        body = body[: int(length[1])]  # what follows answers what followed
    try:
        status = int(head.split(b" ", 2)[1])
    except (IndexError, ValueError):
        return False, f"no HTTP answer: {answer[:80]!r}"
    if status not in case.statuses:
        return False, f"status {status}, expected {case.statuses}: {body[:200]!r}"
    if status >= 400 and not case.data.startswith(b"HEAD"):
        try:
            error = json.loads(body)["error"]
        except (ValueError, KeyError, TypeError):
            return False, f"not an error in JSON: {body[:200]!r}"
        if error["status"] != status or not error["code"] or not error["message"] or len(body) > 1000:
            return False, f"not an error of the one shape: {body[:200]!r}"
    return True, str(status)


def _wrong_types(model: str) -> Iterator[Case]:
    for value in WRONG_VALUES:
        shown = json.dumps(value)
        bodies = {
            "the whole body": ("/predict", value),
            "texts": ("/predict", {"texts": value}),
            "data": (f"/models/{model}", {"data": value}),
            "data.text": (f"/models/{model}", {"data": {"text": value}}),
            "text_pair": (f"/models/{model}", {"data": {"text": ["文"], "text_pair": value}}),
            "parameters": (f"/models/{model}", {"data": {"text": ["文"]}, "parameters": value}),
            "model": ("/predict", {"texts": ["文"], "model": value}),
            "top_k": ("/predict", {"texts": ["文"], "top_k": value}),
            "text to explain": ("/explain", {"text": value, "model": "no such model"}),
            "label to explain": ("/explain", {"text": "文", "label": value, "model": "no such model"}),
        }
        for place, (path, body) in bodies.items():
            good = (
                (place == "data.text" and value == "文")
                or (place in ("text_pair", "model", "parameters") and value is None)
                or (place == "parameters" and value == {})
            )
            yield Case(f"{place} is {shown}", post(path, json.dumps(body).encode()), (200,) if good else (404, 422))


def _broken_json(model: str) -> Iterator[Case]:
    bodies = {
        "empty": b"",
        "blank": b" \r\n",
        "cut": b'{"texts": ["\xe6\x96',
        "cut at a character": '{"texts": ["文'.encode(),
        "single quotes": b"{'texts': ['x']}",
        "a comma too many": b'{"texts": ["x",]}',
        "two objects": b'{"texts": ["x"]} {"texts": ["y"]}',
        "a comment": b'{"texts": ["x"]} // see',
        "NUL bytes": b"\x00" * 100,
        "random bytes": bytes(range(256)) * 4,
        "GBK": '{"texts": ["今晚国足"]}'.encode("gbk"),
        "UTF-16": '{"texts": ["今晚国足"]}'.encode("utf-16"),
        "overlong UTF-8": b'{"texts": ["\xc0\xaf"]}',
        "a surrogate in UTF-8": b'{"texts": ["\xed\xa0\xbd"]}',
        "half a surrogate pair": b'{"texts": ["\\ud83d"]}',
        "a control character": b'{"texts": ["a\x01b"]}',
        "NaN": b'{"texts": [NaN]}',
        "infinity": b'{"texts": ["x"], "top_k": Infinity}',
        "a number of 100,000 digits": b'{"texts": ["x"], "top_k": ' + b"9" * 100_000 + b"}",
        "100,000 brackets": b"[" * 100_000,
        "100,000 brackets, closed": b"[" * 50_000 + b"]" * 50_000,
        "50,000 objects in each other": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        "deep inside texts": b'{"texts": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        "20,000 keys": json.dumps({f"k{number}": 1 for number in range(20_000)}).encode(),
        "XML": b"<?xml version='1.0'?><texts><text>x</text></texts>",
        "a pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
        "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    }
    for name, body in bodies.items():
        for path in ("/predict", f"/models/{model}", "/explain"):
            yield Case(f"{name} to {path}", post(path, body), (400, 413, 422))


def _too_much(body_bytes: int, texts: int, characters: int) -> Iterator[Case]:
    long_text = json.dumps({"texts": ["x" * (characters + 1)]}).encode()
    many = json.dumps({"texts": ["x"] * (texts + 1)}).encode()
    million = b'{"texts": [' + b'"x",' * 999_999 + b'"x"]}'
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    chunked = (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    yield Case("a text too long", post("/predict", long_text), (413, 422))
    yield Case("a text too many", post("/predict", many), (413, 422))
    yield Case("a million texts", post("/predict", million), (413, 422))
    yield Case("a million lines that are no JSON", post("/predict", b"x\n" * 1_000_000), (400, 413))
    yield Case(
        "a million lines in one text", post("/predict", b'{"texts": ["' + b"x\\n" * 1_000_000 + b'"]}'), (413, 422)
    )
    yield Case("a body a byte too large", post("/predict", b" " * (body_bytes + 1)), (413,))
    yield Case("twice what it may have", post("/predict", b" " * (2 * body_bytes)), (413,))
    yield Case("a terabyte, declared", post("/predict", b"x", length=1 << 40), (413,))
    yield Case("more than a body can be, declared", post("/predict", b"x", length=10**30), (400, 413))
    yield Case("a large body, asked for first", post("/predict", b"", "Expect: 100-continue", length=32 << 20), (413,))
    yield Case("chunks without end", chunked + chunk * (2 + body_bytes // 0x10000) + b"0\r\n\r\n", (413,))
    yield Case("a key of 100 kB", post("/predict", json.dumps({"k" * 100_000: 1}).encode()), (413, 422))
    long_name = json.dumps({"texts": ["x"], "model": "m" * 100_000}).encode()
    yield Case("a model's name of 100 kB", post("/predict", long_name), (404, 413))


def _wrong_http() -> Iterator[Case]:
    body = b'{"texts": ["x"]}'
    yield Case("an unknown path", b"GET /admin HTTP/1.1\r\nHost: x\r\n\r\n", (404,))
    for path in (
        "/../etc/passwd",
        "/static/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/models/%00",
        "/models/",
        "//",
        "/%",
    ):
        yield Case(f"the path {path}", f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), (400, 404, 405))
    for path in ("/models/../predict", "/models/nope", "/models/" + "x" * 2000, "/models/%E6%96%87", "/models/%ff%fe"):
        yield Case(f"POST {path[:40]}", post(path, b'{"data": {"text": ["x"]}}'), (404,))
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "HEAD"):
        yield Case(f"{method} /predict", f"{method} /predict HTTP/1.1\r\nHost: x\r\n\r\n".encode(), (405,))
    yield Case("CONNECT", b"CONNECT example:443 HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404, 405))
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/jsonx",
    ):
        head = (
            f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        yield Case(f"content type {kind!r}", head + body, (415,))
    yield Case("compressed", post("/predict", body, "Content-Encoding: gzip"), (415,))
    tolerated = (
        "a header without end",
        "10,000 headers",
        "version 9",
    )  # when they come in one piece, they are short enough
    garbage = {
        "binary": bytes(range(256)) * 8,
        "NUL bytes": b"\x00" * 1000,
        "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "SSH": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "a line without end": b"G" * 100_000,
        "a path without end": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        "a header without end": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        "10,000 headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 10_000 + b"\r\n",
        "no version": b"GET /\r\n\r\n",
        "version 9": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        "no host": b"GET / HTTP/1.1\r\n\r\n",
        "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "a header without a colon": b"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
        "a space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "a folded first header": b"GET / HTTP/1.1\r\n folded: x\r\n\r\n",
        "a NUL in a header": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        "a path that is not ASCII": "GET /文 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        "a length below zero": post("/predict", b"x", length=-1),
        "a length in words": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
        "two lengths": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "an unknown transfer": b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: magic\r\n\r\n",
        "a chunk of no size": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\nxx\r\n0\r\n\r\n",
        "a chunk of a huge size": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 100 + b"\r\n",
    }
    for name, data in garbage.items():
        yield Case(name, data, (200, 400, 404, 501) if name in tolerated else (400, 404, 501))
    smuggled = post("/predict", b"0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n", "Transfer-Encoding: chunked", length=5)
    yield Case("a length and chunks at once", smuggled, (400, 422))
    yield Case(
        "a web socket",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        (200, 400, 426),
    )


def _slow_and_cut(body_bytes: int) -> Iterator[Case]:
    whole = post("/predict", b'{"texts": ["x"]}')
    head = post("/predict", b"", length=1000)
    yield Case("nothing at all", b"", (408,))
    yield Case("half a request line", b"POST /pre", (408,))
    yield Case("headers that never end", b"GET / HTTP/1.1\r\nHost: x\r\n", (408,))
    yield Case("a header, a byte at a time", b"GET / HTTP/1.1\r\nX: " + b"a" * 200, (408,), drip=0.05)
    yield Case("a body that never comes", head, (408,))
    yield Case("half a body", head + b'{"texts": [', (408,))
    yield Case("a body, a byte at a time", head + b" " * 200, (408,), drip=0.05)
    chunked = (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    yield Case("chunks, a byte at a time", chunked + b"1\r\nx\r\n" * 100, (408,), drip=0.05)
    yield Case("a slow second request", b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n" + b"GET / HT", (404,))
    for name, data in {
        "nothing": b"",
        "half a request line": b"POST /pre",
        "half the headers": b"POST /predict HTTP/1.1\r\nHost",
        "the headers alone": head,
        "half a body": head + b'{"texts"',
        "a whole request": whole,
        "many requests at once": whole * 50,
        "half a large body": post("/predict", b" " * (body_bytes // 2), length=body_bytes),
    }.items():
        yield Case(f"leaves after {name}", data, (), leave="end")
        yield Case(f"resets after {name}", data, (), leave="reset")
    yield Case("never reads the answers", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2000, (), reads=False)
