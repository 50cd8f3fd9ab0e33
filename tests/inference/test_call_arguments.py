"""What an argument of a call may be: choices, and whole numbers of every whole type."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_kit.errors import ConfigError
from prompt_kit.inference.call_arguments import check_choice, check_number


@pytest.mark.parametrize("value", [1, 7, np.int16(3), np.uint8(7)])
def test_a_number_of_any_whole_type_is_an_int(value):
    found = check_number("n", value, 1, 7)
    assert type(found) is int and found == value


@pytest.mark.parametrize("value", [0, 8, -1, 1.0, "1", True, None, np.float32(2)])
def test_what_is_no_number_in_the_range(value):
    with pytest.raises(ConfigError, match="^n must be a whole number from 1 to 7, got "):
        check_number("n", value, 1, 7)


def test_without_an_upper_end():
    assert check_number("n", 10**30, 1) == 10**30
    with pytest.raises(ConfigError, match="^n must be a whole number of 1 or more, got 0$"):
        check_number("n", 0, 1)


def test_choices():
    check_choice("device", "cpu", ("auto", "cpu"))
    with pytest.raises(ConfigError, match="^device must be one of auto, cpu, got 'gpu'$"):
        check_choice("device", "gpu", ("auto", "cpu"))
