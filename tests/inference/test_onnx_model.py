"""One graph of a bundle: which device, engine and precision run it, and a graph that is not the bundle's."""

from __future__ import annotations

import itertools
import logging
import pickle
import sys

import numpy as np
import pytest
from toy_bundle import edit_config, toy_config

from prompt_kit.data.dataset import Example
from prompt_kit.errors import BundleError, ConfigError, DependencyError
from prompt_kit.inference.predictor import Predictor

onnxruntime = pytest.importorskip("onnxruntime")


def test_fp16_on_a_cpu_is_fp32_with_a_notice(folder, caplog):
    predictor = Predictor(folder, device="cpu", precision="fp16")
    assert predictor.precision == "fp32"
    assert "fp16" in caplog.text and predictor.predict(["车"])[0].label == "car"


def test_damaged_model(engine, own):
    for content in (b"", b"not a model", (own / "model.onnx").read_bytes()[:100]):
        (own / "model.onnx").write_bytes(content)
        with pytest.raises(BundleError, match="model.onnx") as caught:
            Predictor(own, device="cpu", engine=engine)
        assert "\n" not in str(caught.value)


def test_graph_of_another_template(engine, own):
    prompt = {**toy_config().prompt, "template": "{'text': 'text_a'}{'soft': '是'}{'mask'}"}
    edit_config(own, **toy_config(prompt=prompt).to_dict())
    with pytest.raises(BundleError, match="does not belong"):
        Predictor(own, device="cpu", engine=engine)


def test_graph_with_another_number_of_labels(engine, own):
    two = type(toy_config().verbalizer).from_lines(["a==球", "b==车"])
    edit_config(own, **toy_config(verbalizer=two).to_dict())
    with pytest.raises(BundleError, match="3 logits.*2 labels"):
        Predictor(own, device="cpu", engine=engine)


def test_onnxruntime_is_not_installed(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DependencyError, match=r"\.\[infer\].*\.\[infer-gpu\]"):
        Predictor(folder)


def test_gpu_with_the_cpu_build(folder, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DependencyError, match=r"pip uninstall -y onnxruntime onnxruntime-gpu && pip install"):
        Predictor(folder, device="gpu")
    assert Predictor(folder, device="auto").device == "cpu"


class FakeSession:
    """A session that says which provider it runs on."""

    def __init__(self, path, options, providers, cuda_works):
        names = [one if isinstance(one, str) else one[0] for one in providers]
        if "CUDAExecutionProvider" in names and cuda_works == "raises":
            raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected")
        self.providers = names if cuda_works is True else ["CPUExecutionProvider"]
        self.path = path
        self.real = onnxruntime.capi.onnxruntime_inference_collection.InferenceSession(
            path.replace("model_fp16", "model"), options, providers=["CPUExecutionProvider"]
        )
        print("noise of onnxruntime") if "CUDAExecutionProvider" in names else None

    def get_providers(self):
        return self.providers

    def __getattr__(self, name):
        return getattr(self.real, name)


@pytest.fixture
def cuda(monkeypatch):
    """Pretend that this onnxruntime has CUDA; what becomes of it is the fixture's argument."""

    def pretend(works):
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
        monkeypatch.setattr(
            onnxruntime,
            "InferenceSession",
            lambda path, options, providers: FakeSession(path, options, providers, works),
        )

    return pretend


def test_auto_takes_a_gpu_that_works(own, cuda, capsys):
    cuda(True)
    (own / "model_fp16.onnx").write_bytes(b"")
    predictor = Predictor(own, precision="fp16")
    assert (predictor.device, predictor.precision) == ("gpu", "fp16")
    assert predictor.models[0]._session.session.path.endswith("model_fp16.onnx")
    assert predictor.predict(["车"])[0].label == "car"
    assert capsys.readouterr().out == ""  # stdout is for labels


@pytest.mark.parametrize("works", [False, "raises"])
def test_auto_passes_over_a_gpu_that_does_not_start(folder, cuda, works, caplog):
    caplog.set_level(logging.WARNING)
    cuda(works)
    predictor = Predictor(folder)
    assert predictor.device == "cpu" and predictor.predict(["车"])[0].label == "car"
    assert len(caplog.records) == 1 and "CUDA" in caplog.text
    with pytest.raises(DependencyError, match="device gpu cannot be used"):
        Predictor(folder, device="gpu")


def test_a_damaged_model_is_not_blamed_on_cuda(own, cuda):
    cuda(True)
    (own / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(BundleError, match="damaged"):
        Predictor(own, device="gpu")


def test_fp16_that_was_not_exported(own, cuda):
    cuda(True)
    edit_config(own, models={"fp32": "model.onnx"})
    with pytest.raises(BundleError, match="no fp16 model"):
        Predictor(own, precision="fp16")


@pytest.fixture
def with_int8(own, monkeypatch):
    """A bundle with model_int8.onnx, and how it does on this CPU is the fixture's argument."""
    (own / "model_int8.onnx").write_bytes((own / "model.onnx").read_bytes())

    def write(share=0.995, fast=True):
        models = {"fp32": "model.onnx", "int8": "model_int8.onnx"}
        edit_config(own, models=models, agreement={"int8": {"share": share, "texts": 1000}})
        monkeypatch.setattr("prompt_kit.inference.onnx_model.multiplies_int8", lambda: fast)
        return own

    return write


@pytest.mark.parametrize(
    ("asked", "share", "fast", "used"),
    [
        ("auto", 0.995, True, "int8"),
        ("auto", 0.99, True, "int8"),
        ("auto", 0.98, True, "fp32"),  # exported with --force
        ("auto", None, True, "fp32"),
        ("auto", 0.995, False, "fp32"),
        ("int8", 0.98, True, "int8"),
        ("fp32", 0.995, True, "fp32"),
    ],
)
def test_which_precision_runs_on_a_cpu(with_int8, caplog, asked, share, fast, used):
    predictor = Predictor(with_int8(share, fast), device="cpu", precision=asked)
    assert (predictor.device, predictor.precision) == ("cpu", used)
    assert predictor.models[0].path.name == {"fp32": "model.onnx", "int8": "model_int8.onnx"}[used]
    assert predictor.predict(["车"])[0].label == "car"
    assert caplog.text == ""
    assert pickle.loads(pickle.dumps(predictor)).precision == used  # noqa: S301  our own bytes


def test_int8_on_a_cpu_that_is_not_made_for_it(with_int8, caplog):
    assert Predictor(with_int8(fast=False), device="cpu", precision="int8").precision == "int8"
    assert "no VNNI" in caplog.text


def test_int8_that_was_not_copied_along(with_int8):
    folder = with_int8()
    (folder / "model_int8.onnx").unlink()
    assert Predictor(folder, device="cpu").precision == "fp32"
    with pytest.raises(BundleError, match="model_int8.onnx is missing"):
        Predictor(folder, device="cpu", precision="int8")


def test_int8_stays_on_the_cpu(own, with_int8, cuda):
    cuda(True)
    predictor = Predictor(with_int8(), precision="int8")
    assert (predictor.device, predictor.precision) == ("cpu", "int8")
    with pytest.raises(ConfigError, match="int8 is for CPUs"):
        Predictor(own, device="gpu", precision="int8")


def test_int8_that_was_not_exported(folder):
    with pytest.raises(BundleError, match="no int8 model, only fp32, fp16; export it again with --int8"):
        Predictor(folder, device="cpu", precision="int8")


def test_auto_is_fp16_on_a_gpu_where_it_was_exported(own, cuda):
    cuda(True)
    assert Predictor(own).precision == "fp32"
    (own / "model_fp16.onnx").write_bytes(b"")
    assert Predictor(own).precision == "fp16"
    assert Predictor(own, precision="fp32").precision == "fp32"


def test_engines_agree(folder):
    pytest.importorskip("openvino")
    texts = ["".join(pair) for pair in itertools.product("球队车股票新", "球车票" * 3)]
    one, other = (Predictor(folder, "cpu", engine=name) for name in ("onnxruntime", "openvino"))
    assert [(each.label, each.text) for each in one.predict(texts)] == [
        (each.label, each.text) for each in other.predict(texts)
    ]
    np.testing.assert_allclose(
        *(each.probabilities([Example(text) for text in texts]) for each in (one, other)), atol=1e-6
    )
    assert (one.engine, other.engine) == ("onnxruntime", "openvino")


def test_int8_and_older_bundles_on_each_engine(engine, with_int8, monkeypatch):
    """A bundle with its weights in the graph's own file and no `weights` in its config is what earlier versions wrote."""
    predictor = Predictor(with_int8(), "cpu", precision="int8", engine=engine)
    assert (predictor.engine, predictor.precision) == (engine, "int8")
    assert predictor.predict(["车"])[0].label == "car"
    edit_config(predictor.folder, weights=None, agreement=None)
    assert Predictor(predictor.folder, "cpu", engine=engine).predict(["股"])[0].label == "finance"


@pytest.mark.parametrize(
    "arguments",
    [
        {"precision": "bf16", "engine": "onnxruntime"},
        {"precision": "bf16", "device": "gpu"},
        {"engine": "openvino", "device": "gpu"},
    ],
)
def test_what_an_engine_has_not(folder, arguments):
    with pytest.raises(ConfigError, match="use engine openvino|for CPUs: use device cpu"):
        Predictor(folder, **arguments)


@pytest.fixture
def with_bf16(own, monkeypatch):
    """A bundle whose export found this agreement of bf16, and what OpenVINO says of this CPU."""

    def write(agreement, cpu_has_it=True):
        edit_config(own, agreement={"bf16": agreement} if agreement else {})
        monkeypatch.setattr("prompt_kit.inference.engines.openvino.computes_in_bf16", lambda: cpu_has_it)
        return own

    return write


def test_bf16_runs_the_graph_of_fp32(with_bf16, caplog):
    pytest.importorskip("openvino")
    predictor = Predictor(with_bf16({"share": 0.995, "texts": 1000}), "cpu", precision="bf16")
    assert (predictor.engine, predictor.precision, predictor.models[0].path.name) == ("openvino", "bf16", "model.onnx")
    assert predictor.predict(["车", "股票"])[1].label == "finance"
    assert caplog.text == ""
    assert pickle.loads(pickle.dumps(predictor)).precision == "bf16"  # noqa: S301  our own bytes


def test_bf16_that_changes_labels_is_refused(with_bf16):
    with pytest.raises(BundleError, match=r"bf16 changes more labels than a bundle may.*0\.994.*use precision fp32"):
        Predictor(with_bf16({"share": 0.994, "texts": 1000}), "cpu", precision="bf16")


def test_bf16_that_was_not_compared_is_said(with_bf16, caplog):
    pytest.importorskip("openvino")
    assert Predictor(with_bf16(None), "cpu", precision="bf16").precision == "bf16"
    assert "did not compare bf16" in caplog.text


def test_bf16_on_a_cpu_without_it_is_fp32(with_bf16, caplog):
    predictor = Predictor(with_bf16({"share": 1.0}, cpu_has_it=False), "cpu", precision="bf16")
    assert (predictor.engine, predictor.precision) == ("onnxruntime", "fp32")
    assert "no bfloat16 products" in caplog.text


def test_openvino_is_not_installed(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    for arguments in ({"engine": "openvino"}, {"precision": "bf16"}):
        with pytest.raises(DependencyError, match=r"\.\[infer-openvino\].*use engine onnxruntime"):
            Predictor(folder, "cpu", **arguments)
    assert Predictor(folder, "cpu").engine == "onnxruntime"
