"""The pictures of a report, each as a PNG file and as an SVG for the page.

The SVG's colours are CSS variables, so that it follows the page into dark mode, and its letters are text, which the
browser draws: a page has no boxes for Chinese whatever fonts this machine has. A PNG has the words drawn in, so where no
font has the label names their numbers stand in their place, and English words where none has Chinese.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np

from prompt_kit.report.curves import Curves
from prompt_kit.report.evaluation import Evaluation
from prompt_kit.report.fonts import font_for
from prompt_kit.report.wording import Wording

_WIDTH = 4.6  # inches: at 72 to the inch little more than a phone is wide, so that letters keep their size there
_MOST_NAMES = 40  # labels that are named at the axes of a confusion matrix


@dataclass(frozen=True)
class _Colors:
    ink: str
    line: str
    first: str
    second: str
    paper: Optional[str]


_PNG = _Colors("#1c1f24", "#c9ced6", "#1f6feb", "#b35900", "#ffffff")
# Colours that nothing else has, each to be replaced by a variable of the page.
_SVG = _Colors("#010203", "#040506", "#070809", "#0a0b0c", None)
_VARIABLES = {
    _SVG.ink: "var(--ink)",
    _SVG.line: "var(--line)",
    _SVG.first: "var(--first)",
    _SVG.second: "var(--second)",
}

Draw = Callable[[Any, _Colors, Wording], None]


@dataclass(frozen=True)
class Picture:
    """A picture by its name: PNG bytes, and where the page shows it as one, an SVG element."""

    name: str
    png: bytes
    svg: str = ""


def draw_pictures(evaluation: Evaluation, curves: Optional[Curves], words: Wording) -> tuple[list[Picture], bool]:
    """(pictures, whether the label names are drawn): reliability, confusion_matrix, and training where there are curves.

    Where a text may have several labels none is taken for another, so there is no confusion_matrix.
    """
    named = len(evaluation.labels) <= _MOST_NAMES and font_for("".join(evaluation.labels)) is not None
    pictures = [_both("reliability", lambda *how: _reliability(evaluation, *how), words, 3.4)]
    if curves:
        pictures.append(_both("training", lambda *how: _training(curves, *how), words, 4.6))
    if evaluation.task.several:
        return pictures, True
    size = max(_WIDTH, min(14.0, 1.6 + 0.3 * len(evaluation.labels)))
    names = "".join(evaluation.labels) if named else ""
    drawn = _png(lambda *how: _confusion(evaluation, named, *how), words, (size + 0.6, size), names)
    return [*pictures, Picture("confusion_matrix", drawn)], named


def _both(name: str, draw: Draw, words: Wording, height: float) -> Picture:
    return Picture(name, _png(draw, words, (_WIDTH, height)), _svg(name, draw, words, (_WIDTH, height)))


def _png(draw: Draw, words: Wording, size: tuple[float, float], names: str = "") -> bytes:
    said = words if font_for(names + words("probability")) else Wording("en")
    font = font_for(names + said("probability") + said("share_right"))
    stream = io.BytesIO()
    with _figure(size, font, "png") as figure:
        draw(figure, _PNG, said)
        figure.savefig(stream, format="png", dpi=160, facecolor=_PNG.paper, metadata={"Software": None})
    return stream.getvalue()


def _svg(name: str, draw: Draw, words: Wording, size: tuple[float, float]) -> str:
    stream = io.StringIO()
    with _figure(size, None, name) as figure:
        draw(figure, _SVG, words)
        metadata = {key: None for key in ("Creator", "Date", "Format", "Type")}
        figure.savefig(stream, format="svg", transparent=True, metadata=metadata)
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, variable)
    # matplotlib draws the outline of its letters in black of its own accord
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    # several of them on a page: their styles and ids must not meet
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = svg.replace("*{stroke-linejoin: round; stroke-linecap: butt}", "")
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


@contextlib.contextmanager
def _figure(size: tuple[float, float], font: Optional[str], salt: str) -> Iterator[Any]:
    """A figure whose words are drawn by `font`; None: by nobody here, the browser draws them."""
    import matplotlib
    from matplotlib import font_manager
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    family = "DejaVu Sans"
    if font is not None:
        font_manager.fontManager.addfont(font)
        family = font_manager.FontProperties(fname=font).get_name()
    style = {
        "font.family": [family],
        "font.size": 10,
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "axes.unicode_minus": False,
    }
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of characters that the SVG leaves to the browser
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def _style(axes: Any, colors: _Colors) -> None:
    axes.set_facecolor("none")
    axes.tick_params(colors=colors.ink, which="both")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(colors.line)
    for label in (axes.xaxis.label, axes.yaxis.label, axes.title):
        label.set_color(colors.ink)
    axes.grid(color=colors.line, linewidth=0.6)
    axes.set_axisbelow(True)


def _reliability(evaluation: Evaluation, figure: Any, colors: _Colors, words: Wording) -> None:
    """Bars of the share right by probability, the number of texts above each, and the diagonal they should touch."""
    axes = figure.add_subplot()
    bins = [one for one in evaluation.bins if one.texts]
    for one in bins:
        axes.bar((one.low + one.high) / 2, one.right, one.high - one.low, color=colors.first, edgecolor=colors.line)
        # in a row above the bars, where the diagonal crosses none of them
        axes.text((one.low + one.high) / 2, 1.03, str(one.texts), ha="center", va="bottom", size=8, color=colors.ink)
    axes.plot([0, 1], [0, 1], color=colors.second, linestyle="--", linewidth=1.6)
    axes.set(xlim=(0, 1), ylim=(0, 1.12), xlabel=words("probability"), ylabel=words("share_right"))
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    axes.set_xticks(ticks, [f"{tick:.0%}" for tick in ticks])
    axes.set_yticks(ticks, [f"{tick:.0%}" for tick in ticks])
    _style(axes, colors)


def _training(curves: Curves, figure: Any, colors: _Colors, words: Wording) -> None:
    """Losses above, dev accuracy below, by step."""
    losses = [(curves.train_loss, "train_loss", colors.first, "-"), (curves.dev_loss, "dev_loss", colors.second, "--")]
    losses = [one for one in losses if one[0]]
    rows = [losses] if losses else []
    if curves.dev_accuracy:
        rows.append([(curves.dev_accuracy, "dev_accuracy", colors.second, "-")])
    for place, lines in enumerate(rows, start=1):
        axes = figure.add_subplot(len(rows), 1, place)
        for line, name, color, style in lines:
            steps, values = zip(*line)
            axes.plot(steps, values, color=color, linestyle=style, marker="o", markersize=3, label=words(name))
        axes.set_ylabel(words("loss") if lines is losses else words("accuracy"))
        if place == len(rows):
            axes.set_xlabel(words("step"))
        _style(axes, colors)
        legend = axes.legend(frameon=False, fontsize=9)
        for text in legend.get_texts():
            text.set_color(colors.ink)


def _confusion(evaluation: Evaluation, named: bool, figure: Any, colors: _Colors, words: Wording) -> None:
    """Shares of each row as shades, counts as numbers."""
    axes = figure.add_subplot()
    counts = evaluation.confusion
    size = len(evaluation.labels)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    numbers = [str(number) for number in range(1, size + 1)]
    if size <= _MOST_NAMES:
        places = range(size)
        names = [f"{number} {label}" for number, label in zip(numbers, evaluation.labels)] if named else numbers
        axes.set_xticks(places, numbers, fontsize=8)
        axes.set_yticks(places, names, fontsize=8)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                shade = "#ffffff" if shares[row, column] > 0.65 else colors.ink
                axes.text(column, row, str(count), ha="center", va="center", color=shade, size=8)
    axes.set(xlabel=words("predicted"), ylabel=words("gold"))
    axes.tick_params(colors=colors.ink, length=0)
    for spine in axes.spines.values():
        spine.set_color(colors.line)
