"""Which unlabelled texts may be pseudo-labelled, and which predictions become pseudo-labels, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import LABELS

from prompt_kit.errors import DataError
from prompt_kit.training.self_training.pseudo_labels import choose, read_unlabelled


def test_texts_of_the_labelled_files_are_left_out(tmp_path, caplog):
    for split, lines in {"train": "甲甲\tcar\n", "dev": "乙 乙！\tcar\n丙\tsports\n", "test": "丁\n戊\n"}.items():
        (tmp_path / f"{split}.txt").write_text(lines, encoding="utf-8")
    path = tmp_path / "texts.txt"
    path.write_text("甲 甲\nＡ己\n乙乙!\n丁\n庚\t庚\na己\n A 己\n丙丙\n", encoding="utf-8")
    with caplog.at_level("INFO", logger="prompt_kit"):
        assert read_unlabelled(path, tmp_path, LABELS) == ["Ａ己", "庚\t庚", "丙丙"]
    assert caplog.messages == [
        f"{path}: 3 texts to pseudo-label; dropped 3 that dev, test or train.txt has, and 2 repeated ones"
    ]


def test_a_labelled_file_is_refused(tmp_path):
    (tmp_path / "texts.txt").write_text("汽车\n手机\tcar\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"texts.txt:2: ends with the label 'car', expected texts alone"):
        read_unlabelled(tmp_path / "texts.txt", tmp_path, LABELS)


def test_no_text_left(tmp_path):
    (tmp_path / "dev.txt").write_text("汽车\tcar\n", encoding="utf-8")
    (tmp_path / "texts.txt").write_text("汽 车\n", encoding="utf-8")
    with pytest.raises(DataError, match="all 1 texts are in"):
        read_unlabelled(tmp_path / "texts.txt", tmp_path, LABELS)


PROBABILITIES = np.array(
    [[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.9, 0.05, 0.05], [0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.7, 0.1, 0.2]]
)


def test_all_of_them():
    assert choose(PROBABILITIES, "all", 1, 0.99).tolist() == [0, 1, 2, 3, 4, 5]


def test_the_most_probable_of_every_class():
    """No row is predicted to be of the third class; rows 3 and 5 are equally probable, so the first is taken."""
    assert choose(PROBABILITIES, "balanced", 2, 0.99).tolist() == [1, 2, 3, 4]
    assert choose(PROBABILITIES, "balanced", 9, 0.99).tolist() == [0, 1, 2, 3, 4, 5]


def test_the_confident_ones():
    assert choose(PROBABILITIES, "confidence", 1, 0.7).tolist() == [1, 2, 3, 4, 5]
    assert choose(PROBABILITIES, "confidence", 1, 0.95).tolist() == []
