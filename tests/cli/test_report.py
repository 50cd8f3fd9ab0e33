"""prompt-kit report: an exported folder and a labelled file make a page."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from toy_bundle import write_toy_bundle

pytest.importorskip("onnxruntime")
pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("jinja2")

from prompt_kit.cli import main as command
from prompt_kit.errors import ConfigError, DataError


@pytest.fixture
def flags(tmp_path):
    folder = write_toy_bundle(tmp_path / "run" / "export")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.txt").write_text(
        "球队\tsports\n车股\tfinance\n股票\tfinance\n" + "新" * 20 + "球\tcar\n", "utf-8"
    )
    return [
        *("report", "--model_path_prefix", str(folder), "--data_dir", str(tmp_path / "data"), "--device", "cpu"),
        *("--num_threads", "1", "--output_dir", str(tmp_path / "report")),
    ]


def test_page(flags, tmp_path, capsys):
    state = {"log_history": [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]}
    (tmp_path / "run" / "trainer_state.json").write_text(json.dumps(state), encoding="utf-8")
    command.main(flags)
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path}/report/report.html\n"
    assert "2 of 4 texts of test.txt are right, 50.0% (95 % interval 15.0% to 85.0%)" in captured.err
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "<dd>1 / 4</dd>" in page, "one text is cut"
    assert '<mark style="--strength: 0.60">车</mark>股' in page and "车&nbsp;+" in page
    assert "toy" in page and (tmp_path / "report" / "training.png").is_file()


def test_dev_where_test_has_no_labels(flags, tmp_path, capsys):
    (tmp_path / "data" / "test.txt").write_text("球队\n车\n", encoding="utf-8")
    (tmp_path / "data" / "dev.txt").write_text("车\tcar\n", encoding="utf-8")
    command.main([*flags, "--language", "zh", "--explain", "0"])
    assert "1 of 1 texts of dev.txt" in capsys.readouterr().err
    assert "数据：dev.txt" in (tmp_path / "report" / "report.html").read_text("utf-8")
    with pytest.raises(DataError, match="test.txt: no labels"):
        command.main([*flags, "--split", "test"])


def test_mistakes(flags, tmp_path):
    with pytest.raises(ConfigError, match="--explain must be 0 or more"):
        command.main([*flags, "--explain", "-1"])
    with pytest.raises(DataError, match="train.txt: no such file"):
        command.main([*flags, "--split", "train"])
    assert not (tmp_path / "report").exists()


def test_without_the_extra_it_is_one_line(flags, root):
    """Neither Paddle nor matplotlib: the line names what to install."""
    code = (
        "import importlib.util as u, sys; sys.modules.update(paddle=None, paddlenlp=None); find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name in ('matplotlib', 'jinja2') else find(name, *rest)\n"
        "from prompt_kit.cli.main import console\nconsole()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *flags], cwd=root, capture_output=True, timeout=120, encoding="utf-8"
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(
        "matplotlib, jinja2 are not installed; a report needs the extra 'report': pip install \".[report]\"\n"
    )
    assert done.stderr.count("\n") == 1
