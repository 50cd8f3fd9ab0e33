"""Whether this CPU multiplies 8-bit numbers fast and without overflow."""

from __future__ import annotations

import platform

from prompt_kit.inference.cpu_flags import CPUINFO, cpu_flags

_FLAGS = {"avx_vnni", "avx512_vnni", "amx_int8"}


def multiplies_int8(cpuinfo: str = CPUINFO) -> bool:
    """True for 64-bit ARM, and for x86 with VNNI or AMX (Intel since 2019, AMD since 2022).

    Without these onnxruntime adds pairs of products in 16 bits, which can overflow and is hardly faster than float.
    False where it cannot be found out (x86 on anything but Linux).
    """
    if platform.machine().lower() in ("aarch64", "arm64"):
        return True
    return not _FLAGS.isdisjoint(cpu_flags(cpuinfo))
