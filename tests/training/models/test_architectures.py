"""Architectures by the name in a config.json: those that are supported, and what is said of others."""

from __future__ import annotations

import pytest

from prompt_kit.errors import ConfigError
from prompt_kit.training.models.architectures import encoder_classes


@pytest.mark.parametrize("name", ["GPTModel", "ErnieMModel", "ErnieGramForTokenClassification", "T5Model", "?", ""])
def test_other_families(name):
    with pytest.raises(ConfigError, match="is not supported; expected a Ernie, Bert, Roberta or Electra model"):
        encoder_classes(name, "here")
