"""Whether this CPU multiplies 8-bit numbers fast and without overflow."""

from __future__ import annotations

import platform

_FLAGS = {"avx_vnni", "avx512_vnni", "amx_int8"}


def multiplies_int8(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """True for 64-bit ARM, and for x86 with VNNI or AMX (Intel since 2019, AMD since 2022).

    Without these onnxruntime adds pairs of products in 16 bits, which can overflow and is hardly faster than float.
    False where it cannot be found out (x86 on anything but Linux).
    """
    if platform.machine().lower() in ("aarch64", "arm64"):
        return True
    try:
        with open(cpuinfo, encoding="utf-8", errors="replace") as file:
            return any(line.startswith("flags") and not _FLAGS.isdisjoint(line.split()) for line in file)
    except OSError:
        return False
