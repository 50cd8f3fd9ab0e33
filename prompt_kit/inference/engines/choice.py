"""Which engine computes in which precision on this CPU.

The order of preference is what benchmarks/infer_speed.py measured; docs/speed.md has the table. It is fixed, and not
found out by a trial at each start, so that the same command gives the same answers from one run to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from prompt_kit.inference.cpu_flags import AMX_BF16, AVX512_BF16, CPUINFO, cpu_flags
from prompt_kit.inference.engines import openvino

ENGINES = ("auto", "onnxruntime", "openvino")
_ORT, _OV = "onnxruntime", "openvino"

Pair = tuple[str, str]  # engine, precision

# Fastest first. The last lines are for what was asked for by name.
_ASKED: tuple[Pair, ...] = ((_ORT, "int8"), (_ORT, "fp32"), (_OV, "fp32"), (_OV, "bf16"), (_OV, "int8"))
_FASTEST: dict[str, tuple[Pair, ...]] = {
    AMX_BF16: ((_OV, "bf16"), *_ASKED),
    AVX512_BF16: ((_ORT, "int8"), (_OV, "bf16"), *_ASKED),
}


def choose(engine: str, precision: str, kept: Collection[str], cpuinfo: str = CPUINFO) -> Pair:
    """(engine, precision) to use on a CPU.

    Args:
        engine: one of ENGINES; "auto" passes over an engine that is not installed.
        precision: "auto", or what is asked for: "fp32", "int8" or "bf16"; "fp16" is computed in fp32.
        kept: those of "int8" and "bf16" that "auto" may use: the labels are fp32's, and this CPU is made for it.
    """
    precision = "fp32" if precision == "fp16" else precision
    may = {precision} if precision != "auto" else {"fp32", *kept}
    engines = {engine} if engine != "auto" else {_ORT}
    if engine == "auto" and (precision == "bf16" or ("bf16" in may and openvino.is_installed())):
        engines.add(_OV)
    return next(pair for pair in _order(cpuinfo) if pair[0] in engines and pair[1] in may)


def _order(cpuinfo: str) -> Sequence[Pair]:
    flags = cpu_flags(cpuinfo)
    return next((_FASTEST[flag] for flag in (AMX_BF16, AVX512_BF16) if flag in flags), _ASKED)
