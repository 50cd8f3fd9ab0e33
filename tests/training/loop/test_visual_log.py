"""The confusion matrix and the scores in a VisualDL log, read back with VisualDL's own reader."""

from __future__ import annotations

import io

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("visualdl")

from prompt_kit.training.loop.visual_log import log_report


def test_what_is_logged_is_read_back(tmp_path):
    from matplotlib.image import imread, imsave
    from visualdl import LogReader

    report = tmp_path / "report"
    report.mkdir()
    picture = np.zeros((6, 9, 3), np.uint8)
    picture[2, 3] = 255, 0, 128
    imsave(str(report / "confusion_matrix.png"), picture)
    log_report(
        tmp_path / "log",
        report,
        {"test_accuracy": 0.75, "test_loss": 1, "test_samples": 8, "seed": 42, "test_f1": None},
    )
    (log,) = (tmp_path / "log").iterdir()
    reader = LogReader(file_path=str(log))
    tags = reader.get_tags()
    assert sorted(tags["scalar"]) == ["report/test_accuracy", "report/test_loss"]
    (one,) = reader.get_data("scalar", "report/test_accuracy")
    assert one.value == pytest.approx(0.75)
    (image,) = reader.get_data("image", "report/confusion_matrix")
    found = (imread(io.BytesIO(image.image.encoded_image_string))[..., :3] * 255).round().astype(np.uint8)
    assert np.array_equal(found, picture)


def test_without_a_matrix(tmp_path):
    log_report(tmp_path / "log", tmp_path, {"eval_accuracy": 0.5})
    assert len(list((tmp_path / "log").iterdir())) == 1
