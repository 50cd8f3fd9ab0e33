"""The folder of an export: what is taken for one, what must stay, and how large it gets."""

from __future__ import annotations

import pytest
from toy_bundle import write_toy_bundle

from prompt_kit.errors import BundleError
from prompt_kit.training.export.export_folder import check_output_folder, copy_entry, export_size, is_export


@pytest.mark.parametrize(
    ("names", "ours"),
    [
        ([], True),
        (["model.json", "model.pdiparams"], True),  # of an earlier version, without prompt_config.json
        (["model.onnx", "model.onnx.data", "task-news.npz", "README.md"], True),
        (["README.md"], False),
        (["task-news.npz"], False),
        (["model.onnx", "thesis.doc"], False),
    ],
)
def test_what_an_export_left(tmp_path, names, ours):
    for name in names:
        (tmp_path / name).touch()
    assert is_export(tmp_path) is ours
    if not ours:
        with pytest.raises(BundleError, match=f"{tmp_path} is not empty and not an exported folder"):
            check_output_folder(tmp_path)


def test_what_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    assert not is_export(tmp_path / "file") and not is_export(tmp_path / "absent")
    assert check_output_folder(tmp_path / "absent") == []
    with pytest.raises(BundleError, match="is a file; expected a folder"):
        check_output_folder(tmp_path / "file")


def test_what_is_not_the_exports_is_kept(tmp_path):
    folder = write_toy_bundle(tmp_path / "export")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(b"png")
    (folder / "link").symlink_to("notes.txt")
    kept = check_output_folder(folder)
    assert [path.name for path in kept] == ["link", "notes.txt", "pictures"]
    (tmp_path / "new").mkdir()
    for path in kept:
        copy_entry(path, tmp_path / "new")
    assert (tmp_path / "new" / "link").is_symlink() and (tmp_path / "new" / "link").read_text("utf-8") == "mine"
    assert (tmp_path / "new" / "pictures" / "a.png").read_bytes() == b"png"


def test_the_size_by_hand():
    """Paddle's graph and model.onnx have all weights, fp16 and int8 at most half of them; graphs are small beside that."""
    assert export_size(10**9, fp16=False, int8=False) == 2 * 10**9 + 3 * 10**6
    assert export_size(10**9, fp16=True, int8=True) == 3 * 10**9 + 3 * 10**6
