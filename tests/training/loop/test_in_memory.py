"""Models on examples in memory: which settings there are, and that the process is left as it was."""

from __future__ import annotations

import logging
import random

import numpy as np
import paddle
import pytest

from prompt_kit.errors import ConfigError
from prompt_kit.training.loop.in_memory import borrowed, check_settings, log_shown, starts_well


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"learning_rte": 0.1}, "options: 'learning_rte' is no flag of train.py; did you mean 'learning_rate'"),
        ({"output_dir": "x"}, "options: 'output_dir' is for train.py, not for a classifier"),
        ({"verbalizer": "none_such"}, "verbalizer 'none_such': expected one of"),
        ({"seed": -1}, "seed must be a whole number from 0 to 4294967295, got -1"),
        ({"seed": 2**32}, "seed must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
    ],
)
def test_settings_that_are_none(settings, said):
    with pytest.raises(ConfigError, match=said):
        check_settings(settings)


def test_settings_that_are():
    check_settings({"seed": 2**32 - 1, "verbalizer": "soft", "learning_rate": 0.1, "soft_encoder": "mlp"})


@pytest.mark.parametrize(
    ("settings", "well"),
    [({}, True), ({"verbalizer": "soft"}, False), ({"method": "finetune"}, False), ({"seed": 1}, True)],
)
def test_a_cosine_head_starts_well(settings, well):
    assert starts_well(settings) is well


def draws() -> list:
    return [random.random(), float(np.random.rand()), float(paddle.rand([1]))]


def test_device_and_random_states_come_back():
    states = random.getstate(), np.random.get_state(), paddle.get_rng_state("cpu")
    expected = draws()
    random.setstate(states[0])
    np.random.set_state(states[1])
    paddle.set_rng_state(states[2], "cpu")
    before = paddle.get_device()
    with pytest.raises(KeyError), borrowed("cpu"):
        draws()
        paddle.seed(3)
        raise KeyError
    assert paddle.get_device() == before and draws() == expected


def test_the_level_of_the_log_comes_back():
    log = logging.getLogger("prompt_kit")
    before = log.level, list(log.handlers)
    with log_shown(True):
        assert log.level == logging.INFO
        with log_shown(False):
            assert log.level == logging.WARNING
        assert log.level == logging.INFO
    assert (log.level, list(log.handlers)) == before
