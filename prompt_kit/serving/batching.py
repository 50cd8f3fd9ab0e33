"""Texts of concurrent requests -> batches of one model, which runs in a thread of its own.

A request with many texts does not hold up the others: each waiting request has its share of every batch, in turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

import numpy as np

from prompt_kit.data.dataset import Example
from prompt_kit.serving.refusals import Refusal

Answers = Union[Sequence[Any], np.ndarray]  # a result, or a row, of each example
Answer = Callable[[list[Example]], Answers]


@dataclass
class _Job:
    """A request's texts, what has been taken of them and the answers that are there."""

    examples: Sequence[Example]
    future: asyncio.Future
    taken: int = 0
    answers: list[Any] = field(default_factory=list)


class Batcher:
    """Collects texts and calls `answer` with at most `batch` of them at a time, in one thread.

    wait      seconds that the first text waits for others when the model is idle
    waiting   texts that may wait; beyond that `submit` refuses with 503
    observe   is called with the size of each batch
    """

    def __init__(
        self,
        answer: Answer,
        batch: int,
        wait: float,
        waiting: int,
        observe: Callable[[int], None] = lambda size: None,
    ):
        self._answer, self._batch, self._wait, self._most, self._observe = answer, batch, wait, waiting, observe
        self._jobs: deque[_Job] = deque()
        self._arrived = asyncio.Event()
        self._enough = asyncio.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._task: Optional[asyncio.Task] = None
        self.waiting = 0  # texts that no batch has taken yet

    def start(self) -> None:
        """Begin to answer; inside the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Refuse what still waits, and end the thread once its batch is through."""
        if self._task is not None:
            self._task.cancel()
        while self._jobs:
            job = self._jobs.popleft()
            if not job.future.done():
                job.future.set_exception(Refusal(503, "stopping", "the service is being stopped", close=True))
        await asyncio.get_running_loop().run_in_executor(None, self._executor.shutdown)

    def submit(self, examples: Sequence[Example]) -> asyncio.Future:
        """A future of the answers, in order; cancel it when nobody waits for them. Refusal 503 when too many wait."""
        if self.waiting + len(examples) > self._most:
            raise Refusal(503, "busy", f"{self.waiting} texts are waiting; try again in a second", retry_after=1)
        future = asyncio.get_running_loop().create_future()
        self._jobs.append(_Job(examples, future))
        self.waiting += len(examples)
        self._arrived.set()
        if self.waiting >= self._batch:
            self._enough.set()
        return future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            await self._gather()
            batch = self._take()
            if not batch:
                continue
            examples = [example for _, part in batch for example in part]
            self._observe(len(examples))
            try:
                answers: Answers = await loop.run_in_executor(self._executor, self._answer, examples)
            except Exception as problem:
                await self._one_by_one(batch, problem)
                continue
            place = 0
            for job, part in batch:
                self._deliver(job, answers[place : place + len(part)])
                place += len(part)

    async def _gather(self) -> None:
        """Let others join a batch that is not full, for as long as a text may wait."""
        if self._wait <= 0 or self.waiting >= self._batch:
            return
        self._enough.clear()
        try:
            await asyncio.wait_for(self._enough.wait(), self._wait)
        except asyncio.TimeoutError:
            pass

    def _take(self) -> list[tuple[_Job, Sequence[Example]]]:
        """A share of each waiting job, in turn, until the batch is full; those whose requests have gone are dropped."""
        batch: list[tuple[_Job, Sequence[Example]]] = []
        room = self._batch
        while self._jobs and room:
            job = self._jobs.popleft()
            left = len(job.examples) - job.taken
            if job.future.done():
                self.waiting -= left
                continue
            share = min(left, max(1, room // (len(self._jobs) + 1)))
            batch.append((job, job.examples[job.taken : job.taken + share]))
            job.taken += share
            room -= share
            self.waiting -= share
            if share < left:
                self._jobs.append(job)
        if not self._jobs:
            self._arrived.clear()
        return batch

    async def _one_by_one(self, batch: list[tuple[_Job, Sequence[Example]]], problem: Exception) -> None:
        """A batch that failed: each request's part alone, so that only the one at fault fails."""
        loop = asyncio.get_running_loop()
        for job, part in batch:
            if len(batch) > 1:
                try:
                    self._deliver(job, await loop.run_in_executor(self._executor, self._answer, list(part)))
                    continue
                except Exception as own:
                    problem = own
            self._fail(job, problem)

    def _fail(self, job: _Job, problem: Exception) -> None:
        if not job.future.done():
            job.future.set_exception(problem)

    def _deliver(self, job: _Job, answers: Answers) -> None:
        job.answers.extend(answers)
        if len(job.answers) == len(job.examples) and not job.future.done():
            job.future.set_result(job.answers)
