"""The page of a report: one HTML file that loads nothing and runs nothing. Every text in it is escaped by jinja2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

from prompt_kit.inference.explanation import Explanation
from prompt_kit.report.curves import Curves
from prompt_kit.report.evaluation import Evaluation
from prompt_kit.report.wording import Wording
from prompt_kit.versions import __version__

_TEMPLATE = Path(__file__).with_name("page.html.jinja")
_MOST_CASES = 300  # more than anyone reads; the table has all of them
_MOST_COLUMNS = 40

Pieces = list[tuple[str, float]]  # neighbouring parts of a text, with how strongly each is marked, 0 to 1


def render_page(
    evaluation: Evaluation,
    curves: Optional[Curves],
    svgs: Mapping[str, str],
    named: bool,
    facts: Mapping[str, Any],
    words: Wording,
) -> str:
    """The HTML.

    Args:
        svgs: SVG elements by name, "reliability" and with curves "training"; made here, so they are not escaped.
        named: whether the PNG pictures have the label names.
        facts: key of the wording -> what is known of the model: base model, template, seed, …
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters["share"] = share
    low, high = evaluation.interval
    shown = [
        (case, marked(case.text, why), why, evaluation.neighbours.get(case.row, []))
        for case in evaluation.cases[:_MOST_CASES]
        for why in [evaluation.explanations.get(case.row)]
    ]
    several = evaluation.task.several
    names = [
        "summary",
        "classes",
        *([] if several else ["confusion"]),
        "calibration",
        *(["curves"] if curves else []),
        "cases",
    ]
    lead = words(
        "lead", right=evaluation.num_right, total=len(evaluation.examples), accuracy=share(evaluation.accuracy),
        low=share(low), high=share(high),
    )  # fmt: skip
    return environment.from_string(_TEMPLATE.read_text("utf-8")).render(
        words=words, evaluation=evaluation, lead=lead, sections=names, named=named, version=__version__,
        rows=list(zip(evaluation.labels, evaluation.classes)),
        confusions=[] if several else evaluation.confusions(), matrix=None if several else _matrix(evaluation),
        several=several, levels=_levels(evaluation), ece=share(evaluation.calibration_error), curves=curves, cases=shown,
        steps=[] if curves is None else _steps(curves), svgs={name: Markup(svg) for name, svg in svgs.items()},
        facts=[(words(name), value) for name, value in facts.items() if value not in (None, "")],
    )  # fmt: skip


def share(value: float) -> str:
    """0.6867 -> 68.7%."""
    return f"{value:.1%}"


def marked(text: str, explanation: Optional[Explanation]) -> Pieces:
    """The text in pieces: what speaks for the label most is marked, the strongest of them with 0.6."""
    if explanation is None or not explanation.top:
        return [(text, 0.0)]
    strongest = explanation.top[0].log_odds
    pieces, end = [], 0
    for one in sorted(explanation.top, key=lambda one: one.start):
        pieces += [(text[end : one.start], 0.0), (one.text, max(0.1, 0.6 * one.log_odds / strongest))]
        end = one.start + len(one.text)
    return [piece for piece in (*pieces, (text[end:], 0.0)) if piece[0]]


def _levels(evaluation: Evaluation) -> list[tuple[int, float]]:
    """(level, its accuracy) of a task whose labels have levels."""
    found = []
    for name, value in evaluation.scores.items():
        if name.startswith("level"):
            found.append((int(name[len("level") : name.index("_")]), value))
    return found


def _matrix(evaluation: Evaluation) -> Optional[list[list[tuple[int, float]]]]:
    """Rows of (count, share of the row); None for more labels than a page has room for."""
    if len(evaluation.labels) > _MOST_COLUMNS:
        return None
    counts = evaluation.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return [list(zip(row.tolist(), part.tolist())) for row, part in zip(counts, shares)]


def _steps(curves: Curves) -> Sequence[tuple[float, list[Optional[float]]]]:
    """(step, values of the three lines there, None where a line has none)."""
    lines = [dict(line) for line in (curves.train_loss, curves.dev_loss, curves.dev_accuracy)]
    return [(step, [line.get(step) for line in lines]) for step in sorted({step for line in lines for step in line})]
