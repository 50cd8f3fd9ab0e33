"""Data that is given in Python: columns, pairs and files become the same Examples."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_kit.data.dataset import Example
from prompt_kit.errors import DataError
from prompt_kit.prompt.classes import Classes
from prompt_kit.prompt.given_data import GivenData, examples_of
from prompt_kit.prompt.task import MULTI_LABEL, ONE_LABEL, Task

WORDS = {"sports": "体育", "car": "汽车"}
GIVEN = GivenData(WORDS, ONE_LABEL, pairs=False)
CLASSES = Classes.from_labels(WORDS)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "label.txt").write_text("sports==体育\ncar==汽车\n", encoding="utf-8")
    (tmp_path / "train.txt").write_text("球\tsports\n车\tcar\n", encoding="utf-8")
    return tmp_path


def test_columns_with_labels_of_any_type():
    classes, examples = GIVEN.columns(np.array(["球", "车"]), ["sports", "car"])
    assert classes == CLASSES and examples == [Example("球", "sports"), Example("车", "car")]
    classes, examples = GivenData(None, ONE_LABEL, False).columns(["球", "车", "队"], (3, 1, 3))
    assert classes.values == (1, 3) and [one.label for one in examples] == ["3", "1", "3"]


def test_several_labels_a_text():
    given = GivenData(WORDS, Task(MULTI_LABEL), False)
    _, examples = given.columns(["球车", "天"], [["car", "sports"], []])
    assert [one.label for one in examples] == [("car", "sports"), ()]
    _, examples = given.columns(["球车", "天"], np.array([[1, 1], [1, 0]]))  # the columns are car, sports
    assert [one.label for one in examples] == [("car", "sports"), ("car",)]


def test_pairs():
    given = GivenData(WORDS, ONE_LABEL, True)
    assert given.columns([("球", "队")], ["sports"])[1] == [Example("球", "sports", "队")]
    assert given.texts([("球", "队")]) == [Example("球", text_b="队")]
    assert given.line_format.pairs and not GIVEN.line_format.pairs


def test_unequal_columns():
    with pytest.raises(DataError, match="2 texts but 1 labels"):
        GIVEN.columns(["球", "车"], ["car"])
    with pytest.raises(DataError, match="1 dev texts but 2 dev labels"):
        GIVEN.labelled((["球"], ["car", "car"]), CLASSES, "dev")


def test_labelled_columns_or_a_file(folder):
    expected = [Example("球", "sports"), Example("车", "car")]
    assert GIVEN.labelled((["球", "车"], ["sports", "car"]), CLASSES, "dev") == expected
    assert GIVEN.labelled(folder / "train.txt", CLASSES, "dev") == expected
    for wrong in ([["球"]], 3, None):
        with pytest.raises(DataError, match="dev: expected a pair"):
            GIVEN.labelled(wrong, CLASSES, "dev")


def test_unlabelled_columns_or_a_file(folder):
    (folder / "data.txt").write_text("球\n车\n", encoding="utf-8")
    assert (
        GIVEN.unlabelled(["球", "车"], CLASSES) == GIVEN.unlabelled(str(folder / "data.txt"), CLASSES) == ["球", "车"]
    )
    with pytest.raises(DataError, match="expected texts alone"):
        GIVEN.unlabelled(folder / "train.txt", CLASSES)


def test_a_folder_has_its_labels_unless_some_are_given(folder):
    for given in (GIVEN, GivenData(None, ONE_LABEL, False)):
        classes, train, dev, unlabelled = given.folder(folder, starts_well=True, calibrates=False)
        assert classes == CLASSES and [one.label for one in train] == ["sports", "car"]
        assert dev is None and unlabelled is None
    with pytest.raises(DataError, match="no such folder"):
        GIVEN.folder(folder / "absent", True, False)


@pytest.mark.parametrize(
    ("starts_well", "calibrates", "read"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_data_txt_is_read_where_it_helps(folder, starts_well, calibrates, read):
    (folder / "data.txt").write_text("天\n", encoding="utf-8")
    _, train, _, unlabelled = GIVEN.folder(folder, starts_well, calibrates)
    assert len(train) == 2 and unlabelled == (["天"] if read else None)


def test_only_what_starts_well_does_without_train_txt(folder):
    (folder / "data.txt").write_text("天\n", encoding="utf-8")
    (folder / "train.txt").unlink()
    assert GIVEN.folder(folder, starts_well=True, calibrates=False)[1] is None
    with pytest.raises(DataError, match="train.txt"):
        GIVEN.folder(folder, starts_well=False, calibrates=True)


def test_texts_without_labels():
    assert examples_of(["a", Example("b", text_b="c")]) == [Example("a"), Example("b", text_b="c")]
