"""The architectures of language models that are supported, by the name in a config.json."""

from __future__ import annotations

import importlib
import re

from prompt_kit.errors import ConfigError

_FAMILIES = ("Ernie", "Bert", "Roberta", "Electra")
ARCHITECTURES = {
    "ErnieForMaskedLM": ("paddlenlp.transformers", "ErnieForMaskedLM", "ErnieConfig"),
    "BertForMaskedLM": ("paddlenlp.transformers", "BertForMaskedLM", "BertConfig"),
    "RobertaForMaskedLM": ("paddlenlp.transformers", "RobertaForMaskedLM", "RobertaConfig"),
    "ElectraForMaskedLM": ("paddlenlp.transformers", "ElectraForMaskedLM", "ElectraConfig"),
    "ElectraGenerator": ("paddlenlp.transformers", "ElectraForMaskedLM", "ElectraConfig"),
}
DISCRIMINATOR = "ElectraDiscriminator"


def architecture_name(config: dict) -> str:
    """The class that a configuration names: `architectures`, or `init_class` in older folders; '?' for none."""
    return (config.get("architectures") or [config.get("init_class") or "?"])[0]


def architecture_classes(architecture: str, where: str) -> tuple:
    """(model class, config class) of a supported architecture."""
    if architecture not in ARCHITECTURES:
        raise ConfigError(
            f"{where}: architecture '{architecture}' is not supported; expected one of {', '.join(sorted(ARCHITECTURES))}"
        )
    module, model, config = ARCHITECTURES[architecture]
    package = importlib.import_module(module)
    return getattr(package, model), getattr(package, config)


def discriminator_classes(architecture: str, where: str) -> tuple:
    """(model class, config class) of an ELECTRA discriminator; ConfigError for another architecture."""
    if architecture != DISCRIMINATOR:
        raise ConfigError(
            f"{where}: --method rtd needs an {DISCRIMINATOR}, which tells replaced words from original ones, but this is a "
            f"'{architecture}'; name a discriminator, or use --method prompt"
        )
    package = importlib.import_module("paddlenlp.transformers")
    return package.ElectraDiscriminator, package.ElectraConfig


def encoder_classes(architecture: str, where: str) -> tuple:
    """(class without a head, config class) of an architecture of a supported family, whatever its head."""
    found = re.fullmatch(rf"({'|'.join(_FAMILIES)})(Model|For[A-Z]\w+|Discriminator|Generator)", architecture)
    if not found:
        raise ConfigError(
            f"{where}: architecture '{architecture}' is not supported; expected a {', '.join(_FAMILIES[:-1])} or "
            f"{_FAMILIES[-1]} model"
        )
    package = importlib.import_module("paddlenlp.transformers")
    return getattr(package, f"{found[1]}Model"), getattr(package, f"{found[1]}Config")
