"""notebooks/: each runs from top to bottom, and is committed with clean outputs and pictures."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[3] / "notebooks"
STEPS = "2"


@dataclass(frozen=True)
class Notebook:
    """What a notebook has beside clean outputs.

    shows     patterns of what its outputs say
    agree     a pattern with two groups: one number, found in two ways
    writes    files of its run -> their lines, None for what has no lines
    modules   what it imports or calls beside paddle
    thinned   a quarter of train.txt and dev.txt will do for a quick run
    """

    name: str
    pictures: int
    shows: tuple[str, ...]
    agree: str
    writes: dict[str, Optional[int]]
    modules: tuple[str, ...] = ("matplotlib", "onnxruntime", "paddle2onnx")
    thinned: bool = False


QUICKSTART = Notebook(
    "tnews_quickstart.ipynb",
    2,
    (r"零样本，测试集准确率 +\d+\.\d%", r"测试集准确率 \d+\.\d%（150 条）", r"训练后，验证集准确率 \d+\.\d%"),
    r"验证集准确率 (0\.\d{4})，命令行得到的是 (0\.\d{4})",
    {"checkpoints_notebook/tnews/export/model.onnx": None, "checkpoints_notebook/labels.txt": 100},
    thinned=True,  # read and evaluated seven times
)
NEW_LABEL = Notebook(
    "transfer_new_label.ipynb",
    2,
    (
        r"考题：游戏 26 条，其余 14 类 140 条",
        r"news_game==游戏",
        r"14 个标签，加上之后 15 个，最后一个是 news_game",
        r"leave-one-out on 28 examples, no training",
        r"pick: (no source|--init_prompt_from checkpoints_new_label/source)",
    ),
    r"与命令行相同的预测：(\d+) / (\d+)",
    {"checkpoints_new_label/model14/export/model.onnx": None, "checkpoints_new_label/support_4_word.txt": 4},
)
SERVICE = Notebook(
    "doccano_to_service.ipynb",
    4,
    (
        r"texts decided by the majority: 1; texts left out because their votes tie: 1",
        r"测试集准确率 \d+\.\d%（48 条）",
        r"停止之前发出的请求：状态码 200，480 条都有回答\s+退出码 0\nprompt-kit serve: stopped\n再发请求：连接被拒绝",
    ),
    r"(\d+) 个请求得到 200，其中 (\d+) 个与刚才一次问完时的标签相同",
    {"checkpoints_service/model/report/report.html": None, "checkpoints_service/data/train.txt": 95},
    modules=(
        "matplotlib",
        "onnxruntime",
        "paddle2onnx",
        "sklearn",
        "jinja2",
        "fastapi",
        "uvicorn",
        "prometheus_client",
    ),
)
ALL = (QUICKSTART, NEW_LABEL, SERVICE)
each = pytest.mark.parametrize("about", ALL, ids=lambda about: about.name.removesuffix(".ipynb"))


def read(about: Notebook) -> dict:
    return json.loads((NOTEBOOKS / about.name).read_text(encoding="utf-8"))


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


def check_outputs(notebook: dict, about: Notebook) -> None:
    """Every code cell ran, in order and without an error; its pictures, no box for a missing glyph; what it shows."""
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not [output for output in cell["outputs"] if output["output_type"] == "error"]
        # a script's failure is a line in a shell cell, not an exception
        for bad in (": error: ", "Traceback", "missing from", "Warning"):
            assert bad not in text_of(cell), text_of(cell)
    found = pictures(notebook)
    assert len(found) == about.pictures
    for png in found:
        width, height = picture_size(png)
        assert 400 <= width <= 1200 and 200 <= height <= 1000
    text = "\n".join(map(text_of, cells))
    for shown in about.shows:
        assert re.search(shown, text), shown
    one, other = re.search(about.agree, text).groups()
    assert one == other


def cell_with(code: str, about: Notebook) -> str:
    return next("".join(c["source"]) for c in code_cells(read(about)) if code in "".join(c["source"]))


@pytest.fixture
def chinese_font():
    """The notebooks' function, out of the cell that defines it."""
    source = cell_with("def chinese_font", QUICKSTART)
    pytest.importorskip("matplotlib")
    pytest.importorskip("IPython")
    scope = {"Path": Path}
    exec(source.replace("%matplotlib inline", ""), scope)  # noqa: S102 -- our own notebook
    return scope["chinese_font"]


@pytest.mark.slow
@each
def test_it_runs_from_top_to_bottom(root, tmp_path, about):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    for name in ("ipykernel", *about.modules):
        pytest.importorskip(name)
    for name in ("prompt_kit", "data/tnews", "notebooks", "tools"):
        shutil.copytree(
            root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        )
    for name in ("train.py", "export.py", "infer.py"):
        shutil.copy(root / name, tmp_path)
    for name in ("train.txt", "dev.txt") if about.thinned else ():
        path = tmp_path / "data/tnews" / name
        path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[::4]) + "\n", encoding="utf-8")
    folder = tmp_path / "notebooks"
    notebook = nbformat.read(folder / about.name, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env={**os.environ, "PROMPT_KIT_NOTEBOOK_STEPS": STEPS})
    check_outputs(notebook, about)
    for name, lines in about.writes.items():
        assert (tmp_path / name).is_file()
        assert lines is None or len((tmp_path / name).read_text(encoding="utf-8").splitlines()) == lines
    assert not list(folder.glob("checkpoints*"))


@each
def test_the_committed_notebook_has_clean_outputs(root, about):
    notebook = read(about)
    check_outputs(notebook, about)
    text = (NOTEBOOKS / about.name).read_text(encoding="utf-8")
    assert len(text.encode("utf-8")) < 600_000
    without_pictures = re.sub(r'"image/png": "[^"]*"', "", text)
    for trace in (r"\u001b", r"\r", "%|", "/home/", "/Users/", "/root/", "/tmp/", "site-packages", str(root)):
        assert trace not in without_pictures, trace
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert all(cell["metadata"] == {} for cell in notebook["cells"])  # no times of execution
    assert text.count(", dev accuracy 0.") >= 6  # a whole run, not a quick one


@each
def test_links_lead_somewhere(about):
    for cell in read(about)["cells"]:
        if cell["cell_type"] == "markdown":
            for target in re.findall(r"\]\((?!https?://)([^)#]+)", "".join(cell["source"])):
                assert (NOTEBOOKS / target).exists(), target


def test_every_notebook_is_tested_and_linked(root):
    assert sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")) == sorted(about.name for about in ALL)
    for readme in ("README.md", "README_zh.md"):
        text = (root / readme).read_text(encoding="utf-8")
        assert all(f"(notebooks/{about.name})" in text for about in ALL)


def test_the_helpers_are_the_same_in_every_notebook():
    assert len({cell_with("def chinese_font", about) for about in ALL}) == 1


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
