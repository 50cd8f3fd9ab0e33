"""A font of this machine that can draw given characters: a character without one would be an empty box."""

from __future__ import annotations

from functools import cache
from typing import Optional

# tried first, in this order, where they are installed: they are made for simplified Chinese and look best
_PREFERRED = (
    "notosanscjk", "notosanssc", "sourcehansans", "sourcehanserif", "notoserifcjk", "wqy", "droidsansfallback", "msyh",
    "simhei", "simsun", "pingfang", "hiragino", "stheiti", "arialunicode",
)  # fmt: skip


def font_for(text: str) -> Optional[str]:
    """The path of a font that has every character of `text`, matplotlib's own if it does; None if there is none."""
    return _font_for(frozenset(map(ord, "".join(text.split()))))


@cache
def _font_for(needed: frozenset[int]) -> Optional[str]:
    return next((path for path in _candidates() if _has(path, needed)), None)


@cache
def _candidates() -> tuple[str, ...]:
    from matplotlib import font_manager

    own = font_manager.findfont("DejaVu Sans")
    found = sorted(font_manager.findSystemFonts())
    return (own, *sorted(found, key=_rank))


def _rank(path: str) -> tuple[int, bool]:
    """Known names first, and of a family the upright medium face."""
    name = path.replace("\\", "/").rpartition("/")[2].lower().replace("-", "").replace("_", "")
    known = next((place for place, start in enumerate(_PREFERRED) if name.startswith(start)), len(_PREFERRED))
    return known, not any(face in name for face in ("regular", "medium", "microhei", "zenhei"))


def _has(path: str, needed: frozenset[int]) -> bool:
    """Whether a font file has these code points; none are in a file that matplotlib cannot read."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
        return all(font.get_char_index(code) for code in needed)
    except (RuntimeError, OSError, ValueError):
        return False
