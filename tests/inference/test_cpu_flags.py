"""The processor's features, as Linux lists them."""

from __future__ import annotations

from prompt_kit.inference.cpu_flags import cpu_flags


def test_flags_of_the_first_processor(tmp_path):
    (tmp_path / "cpuinfo").write_text("model name\t: sse9\nflags\t\t: fpu avx2\n\nflags\t\t: other\n", encoding="utf-8")
    assert cpu_flags(str(tmp_path / "cpuinfo")) == {"fpu", "avx2"}


def test_none_where_they_cannot_be_read(tmp_path):
    assert cpu_flags(str(tmp_path / "missing")) == frozenset()
    (tmp_path / "arm").write_text("Features\t: fp asimd\n", encoding="utf-8")
    assert cpu_flags(str(tmp_path / "arm")) == frozenset()
