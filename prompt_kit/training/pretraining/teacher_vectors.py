"""A teacher's vectors of the lines of a text file, read from a .npy file and checked before anything is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from prompt_kit.data.lines import PathLike
from prompt_kit.errors import DataError
from prompt_kit.inference.prototypes import unit

_KINDS = ("float16", "float32", "int8")
_AT_ONCE = 16384  # rows


class TeacherVectors:
    """Rows of a memory-mapped [N, D] array, row n that of line n; `self[rows]` is float32 [len(rows), D], of length 1.

    The mean of all rows is taken off each: many encoders give all texts nearly one direction, and a student that has
    learned that direction alone would be near to every vector.

    Args:
        path: .npy of float16, float32 or int8 (whose scale does not matter).
        lines: that the text file holds, blank ones not counted.
        text_file: its name, for messages.

    Raises:
        DataError: the file cannot be read, holds something else, has another number of rows than there are lines, or
            a row that is not finite or is all zeros.
    """

    def __init__(self, path: PathLike, lines: int, text_file: PathLike):
        self._rows = _open(path)
        if len(self._rows) != lines:
            raise DataError(
                f"{path} holds {len(self._rows)} rows, but {text_file} {lines} lines of text (blank ones not counted); "
                "expected one row a line: make the vectors from that file again"
            )
        digest = hashlib.sha256(str((self._rows.dtype, self._rows.shape)).encode())
        total = np.zeros(self._rows.shape[1])
        for start in range(0, lines, _AT_ONCE):
            some = np.ascontiguousarray(self._rows[start : start + _AT_ONCE])
            digest.update(some.tobytes())
            for wrong, what in (
                (~np.isfinite(some).all(1), "not a finite number"),
                (~some.any(1), "nothing but zeros"),
            ):
                if wrong.any():
                    row = start + int(wrong.argmax())
                    raise DataError(
                        f"{path}: row {row} (counted from 0) holds {what}; expected the vector of line {row + 1} of the text "
                        f"of {text_file}: make it again, or leave the line out of both"
                    )
            total = total + some.sum(0, dtype="float64")
        self.fingerprint = digest.hexdigest()[:16]
        self._mean = (total / lines).astype("float32")
        if lines > 1 and not (self._rows[:_AT_ONCE] != self._rows[0]).any():
            raise DataError(f"{path}: all rows are the same; expected vectors that tell the lines apart")

    @property
    def width(self) -> int:
        """D."""
        return self._rows.shape[1]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Sequence[int]) -> np.ndarray:
        return unit(self._rows[np.asarray(rows, dtype="int64")].astype("float32") - self._mean)


def _open(path: PathLike) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected a .npy file of the teacher's vectors") from None
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path} cannot be read as .npy ({reason}); write it with numpy.save") from None
    if not isinstance(array, np.ndarray):
        raise DataError(
            f"{path} is an archive of arrays; expected one array: write it with numpy.save, not numpy.savez"
        )
    if array.ndim != 2 or not array.shape[1]:
        raise DataError(f"{path} is of shape {list(array.shape)}; expected [lines, numbers of a vector]")
    if array.dtype.name not in _KINDS:
        raise DataError(f"{path} holds {array.dtype.name}; expected {', '.join(_KINDS)}: convert it with .astype")
    return array
