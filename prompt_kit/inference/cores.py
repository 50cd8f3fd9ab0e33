"""How many physical cores this process may use."""

from __future__ import annotations

import os


def physical_cores() -> int:
    """Physical cores among the CPUs this process is allowed on; hyper-threads of one core count once.

    Falls back to the number of allowed CPUs where the topology cannot be read (anything but Linux).
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    cores = set()
    for cpu in allowed:
        try:
            with open(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", encoding="utf-8") as file:
                cores.add(file.read().strip())
        except OSError:
            return max(1, len(allowed))
    return max(1, len(cores))
