"""What this processor can do, by the names that Linux gives its features."""

from __future__ import annotations

CPUINFO = "/proc/cpuinfo"
AMX_BF16, AVX512_BF16 = "amx_bf16", "avx512_bf16"


def cpu_flags(cpuinfo: str = CPUINFO) -> frozenset[str]:
    """The features of the first processor in `cpuinfo`; none where it cannot be read (anything but Linux)."""
    try:
        with open(cpuinfo, encoding="utf-8", errors="replace") as file:
            line = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return frozenset()
    return frozenset(line.partition(":")[2].split())
