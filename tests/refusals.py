"""What a call is refused with, in one line."""

from __future__ import annotations

import pytest


def refusal(error: type[Exception], call, *args, **options) -> str:
    """The message of the `error` that the call raises, which has one line."""
    with pytest.raises(error) as caught:
        call(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message
