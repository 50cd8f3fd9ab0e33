"""A teacher's vectors: what is read, and what is refused in one line."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_kit.errors import DataError
from prompt_kit.training.pretraining.teacher_vectors import TeacherVectors


def saved(path, array):
    np.save(path, array)
    return path


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8"])
def test_rows_have_their_mean_taken_off_and_length_one(tmp_path, dtype):
    array = np.array([[4, 0], [0, 6], [8, 6]], dtype=dtype)  # mean (4, 4)
    teacher = TeacherVectors(saved(tmp_path / "v.npy", array), 3, "a.txt")
    assert (len(teacher), teacher.width) == (3, 2)
    found = teacher[[2, 0]]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[4 / 20**0.5, 2 / 20**0.5], [0, -1]], rtol=1e-6)


def test_the_fingerprint_is_of_all_numbers_and_their_type(tmp_path):
    array = np.arange(1, 13, dtype="float32").reshape(4, 3)
    other = array.copy()
    other[3, 2] += 1
    found = [
        TeacherVectors(saved(tmp_path / f"{i}.npy", rows), len(rows), "a.txt").fingerprint
        for i, rows in enumerate((array, array, other, array.astype("float16"), array.reshape(6, 2)))
    ]
    assert found[0] == found[1] and len(set(found)) == 4


def with_value(value):
    array = np.ones((4, 2), dtype="float32")
    array[2] = value
    return array


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((3, 2), dtype="float32"), r"v.npy holds 3 rows, but a.txt 4 lines of text"),
        (np.ones((4, 2, 1), dtype="float32"), r"is of shape \[4, 2, 1\]; expected \[lines, numbers of a vector\]"),
        (np.ones(4, dtype="float32"), r"is of shape \[4\]"),
        (np.ones((4, 0), dtype="float32"), r"is of shape \[4, 0\]"),
        (np.ones((4, 2), dtype="float64"), r"holds float64; expected float16, float32, int8"),
        (with_value(np.nan), r"row 2 \(counted from 0\) holds not a finite number; expected the vector of line 3"),
        (with_value([1, np.inf]), r"row 2 .* not a finite number"),
        (with_value(0), r"row 2 .* nothing but zeros"),
        (np.ones((4, 2), dtype="int8"), r"all rows are the same"),
    ],
)
def test_mistakes(tmp_path, array, message):
    with pytest.raises(DataError, match=message) as caught:
        TeacherVectors(saved(tmp_path / "v.npy", array), 4, "a.txt")
    assert "\n" not in str(caught.value)


def test_files_that_are_no_array(tmp_path):
    np.savez(tmp_path / "v.npz", np.ones((4, 2)))
    np.save(tmp_path / "objects.npy", np.array([[{}], [{}]], dtype=object), allow_pickle=True)
    (tmp_path / "text.npy").write_text("0.1 0.2\n")
    (tmp_path / "empty.npy").touch()
    for name, message in (
        ("absent.npy", "no such file"),
        ("v.npz", "is an archive of arrays"),
        ("objects.npy", "cannot be read as .npy"),
        ("text.npy", "cannot be read as .npy"),
        ("empty.npy", "cannot be read as .npy"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            TeacherVectors(tmp_path / name, 4, "a.txt")
        assert "\n" not in str(caught.value)
