"""Predictions as lines of output, written out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from prompt_kit.cli.predict_lines import line_writer
from prompt_kit.inference.carried_examples import Neighbour
from prompt_kit.inference.predictor import Prediction

ONE = Prediction("球\t队", "sports", 2 / 3, (("sports", 2 / 3), ("car", 0.25)))
SET = Prediction(
    "球车", "sports,car", 0.9, (("sports", 0.9), ("car", 0.8), ("finance", 0.1)), (("sports", 0.9), ("car", 0.8))
)


@pytest.mark.parametrize(
    ("prediction", "kind", "line"),
    [
        (ONE, "label", "sports"),
        (ONE, "tsv", '"球\t队"\tsports\t0.666667\tcar\t0.250000'),
        (SET, "label", "sports,car"),
        (SET, "tsv", "球车\tsports,car\t0.900000,0.800000"),
        (replace(SET, label="", labels=()), "tsv", "球车\t\t"),
        (replace(SET, text_b="队"), "tsv", "球车\t队\tsports,car\t0.900000,0.800000"),
    ],
)
def test_labels_and_rows(prediction, kind, line):
    assert line_writer(kind, several=prediction.text == "球车")(prediction) == line


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (replace(ONE, top=ONE.top[:1]), {"text": "球\t队", "label": "sports", "score": 0.666667}),
        (
            replace(ONE, text_b="车", nearest=(Neighbour("队", "sports", 0.1234567),)),
            {
                "text": "球\t队", "text_pair": "车", "label": "sports", "score": 0.666667,
                "top": [{"label": "sports", "score": 0.666667}, {"label": "car", "score": 0.25}],
                "nearest": [{"text": "队", "label": "sports", "cosine": 0.123457}],
            },
        ),
        (SET, {"text": "球车", "labels": ["sports", "car"], "scores": {"sports": 0.9, "car": 0.8, "finance": 0.1}}),
    ],
)  # fmt: skip
def test_objects(prediction, expected):
    line = line_writer("jsonl", several=prediction is SET)(prediction)
    assert json.loads(line) == expected and "球" in line, "Chinese stands as it is"
