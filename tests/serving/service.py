"""A real service on a free port of this machine, in a thread, over predictors that need no model."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from types import SimpleNamespace

import numpy as np

from prompt_kit.prompt.task import ONE_LABEL
from prompt_kit.serving.app import create_app
from prompt_kit.serving.limits import Limits
from prompt_kit.serving.server import Server, bind


class Counting:
    """A predictor whose answer can be told from the text: its length modulo the number of labels, with 0.9."""

    device, precision = "cpu", "fp32"

    def __init__(self, labels=("zero", "one", "two"), fields=("text_a",), delay=0.0, task=ONE_LABEL):
        self.decision = task
        self.labels, self.delay, self.batches = list(labels), delay, []
        template = SimpleNamespace(fields=fields)
        self.models = [SimpleNamespace(prompt_tokenizer=SimpleNamespace(template=template))]

    def probabilities(self, examples, batch_size=32):
        self.batches.append([example.text_a for example in examples])
        time.sleep(self.delay)
        if any("boom" in example.text_a for example in examples):
            raise RuntimeError("the model broke")
        rows = np.full((len(examples), len(self.labels)), 0.1 / (len(self.labels) - 1))
        for row, example in zip(rows, examples):
            row[len(example.text_a) % len(self.labels)] = 0.9
        return rows


@contextlib.contextmanager
def running(predictors, **limits):
    """Yield a Client of a service that is stopped at the end; it must come to an end by itself."""
    bounds = Limits(**limits)
    listener = bind("127.0.0.1", 0)
    server = Server(lambda stopping: create_app(predictors, bounds, stopping), bounds)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    client = Client(listener.getsockname()[1], server)
    for _ in range(200):
        with contextlib.suppress(OSError):
            if client.get("/health")[0] == 200:
                break
        time.sleep(0.02)
    try:
        yield client
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the service did not stop"


class Client:
    def __init__(self, port, server):
        self.port, self.server = port, server

    def request(self, method, path, body=None, headers=()):
        """(status, headers, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, value, **headers):
        """(status, parsed JSON) of `value` sent as JSON, or as it is when it is bytes."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        status, _, answer = self.request("POST", path, body, {"Content-Type": "application/json", **headers})
        return status, json.loads(answer)

    def raw(self, data, wait=10.0, close_writing=False):
        """What comes back for `data` until the service closes the connection or `wait` seconds are over."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            with contextlib.suppress(OSError):  # the service may have refused before all was sent
                connection.sendall(data)
                if close_writing:
                    connection.shutdown(socket.SHUT_WR)
            found = b""
            with contextlib.suppress(OSError):
                while chunk := connection.recv(65536):
                    found += chunk
            return found
