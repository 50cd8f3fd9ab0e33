"""The pictures of a report where this machine has no font for their words."""

from __future__ import annotations

import pytest

from prompt_kit.report import pictures, wording

pytest.importorskip("matplotlib")


def test_chinese_words_are_english_in_a_png_without_a_font(monkeypatch):
    seen = []
    monkeypatch.setattr(pictures, "font_for", lambda text: "x" if text.isascii() else None)
    monkeypatch.setattr(pictures, "_figure", lambda size, font, salt: _Recorder(seen))
    pictures._png(lambda figure, colors, words: seen.append(words.language), wording.Wording("zh"), (4, 3))
    assert seen == ["en"]


class _Recorder:
    def __init__(self, seen):
        self.seen = seen

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def savefig(self, stream, **options):
        pass
