"""export.py --with_examples: the folder carries train.txt, and explanations name the lines that the model takes to be near."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import EXAMPLES, tiny_model

pytest.importorskip("onnxruntime")
pytest.importorskip("paddle2onnx")

from prompt_kit.cli.export import main, parse
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.inference.predictor import Predictor


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    tiny_model().save_pretrained(folder)
    return folder


def test_they_are_carried_and_a_new_export_drops_them(run, tiny_data, capsys):
    main(["--resume_from_checkpoint", str(run), "--no_fp16", "--with_examples", "--data_dir", str(tiny_data)])
    assert f"examples.npz carries {2 * len(EXAMPLES)} training texts" in capsys.readouterr().err
    predictor = Predictor(run / "export", device="cpu", num_threads=1)
    known = predictor.training_examples
    assert known.texts[: len(EXAMPLES)] == tuple(one.text_a for one in EXAMPLES)
    assert known.labels[: len(EXAMPLES)] == tuple(one.label for one in EXAMPLES)
    assert np.allclose(known.states, predictor.states(list(known.texts)), atol=1e-3)
    (near,) = predictor.nearest([EXAMPLES[0].text_a], 2)
    assert {one.text for one in near} == {EXAMPLES[0].text_a} and near[0].similarity == pytest.approx(1, abs=1e-2)
    main(["--resume_from_checkpoint", str(run), "--no_fp16"])
    assert not (run / "export" / "examples.npz").exists()


def test_mistakes_leave_nothing_behind(run, tmp_path):
    (tmp_path / "train.txt").write_text("球\tno_label\n", encoding="utf-8")
    flags = ["--resume_from_checkpoint", str(run), "--output_dir", str(tmp_path / "new"), "--with_examples"]
    with pytest.raises(DataError, match="train.txt:1"):
        main([*flags, "--data_dir", str(tmp_path)])
    assert not (tmp_path / "new").exists()
    with pytest.raises(ConfigError, match="--with_examples needs the training texts"):
        parse(["--with_examples"], "export.py")
    with pytest.raises(ConfigError, match="--with_examples changes the graph"):
        parse(["--with_examples", "--data_dir", "x", "--model_path_prefix", "y"], "export.py")
    with pytest.raises(ConfigError, match="--force is for"):
        parse(["--with_examples", "--data_dir", "x", "--force"], "export.py")
