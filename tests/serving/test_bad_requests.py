"""Every request of benchmarks/bad_requests.py gets the answer it is owed, and the service lives on as it was."""

from __future__ import annotations

import concurrent.futures
import os
import time

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from scripts import load_script  # noqa: E402
from service import Counting, running  # noqa: E402

LIMITS = {"seconds": 1.0, "texts": 100, "characters": 1000, "body_bytes": 200_000}


def open_files():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files as Linux shows them")
def test_each_gets_what_it_is_owed_and_the_service_lives_on(caplog):
    bad = load_script("benchmarks/bad_requests")
    cases = bad.cases(LIMITS["body_bytes"], LIMITS["texts"], LIMITS["characters"])
    assert len(cases) >= 200
    assert len({case.name for case in cases}) == len(cases)
    with running({"default": Counting(("a", "b", "c"))}, **LIMITS) as client:
        before = open_files()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            results = list(pool.map(lambda case: bad.send(case, client.port, 8.0), cases))
        wrong = [f"{case.name}: {what}" for case, (fine, what) in zip(cases, results) if not fine]
        assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong)
        status, answer = client.post("/predict", {"texts": ["xx"]})
        assert (status, answer["predictions"][0]["label"]) == (200, "c")
        for _ in range(60):
            if open_files() <= before:
                break
            time.sleep(0.1)
        assert open_files() <= before, "connections stay open"
    assert not [record for record in caplog.records if record.exc_info], "an exception was logged"


def test_more_connections_than_there_may_be():
    import socket

    with running({"m": Counting()}, connections=5, seconds=2.0) as client:
        idle = [socket.create_connection(("127.0.0.1", client.port)) for _ in range(5)]
        time.sleep(0.1)
        answer = client.raw(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", wait=3)
        assert answer.startswith(b"HTTP/1.1 503 busy\r\n") and b'"code": "busy"' in answer
        for one in idle:
            one.close()
        time.sleep(0.1)
        assert client.get("/health")[0] == 200
