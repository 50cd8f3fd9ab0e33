"""notebooks/tnews_quickstart.ipynb: runs from top to bottom, and is committed with clean outputs and pictures."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import struct
from pathlib import Path

import pytest

NAME = "tnews_quickstart.ipynb"
STEPS = "2"


def code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def text_of(cell: dict) -> str:
    """Everything a reader of the cell's outputs can read."""
    parts = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        parts += [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
    return "\n".join("".join(part) for part in parts)


def pictures(notebook: dict) -> list[bytes]:
    return [
        base64.b64decode("".join(output["data"]["image/png"]))
        for cell in code_cells(notebook)
        for output in cell["outputs"]
        if "image/png" in output.get("data", {})
    ]


def picture_size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def check_outputs(notebook: dict) -> None:
    """Every code cell ran, in order and without an error; two pictures, no box for a missing glyph."""
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not [output for output in cell["outputs"] if output["output_type"] == "error"]
        # a script's failure is a line in a shell cell, not an exception
        for bad in (": error: ", "Traceback", "missing from", "Warning"):
            assert bad not in text_of(cell), text_of(cell)
    found = pictures(notebook)
    assert len(found) == 2
    for png in found:
        width, height = picture_size(png)
        assert 400 <= width <= 1200 and 200 <= height <= 1000
    text = "\n".join(map(text_of, cells))
    assert re.search(r"零样本，测试集准确率 +\d+\.\d%", text)
    assert re.search(r"测试集准确率 \d+\.\d%（150 条）", text)
    assert re.search(r"训练后，验证集准确率 \d+\.\d%", text)
    from_python, from_shell = re.search(r"验证集准确率 (0\.\d{4})，命令行得到的是 (0\.\d{4})", text).groups()
    assert from_python == from_shell


@pytest.fixture(scope="module")
def committed() -> dict:
    path = Path(__file__).resolve().parents[3] / "notebooks" / NAME
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def chinese_font(committed):
    """The notebook's function, out of the cell that defines it."""
    source = next("".join(c["source"]) for c in code_cells(committed) if "def chinese_font" in "".join(c["source"]))
    pytest.importorskip("matplotlib")
    pytest.importorskip("IPython")
    scope = {"Path": Path}
    exec(source.replace("%matplotlib inline", ""), scope)  # noqa: S102 -- our own notebook
    return scope["chinese_font"]


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(root, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("paddle2onnx")
    for name in ("prompt_kit", "data/tnews", "notebooks"):
        shutil.copytree(
            root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        )
    for name in ("train.py", "export.py", "infer.py"):
        shutil.copy(root / name, tmp_path)
    for name in ("train.txt", "dev.txt"):  # read and evaluated seven times: a quarter of them will do
        path = tmp_path / "data/tnews" / name
        path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[::4]) + "\n", encoding="utf-8")
    folder = tmp_path / "notebooks"
    notebook = nbformat.read(folder / NAME, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env={**os.environ, "PROMPT_KIT_NOTEBOOK_STEPS": STEPS})
    check_outputs(notebook)
    assert (tmp_path / "checkpoints_notebook/tnews/export/model.onnx").is_file()
    assert len((tmp_path / "checkpoints_notebook/labels.txt").read_text(encoding="utf-8").splitlines()) == 100
    assert not list(folder.glob("checkpoints*"))


def test_the_committed_notebook_has_clean_outputs(root, committed):
    check_outputs(committed)
    text = (root / "notebooks" / NAME).read_text(encoding="utf-8")
    assert len(text.encode("utf-8")) < 600_000
    without_pictures = re.sub(r'"image/png": "[^"]*"', "", text)
    for trace in (r"\u001b", r"\r", "%|", "/home/", "/Users/", "/root/", "/tmp/", "site-packages", str(root)):
        assert trace not in without_pictures, trace
    assert committed["metadata"]["kernelspec"]["name"] == "python3"
    assert all(cell["metadata"] == {} for cell in committed["cells"])  # no times of execution
    assert text.count(", dev accuracy 0.") >= 6  # a whole run, not a quick one


def test_chinese_font_is_none_without_one(chinese_font, monkeypatch):
    from matplotlib import font_manager

    latin = [font for font in font_manager.fontManager.ttflist if font.name.startswith("DejaVu")]
    assert latin
    monkeypatch.setattr(font_manager.fontManager, "ttflist", latin)
    assert chinese_font("汽车") is None


def test_chinese_font_passes_over_a_font_that_lacks_a_character(chinese_font, monkeypatch):
    from matplotlib import font_manager

    dejavu = next(font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Sans")
    named_so = font_manager.FontEntry(fname=dejavu.fname, name="SimHei")  # no SimHei has so few characters, some have
    gone = font_manager.FontEntry(fname="no-such-file.ttf", name="Noto Sans CJK SC")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [gone, named_so])
    assert chinese_font("car") == "SimHei"
    assert chinese_font("汽车") is None
