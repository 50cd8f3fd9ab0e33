"""Label sets in Python: a list of labels a text, or a matrix of ones and zeros, -> the names that a Verbalizer has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np

from prompt_kit.data.columns import read_column, read_label_column
from prompt_kit.errors import DataError, shown
from prompt_kit.prompt.classes import Classes


def read_label_sets(
    values: Any, classes: Optional[Classes] = None, name: str = "labels"
) -> tuple[Classes, list[tuple[str, ...]]]:
    """(classes, the names of each text's labels).

    Args:
        values: N collections of labels, one of which may be empty; or a matrix [N, C] of ones and zeros, C in the order of
            `classes.array`, as scikit-learn has them.
        classes: None takes the labels that occur.

    Raises DataError for what is neither, a label that is unknown, and a matrix without `classes` or of another width.
    """
    matrix = _as_matrix(values)
    if matrix is not None:
        if classes is None:
            raise DataError(
                f"{name}: a matrix of ones and zeros does not say what its {matrix.shape[1]} columns are; give the classifier "
                "labels, or a list of labels for each text"
            )
        if matrix.shape[1] != len(classes) or not np.isin(matrix, (0, 1)).all():
            raise DataError(
                f"{name}: expected ones and zeros in {len(classes)} columns, those of classes_, got the shape {matrix.shape}"
            )
        names = [classes.verbalizer.labels[place] for place in classes.order]
        return classes, [tuple(names[place] for place in np.flatnonzero(row)) for row in matrix]
    sets = []
    for place, own in enumerate(read_column(values, name)):
        if isinstance(own, str) or not isinstance(own, (Sequence, set, frozenset)):
            raise DataError(
                f"{name}[{place}]: expected a list of labels, which may be empty, got {shown(own)}; write [{shown(own)}] for "
                "one label"
            )
        sets.append(read_label_column(list(own), f"{name}[{place}]") if own else [])
    if classes is None:
        classes = Classes.from_examples([label for own in sets for label in own])
    found = [tuple(classes.names_of(own, f"{name}[{place}]")) for place, own in enumerate(sets)]
    return classes, [tuple(dict.fromkeys(one)) for one in found]


def _as_matrix(values: Any) -> Optional[np.ndarray]:
    """An array or frame of two dimensions, a sparse one too; None for anything else."""
    if hasattr(values, "toarray"):
        values = values.toarray()
    if getattr(values, "ndim", 1) != 2:
        return None
    return np.asarray(values)
