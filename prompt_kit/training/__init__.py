"""Training, evaluation and export: the only rooms of the package where paddle and paddlenlp are imported."""

from prompt_kit.training import runtime  # noqa: F401  first: it sets up Paddle's environment before anything imports it
