"""The README.md of a training folder."""

from __future__ import annotations

from pathlib import Path

from prompt_kit.atomic import replace_file
from prompt_kit.training.export.model_card import MARKER, CardFacts, training_card
from prompt_kit.training.loop.checkpoint import is_run
from prompt_kit.training.loop.results import Results
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.versions import installed_versions


def write_card(model: TextClassifier, results: Results) -> None:
    """Write it into the results' folder, unless its owner has taken it over; nothing where no model lies."""
    path = results.folder / "README.md"
    if not results.writes or is_run(results.folder) != "finished" or (path.exists() and not is_ours(path)):
        return
    facts = CardFacts(
        model.config.base_model, model.config.mode, model.verbalizer, str(model.template),
        model.prompt_tokenizer.max_seq_length, results.read(), installed_versions(), model.task,
    )  # fmt: skip
    with replace_file(path) as staging:
        staging.write_text(training_card(facts), encoding="utf-8")


def is_ours(path: Path) -> bool:
    """Whether a README.md is the one that prompt-kit wrote."""
    try:
        return MARKER in path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
