"""Counting physical cores, on made-up machines."""

from __future__ import annotations

import io

import pytest

from prompt_kit.inference import cores
from prompt_kit.inference.cores import physical_cores


def machine(monkeypatch, allowed, siblings):
    """A Linux machine whose CPUs have these hyper-thread siblings; this process may use `allowed`."""
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda pid: set(allowed), raising=False)

    def open_topology(path, encoding):
        cpu = int(path.partition("/cpu/cpu")[2].partition("/")[0])
        if cpu not in siblings:
            raise FileNotFoundError(path)
        return io.StringIO(siblings[cpu] + "\n")

    monkeypatch.setattr(cores, "open", open_topology, raising=False)


HYPERTHREADS = {0: "0,4", 1: "1,5", 2: "2,6", 3: "3,7", 4: "0,4", 5: "1,5", 6: "2,6", 7: "3,7"}


@pytest.mark.parametrize(
    ("allowed", "expected"), [(range(8), 4), ([0, 4], 1), ([0, 1], 2), ([0, 1, 5, 7], 3), ([6], 1)]
)
def test_hyper_threads_of_one_core_count_once(monkeypatch, allowed, expected):
    machine(monkeypatch, allowed, HYPERTHREADS)
    assert physical_cores() == expected


def test_cpus_count_where_the_topology_cannot_be_read(monkeypatch):
    machine(monkeypatch, range(6), {0: "0"})
    assert physical_cores() == 6


@pytest.mark.parametrize(("count", "expected"), [(3, 3), (None, 1)])
def test_machines_without_affinity(monkeypatch, count, expected):
    monkeypatch.delattr(cores.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(cores.os, "cpu_count", lambda: count)
    monkeypatch.setattr(cores, "open", lambda *args, **kwargs: open("/no/such/topology"), raising=False)
    assert physical_cores() == expected


def test_this_machine():
    assert physical_cores() >= 1
