"""The exceptions of prompt-kit: one family, which a script turns into one line and exit code 2.

`shown` writes a user's text or value into such a message, so that no message is longer than a few lines of a terminal.
"""

from __future__ import annotations

from typing import Any


class PromptKitError(ValueError):
    """An error that the user can correct. The message is one line: what, where, what was expected, what to do."""


class DataError(PromptKitError):
    """A data file is missing, malformed or at odds with label.txt."""


class TemplateError(PromptKitError):
    """A prompt template cannot be parsed or used."""


class VerbalizerError(PromptKitError):
    """label.txt or its label words cannot be used."""


class TokenizationError(PromptKitError):
    """A vocabulary or tokenizer file is missing or unusable."""


class BundleError(PromptKitError):
    """An exported folder is missing, incomplete, of another format version, or fails its parity check."""


class CheckpointError(PromptKitError):
    """A training folder is missing, incomplete, or contradicts the flags."""


class ConfigError(PromptKitError):
    """Command-line flags or arguments are out of range or contradict each other."""


class DependencyError(PromptKitError):
    """A package of an optional extra is not installed; the message names the extra."""


class OutputError(PromptKitError):
    """What was computed cannot be written: a full disk, a closed or broken place to write to."""


def shown(value: Any, most: int = 80, quoted: bool = True) -> str:
    """`repr(value)` of at most about `most` characters, on one line: what is longer ends with an ellipsis.

    quoted: False: `str(value)`, as a flag's value is typed.
    """
    if isinstance(value, int) and abs(value) > 10**most:  # Python refuses to print thousands of digits
        return "a number of many digits"
    if not quoted:
        text = str(value)
        return text if len(text) <= most else text[:most] + "…"
    if isinstance(value, str):
        text = repr(value if len(value) <= most else value[:most] + "…")
        return text if len(text) <= 2 * most else f"{text[: 2 * most]}…'"  # control characters are spelled
    text = repr(value)
    return text if len(text) <= most else text[:most] + "…"
