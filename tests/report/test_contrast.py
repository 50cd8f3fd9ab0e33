"""The colors of the page, light and dark: every text stands out from what is behind it, by WCAG 2.1's 4.5 to 1."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import prompt_kit.report

STYLE = (Path(prompt_kit.report.__file__).parent / "page.html.jinja").read_text("utf-8")
THEMES = dict(zip(("light", "dark"), re.findall(r":root \{([^}]*)\}", STYLE)))


def color(theme: str, name: str) -> tuple[float, ...]:
    """The color that a theme calls --name."""
    found = re.search(rf"--{name}: (#[0-9a-f]{{6}}|\d+ \d+ \d+);", THEMES[theme]).group(1)
    if found.startswith("#"):
        return tuple(int(found[place : place + 2], 16) for place in (1, 3, 5))
    return tuple(map(int, found.split()))


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio"""

    def luminance(rgb):
        parts = [part / 255 for part in rgb]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def over(front, back, alpha):
    return tuple(alpha * a + (1 - alpha) * b for a, b in zip(front, back))


def test_contrast_is_the_one_of_the_definition():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(
        4.54, abs=0.01
    )  # the darkest gray that passes is #767676


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_on_page_and_panel(theme):
    low = {
        (name, back): ratio
        for name, backs in {
            "first": ["paper"],
            **dict.fromkeys(("ink", "soft", "good", "bad"), ["paper", "panel"]),
        }.items()
        for back in backs
        if (ratio := contrast(color(theme, name), color(theme, back))) < 4.5
    }
    assert not low


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_counts_in_the_matrix_and_marked_words(theme):
    ink = color(theme, "ink")
    heat = [contrast(ink, over(color(theme, "heat"), color(theme, "paper"), part / 100)) for part in range(101)]
    marked = [contrast(ink, over(color(theme, "mark"), color(theme, "panel"), part / 100)) for part in range(10, 61)]
    assert min(heat) >= 4.5 and min(marked) >= 4.5
