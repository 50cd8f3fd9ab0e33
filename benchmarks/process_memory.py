"""The memory of a process, from Linux's /proc.

`ru_maxrss` of a child starts at what its parent had when it was started, whatever the child itself needs;
`VmHWM` begins anew with the program.
"""

from __future__ import annotations

from typing import Union


def peak_mb(pid: Union[int, str] = "self") -> float:
    """MB that a process has held at most so far; 0 of one that has ended."""
    return _megabytes(pid, "VmHWM:")


def resident_mb(pid: Union[int, str] = "self") -> float:
    """MB that a process holds now; 0 of one that has ended."""
    return _megabytes(pid, "VmRSS:")


def _megabytes(pid: Union[int, str], field: str) -> float:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as stream:
            return next((int(line.split()[1]) / 1024 for line in stream if line.startswith(field)), 0.0)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
