"""Batches of concurrent requests: their size, their fairness, their order, and what becomes of abandoned ones."""

from __future__ import annotations

import asyncio
import threading

import pytest

pytest.importorskip("fastapi")

from prompt_kit.data.dataset import Example  # noqa: E402
from prompt_kit.serving.batching import Batcher  # noqa: E402
from prompt_kit.serving.refusals import Refusal  # noqa: E402


def examples(prefix, count):
    return [Example(f"{prefix}{number}") for number in range(count)]


class Model:
    """Answers each text with itself in capitals; `open` lets the first batch through."""

    def __init__(self):
        self.batches, self.open = [], threading.Event()
        self.open.set()

    def __call__(self, batch):
        self.open.wait(5)
        self.batches.append([example.text_a for example in batch])
        if any(example.text_a == "x0" for example in batch):
            raise ValueError("x0")
        return [example.text_a.upper() for example in batch]


def run(scenario, batch=4, wait=0.0, waiting=100):
    model = Model()

    async def main():
        batcher = Batcher(model, batch, wait, waiting)
        batcher.start()
        try:
            return await asyncio.wait_for(scenario(batcher, model), 5)
        finally:
            await batcher.stop()

    return asyncio.run(main()), model.batches


def test_requests_share_a_batch_and_get_their_own_answers():
    async def scenario(batcher, model):
        return await asyncio.gather(batcher.submit(examples("a", 1)), batcher.submit(examples("b", 2)))

    answers, batches = run(scenario)
    assert answers == [["A0"], ["B0", "B1"]]
    assert batches == [["a0", "b0", "b1"]]


def test_a_large_request_does_not_hold_up_a_small_one():
    async def scenario(batcher, model):
        large = batcher.submit(examples("a", 10))
        small = batcher.submit(examples("b", 1))
        assert await small == ["B0"] and not large.done()
        return await large

    answer, batches = run(scenario)
    assert answer == [f"A{number}" for number in range(10)]
    assert batches[0] == ["a0", "a1", "b0", "a2"]
    assert all(len(batch) <= 4 for batch in batches)


def test_a_text_waits_for_others_but_no_longer_than_it_may():
    async def scenario(batcher, model):
        first = batcher.submit(examples("a", 1))
        await asyncio.sleep(0.05)
        second = batcher.submit(examples("b", 1))
        return await asyncio.gather(first, second)

    assert run(scenario, wait=0.5)[1] == [["a0", "b0"]]
    assert run(scenario, wait=0.0)[1] == [["a0"], ["b0"]]


def test_a_full_batch_does_not_wait():
    async def scenario(batcher, model):
        return await asyncio.wait_for(batcher.submit(examples("a", 4)), 1)

    assert run(scenario, wait=30)[1] == [["a0", "a1", "a2", "a3"]]


def test_an_abandoned_request_is_not_computed():
    async def scenario(batcher, model):
        model.open.clear()
        first = batcher.submit(examples("a", 4))
        await asyncio.sleep(0.05)
        gone = batcher.submit(examples("b", 8))
        last = batcher.submit(examples("c", 1))
        assert batcher.waiting == 9
        gone.cancel()
        model.open.set()
        await asyncio.gather(first, last)
        return batcher.waiting

    waiting, batches = run(scenario)
    assert waiting == 0 and batches == [["a0", "a1", "a2", "a3"], ["c0"]]


def test_a_batch_that_fails_fails_only_those_at_fault():
    async def scenario(batcher, model):
        return await asyncio.gather(
            batcher.submit(examples("x", 1)), batcher.submit(examples("b", 2)), return_exceptions=True
        )

    (problem, answer), batches = run(scenario)
    assert isinstance(problem, ValueError) and answer == ["B0", "B1"]
    assert batches == [["x0", "b0", "b1"], ["x0"], ["b0", "b1"]]


def test_too_many_waiting_texts_are_refused():
    async def scenario(batcher, model):
        model.open.clear()
        kept = batcher.submit(examples("a", 6))
        with pytest.raises(Refusal) as refused:
            batcher.submit(examples("b", 5))
        model.open.set()
        await kept
        return refused.value

    refusal, _ = run(scenario, waiting=10)
    assert (refusal.status, refusal.code, refusal.headers) == (503, "busy", {"retry-after": "1"})


def test_stopping_refuses_what_waits():
    model = Model()

    async def main():
        batcher = Batcher(model, 4, 0, 100)  # never started
        future = batcher.submit(examples("a", 1))
        await batcher.stop()
        return future.exception()

    assert asyncio.run(main()).code == "stopping"
