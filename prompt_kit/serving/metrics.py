"""What GET /metrics tells, in Prometheus' text format, by prometheus_client."""

from __future__ import annotations

from typing import Callable, Protocol

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Queue(Protocol):
    waiting: int


class Metrics:
    """Counters of one service, in a registry of their own, so that two services in a process do not mix."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "prompt_kit_requests", "Answered requests", ["path", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "prompt_kit_request_seconds",
            "From a request's headers to the end of its answer",
            ["path"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._texts = Counter("prompt_kit_texts", "Texts that were labelled", ["model"], registry=self._registry)
        self._batch = Histogram(
            "prompt_kit_batch_texts",
            "Texts that went through a model together",
            ["model"],
            buckets=_SIZES,
            registry=self._registry,
        )
        self._waiting = Gauge(
            "prompt_kit_waiting_texts", "Texts that wait for a model", ["model"], registry=self._registry
        )

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count an answer. `path` is a route, never what a stranger typed: its values must stay few."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def labelled(self, model: str, texts: int) -> None:
        self._texts.labels(model).inc(texts)

    def batches(self, model: str) -> Callable[[int], None]:
        """What is called with the size of each batch of `model`."""
        return self._batch.labels(model).observe

    def watch(self, model: str, queue: Queue) -> None:
        """Tell how many texts wait in `queue`, at the moment when it is asked."""
        self._waiting.labels(model).set_function(lambda: queue.waiting)

    def text(self) -> bytes:
        return generate_latest(self._registry)
