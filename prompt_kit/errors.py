"""The exceptions of prompt-kit: one family, which a script turns into one line and exit code 2."""


class PromptKitError(ValueError):
    """A mistake that the user can mend. The message is one line: what, where, what was expected, what to do."""


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
    """A file cannot be written: the disk is full, or its folder closed."""
