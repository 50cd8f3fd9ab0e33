"""Write a report: report.html, its pictures as PNG, and the wrong cases as a table."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from prompt_kit.atomic import replace_files
from prompt_kit.data.lines import PathLike
from prompt_kit.errors import ConfigError, DependencyError
from prompt_kit.inference.prediction_table import write_bad_cases
from prompt_kit.report.curves import Curves
from prompt_kit.report.evaluation import Evaluation
from prompt_kit.report.wording import LANGUAGES, Wording

PAGE = "report.html"
_NEEDED = {"matplotlib": "matplotlib", "sklearn": "scikit-learn", "jinja2": "jinja2"}


def check_report(folder: PathLike, language: str = "en") -> None:
    """Refuse a report that could not be written, before there is anything to write.

    Raises DependencyError when a package of the extra 'report' is missing, ConfigError for a language that there is not
    and a folder that is a file.
    """
    missing = [name for module, name in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise DependencyError(
            f"{', '.join(missing)} {verb} not installed; a report needs the extra 'report': pip install \".[report]\""
        )
    if language not in LANGUAGES:
        raise ConfigError(f"--language {language}: expected {' or '.join(LANGUAGES)}")
    if not str(folder):
        raise ConfigError("the report's folder is given, but empty (a variable without a value?); give a path")
    path = next(path for path in (Path(folder).absolute(), *Path(folder).absolute().parents) if path.exists())
    if not path.is_dir():
        raise ConfigError(f"the report goes into the folder {folder}, but {path} is a file; give another one")


def write_report(
    folder: PathLike,
    evaluation: Evaluation,
    language: str = "en",
    facts: Optional[Mapping[str, Any]] = None,
    curves: Optional[Curves] = None,
) -> Path:
    """Write report.html, reliability.png, confusion_matrix.png, with curves training.png, and {split}_bad_cases.tsv.

    Args:
        folder: is made; what else is in it stays.
        facts: what is known of the model, of the keys model, template, mode, data, seed.

    Returns:
        The path of report.html. Raises as `check_report`.
    """
    check_report(folder, language)
    from prompt_kit.report.page import render_page
    from prompt_kit.report.pictures import draw_pictures

    words = Wording(language)
    pictures, named = draw_pictures(evaluation, curves, words)
    page = render_page(
        evaluation, curves, {one.name: one.svg for one in pictures if one.svg}, named, facts or {}, words
    )
    with replace_files(Path(folder)) as staging:
        for picture in pictures:
            (staging / f"{picture.name}.png").write_bytes(picture.png)
        write_bad_cases(staging / f"{evaluation.split}_bad_cases.tsv", evaluation.bad_cases())
        # lone surrogates, which a command line may hand over, have no place in UTF-8
        (staging / PAGE).write_bytes(page.encode("utf-8", errors="replace"))
    return Path(folder) / PAGE
