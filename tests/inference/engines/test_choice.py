"""Which engine and precision run on which processor."""

from __future__ import annotations

import pytest

from prompt_kit.inference.engines.choice import choose

BOTH = ("int8", "bf16")


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    """cpuinfo of a processor with these features, and whether OpenVINO is there."""

    def write(flags, openvino=True):
        monkeypatch.setattr("prompt_kit.inference.engines.openvino.is_installed", lambda: openvino)
        path = tmp_path / "cpuinfo"
        path.write_text(f"flags\t\t: fpu {flags}\n", encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize(
    ("flags", "kept", "expected"),
    [
        ("avx512_bf16 amx_bf16 avx512_vnni", BOTH, ("openvino", "bf16")),
        ("amx_bf16", ("int8",), ("onnxruntime", "int8")),
        ("amx_bf16", (), ("onnxruntime", "fp32")),
        ("avx512_bf16 avx512_vnni", BOTH, ("onnxruntime", "int8")),
        ("avx512_bf16", ("bf16",), ("openvino", "bf16")),
        ("avx512_bf16", (), ("onnxruntime", "fp32")),
        ("avx2", BOTH, ("onnxruntime", "int8")),
        ("avx2", ("bf16",), ("onnxruntime", "fp32")),
    ],
)
def test_auto(cpu, flags, kept, expected):
    assert choose("auto", "auto", kept, cpu(flags)) == expected


@pytest.mark.parametrize("flags", ["amx_bf16", "avx512_bf16", "avx2"])
def test_auto_without_openvino_is_onnxruntime(cpu, flags):
    assert choose("auto", "auto", BOTH, cpu(flags, openvino=False)) == ("onnxruntime", "int8")
    assert choose("auto", "auto", ("bf16",), cpu(flags, openvino=False)) == ("onnxruntime", "fp32")


@pytest.mark.parametrize("flags", ["amx_bf16", "avx512_bf16", "avx2"])
def test_what_is_asked_for_runs(cpu, flags):
    cpuinfo = cpu(flags)
    for engine in ("onnxruntime", "openvino"):
        for precision in ("fp32", "int8"):
            assert choose(engine, precision, (), cpuinfo) == (engine, precision)
    assert choose("auto", "fp32", BOTH, cpuinfo) == ("onnxruntime", "fp32")
    assert choose("auto", "fp16", BOTH, cpuinfo) == ("onnxruntime", "fp32")
    for openvino in (True, False):  # without it, opening it says what to install
        assert choose("auto", "bf16", (), cpu(flags, openvino)) == ("openvino", "bf16")
        assert choose("openvino", "auto", (), cpu(flags, openvino)) == ("openvino", "fp32")


def test_openvino_by_name_chooses_its_precision(cpu):
    assert choose("openvino", "auto", BOTH, cpu("avx512_bf16")) == ("openvino", "bf16")
    assert choose("openvino", "auto", BOTH, cpu("avx2")) == ("openvino", "fp32")
