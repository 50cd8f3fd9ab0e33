"""Every Python block of README.md and of docs/ that is a complete program runs, in a folder with the sample data.

A block is not run if the line before it is `<!-- not run: why -->`. The blocks of a page run in its order, in one folder, so a
later one finds what an earlier one saved; each has a namespace of its own.
"""

from __future__ import annotations

import re
import shutil

import pytest

_BLOCK = re.compile(r"(<!-- not run: .+? -->\n)?^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def pages(root) -> list[str]:
    """The English ones: tests/docs/test_pages.py finds the same programs in their twins, but for comments."""
    names = sorted(f"docs/{path.name}" for path in (root / "docs").glob("*.md"))
    return ["README.md", *(name for name in names if not name.endswith("_zh.md"))]


def blocks(text: str) -> list[str]:
    """The programs of a page, in order."""
    return [program for skipped, program in _BLOCK.findall(text) if not skipped]


def pytest_generate_tests(metafunc):
    if "page" in metafunc.fixturenames:
        root = metafunc.config.rootpath
        found = [name for name in pages(root) if blocks((root / name).read_text("utf-8"))]
        metafunc.parametrize("page", found)


def test_blocks_that_are_marked_are_left_out():
    text = "a\n```python\none\n```\n<!-- not run: a part -->\n```python\ntwo\n```\n```bash\nx\n```\n\n```python\nthree\n```\n"
    assert blocks(text) == ["one\n", "three\n"]


@pytest.fixture(scope="module")
def sample(root, tmp_path_factory):
    """A folder with the sample data, two lines a class and few to evaluate on, and an export of the untrained model."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("paddle2onnx")
    from prompt_kit import PromptClassifier

    folder = tmp_path_factory.mktemp("sample")
    shutil.copytree(root / "data" / "tnews", folder / "data" / "tnews")
    for name, step in (("train", 16), ("dev", 30), ("test", 15), ("data", 10)):
        path = folder / "data" / "tnews" / f"{name}.txt"
        lines = path.read_text("utf-8").splitlines()
        path.write_text("\n".join(lines[::step]) + "\n", encoding="utf-8")
    PromptClassifier(folder / "data/tnews", model_name_or_path="mini_zh", verbose=False).export(
        folder / "checkpoints/export"
    )
    return folder


@pytest.mark.slow
def test_the_programs_of_a_page_run(root, sample, page, tmp_path, monkeypatch):
    from prompt_kit.training.loop.arguments import PromptTrainingArguments

    shutil.copytree(sample, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    made = PromptTrainingArguments._check

    def short(self):
        self.max_steps = 1  # a program trains with the defaults, for longer than a test may
        made(self)

    monkeypatch.setattr(PromptTrainingArguments, "_check", short)
    for number, program in enumerate(blocks((root / page).read_text("utf-8")), start=1):
        # no comma in the name: Paddle takes the lines of a traceback apart at commas
        exec(compile(program, f"{page}.block-{number}", "exec"), {"__name__": "__main__"})  # noqa: S102 -- our own
