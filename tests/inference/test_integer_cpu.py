"""Which CPUs int8 is for."""

from __future__ import annotations

import platform

import pytest

from prompt_kit.inference.integer_cpu import multiplies_int8


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", "flags\t\t: fpu avx2 avx512_vnni sse", True),
        ("x86_64", "flags\t\t: fpu avx_vnni", True),
        ("x86_64", "flags\t\t: fpu avx2 avx512f", False),
        ("x86_64", "model name\t: avx512_vnni", False),
        ("aarch64", "Features\t: fp asimd", True),
        ("arm64", None, True),
        ("AMD64", None, False),
    ],
)
def test_which(tmp_path, monkeypatch, machine, flags, expected):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}\n", encoding="utf-8")
    assert multiplies_int8(str(tmp_path / "cpuinfo")) is expected
