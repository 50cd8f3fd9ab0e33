"""An episode of the tiny examples."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import EXAMPLES, LABELS

from prompt_kit.training.meta_learning.episodes import Episode, EpisodeSource, Size


@pytest.fixture
def episode() -> Episode:
    ids = [LABELS.label_to_id[str(example.label)] for example in EXAMPLES]
    return EpisodeSource(ids, "here").draw(Size(2, 1, 1), np.random.default_rng(0))
