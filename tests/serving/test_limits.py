"""Bounds that make no sense are refused, by the names of their flags."""

from __future__ import annotations

import pytest
from refusals import refusal

from prompt_kit.errors import ConfigError
from prompt_kit.serving.limits import Limits


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"texts": 0}, "--max_texts must be 1 or more, got 0"),
        ({"batch": 0}, "--batch_size must be 1 or more, got 0"),
        ({"seconds": 0.0}, "--max_seconds must be 0.001 or more, got 0.0"),
        ({"seconds": float("nan")}, "--max_seconds must be 0.001 or more, got nan"),
        ({"wait_ms": -1.0}, "--max_wait_ms must be 0 or more, got -1.0"),
        ({"waiting": 5, "texts": 10}, "--max_waiting 5 is below --max_texts 10: such a request never fits"),
    ],
)
def test_bounds_that_make_no_sense(bounds, said):
    assert refusal(ConfigError, Limits, **bounds) == said


def test_the_least_that_fits():
    assert Limits(texts=7, waiting=7, wait_ms=0.0, seconds=0.001).waiting == 7
