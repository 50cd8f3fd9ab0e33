"""The exported folder gives the model's answers, for every backbone and prompt; a wrong one is never written."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import shutil
import subprocess

import numpy as np
import onnx
import paddle
import pytest
from eager import inputs, predict
from tiny import EXAMPLES, FAMILIES, HARD, SOFT, tiny_model
from toy_bundle import write_toy_bundle

from prompt_kit import versions
from prompt_kit.errors import BundleError, CheckpointError, DataError
from prompt_kit.inference.bundle import read_bundle
from prompt_kit.inference.predictor import Predictor
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.export import onnx_graph, onnx_parity
from prompt_kit.training.export.exporter import Int8, export_bundle, export_checkpoint, export_static
from prompt_kit.training.models.backbone import load_backbone
from prompt_kit.training.models.prompt_model import PromptModel

TEXTS = [example.text_a for example in EXAMPLES]
TWO_MASKS = "{'text': 'text_a'}{'hard': '这条新闻的主题是'}{'mask'}{'mask'}"
TWO_MASKS_SOFT = "{'text': 'text_a'}{'soft': '主题是'}{'mask'}{'mask'}{'soft'}"


def exported(folder, model: PromptModel, texts=TEXTS) -> np.ndarray:
    predictor = Predictor(folder, device="cpu", num_threads=1)
    assert predictor.predict(texts) == predictor.predict(texts)
    features = predictor.prompt_tokenizer.encode_many([dataclasses.replace(EXAMPLES[0], text_a=t) for t in texts])
    return predictor.logits(features)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """(model, folder) of one export that tests only look at."""
    model = tiny_model()
    model.eval()
    folder = tmp_path_factory.mktemp("bundle") / "export"
    export_bundle(model, folder, metrics={"eval_accuracy": 0.75})
    return model, folder


CASES = [
    *[(family, prompt, "soft", "lstm") for family in FAMILIES for prompt in (TWO_MASKS, "这条新闻的主题是")],
    ("ernie", "这条新闻的主题是", "manual", "mlp"),
    ("ernie", TWO_MASKS_SOFT, "manual", "none"),
    ("electra", TWO_MASKS_SOFT, "soft", "mlp"),
    ("ernie", HARD, "manual", "none"),
    ("bert", "{'text': 'text_a'}{'sep'}{'hard': '主题是', 'token_type': 1}{'mask'}", "soft", "none"),
    *[(family, "{'prefix': '新闻', 'length': 3}" + HARD, "soft", "none") for family in FAMILIES],
    ("ernie", "{'prefix', 'encoder': 'mlp', 'hidden_size': 8}" + TWO_MASKS_SOFT, "soft", "mlp"),
    ("bert", "{'prefix': '新闻', 'encoder': 'lstm', 'hidden_size': 8}" + HARD, "soft", "none"),
]


@pytest.mark.parametrize(("family", "prompt", "head", "encoder"), CASES)
def test_answers_are_the_models(tmp_path, family, prompt, head, encoder):
    model = tiny_model(prompt, family, head, encoder)
    for name, parameter in model.named_parameters():  # the encoder starts as the identity: make it do something
        if name.startswith(("soft_prompt", "prefix")):
            parameter.set_value(paddle.randn(parameter.shape) * 0.3)
    model.eval()
    if model.prefix is not None:
        model.prefix.gates.set_value(paddle.full(model.prefix.gates.shape, 0.7))
    config = export_bundle(model, tmp_path / "export")
    expected, actual = predict(model), exported(tmp_path / "export", model)
    assert np.allclose(actual, expected, rtol=1e-4, atol=1e-4)
    assert (actual.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert config.parity["fp32"] < 1e-4 and config.parity["fp16"] < 0.1
    predictions = Predictor(tmp_path / "export", device="cpu").predict(TEXTS)
    assert [one.label for one in predictions] == [model.verbalizer.labels[best] for best in expected.argmax(axis=1)]


def test_the_graph_has_our_names_and_free_dimensions(bundle):
    _, folder = bundle
    for name, soft in (("model.onnx", 1), ("model_fp16.onnx", 10)):
        graph = onnx.load(folder / name)
        shapes = {
            value.name: [dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim]
            for value in (*graph.graph.input, *graph.graph.output)
        }
        free = ["batch", "length"]
        assert shapes == {
            "input_ids": free, "token_type_ids": free, "mask_columns": ["batch", 1], "soft_ids": free, "logits": ["batch", 3],
        }  # fmt: skip
        kinds = [value.type.tensor_type.elem_type for value in (*graph.graph.input, *graph.graph.output)]
        assert kinds == [onnx.TensorProto.INT64] * 4 + [onnx.TensorProto.FLOAT]
        assert [(one.domain, one.version) for one in graph.opset_import] == [("", onnx_graph.OPSET)]
        assert graph.ir_version <= 9  # what onnxruntime 1.15 reads
        assert soft in {tensor.data_type for tensor in graph.graph.initializer}
        assert not {"Identity", "Constant"} & {node.op_type for node in graph.graph.node}


def test_the_soft_encoder_has_run(bundle):
    model, folder = bundle
    graph = onnx.load(folder / "model.onnx").graph
    assert "LSTM" not in {node.op_type for node in graph.node}
    assert any("lstm" in name for name, _ in model.named_parameters())


def test_the_last_layer_runs_on_the_mask_rows_alone(bundle):
    """Its queries come from the gathered rows; its keys and values from all of them."""
    graph = onnx.load(bundle[1] / "model.onnx").graph
    makers = {name: node for node in graph.node for name in node.output}

    def gathered(name):
        node = makers.get(name)
        return node is not None and (node.op_type == "GatherElements" or any(map(gathered, node.input)))

    scores = [makers[makers[node.input[0]].input[0]] for node in graph.node if node.op_type == "Softmax"]
    assert [[gathered(name) for name in node.input] for node in scores] == [[False, False], [True, False]]


def test_what_is_written(bundle):
    model, folder = bundle
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "model.json", "model.onnx", "model.onnx.data", "model.pdiparams", "model_fp16.onnx",
        "model_fp16.onnx.data", "prompt_config.json", "tokenizer.json",
    ]  # fmt: skip
    config = read_bundle(folder)
    assert config.labels == model.verbalizer.labels
    assert config.template == model.template
    assert config.metrics == {"eval_accuracy": 0.75}
    assert config.base_model == "tiny-ernie" and config.mode == "prompt"
    assert config.versions["prompt-kit"] == versions.__version__ and "paddlepaddle" in config.versions
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "| car | 汽车 |" in card and "| dev.txt | not recorded | 0.7500 |" in card and "infer.py" in card
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} <= {"0o644", "0o664", "0o666"}


def test_the_model_is_as_before(tmp_path):
    model = tiny_model()
    model.train()
    model.backbone.eval()  # as --freeze_dropout leaves it
    modes = [layer.training for layer in model.sublayers(include_self=True)]
    before = {name: value.numpy().copy() for name, value in model.named_parameters()}
    gradients = {name: value.stop_gradient for name, value in model.named_parameters()}
    embedding = model.backbone.get_input_embeddings()
    table = embedding._table
    paddle.seed(7)
    expected = paddle.rand([3]).numpy()
    paddle.seed(7)
    export_bundle(model, tmp_path / "export", fp16=False)
    assert (paddle.rand([3]).numpy() == expected).all()  # the random state is the training's
    assert [layer.training for layer in model.sublayers(include_self=True)] == modes
    assert model.backbone.get_input_embeddings() is embedding and embedding._table is table
    after = dict(model.named_parameters())
    assert list(after) == list(before)
    assert all((after[name].numpy() == value).all() for name, value in before.items())
    assert {name: value.stop_gradient for name, value in after.items()} == gradients
    model(**inputs(model)).sum().backward()
    assert model.soft_prompt.vectors.grad is not None


@pytest.mark.slow
def test_a_model_of_thousands_of_words_survives_half_precision(tmp_path):
    """Ids above 2048 are not exact in fp16; paddle2onnx computes the soft tokens' ids in floats."""
    backbone = load_backbone("mini_zh")
    prompt_tokenizer = PromptTokenizer(Template.from_prompt("这条新闻标题的主题是"), backbone.tokenizer, 32)
    verbalizer = Verbalizer.from_lines(["car==汽车", "sports==体育", "finance==财经", "tech==科技"])
    model = PromptModel(backbone.model, prompt_tokenizer, verbalizer)
    config = export_bundle(model, tmp_path / "export")
    assert config.parity["fp32"] < 1e-4 and config.parity["fp16"] < 2e-2
    parameters = sum(value.size for _, value in model.named_parameters())
    # half the bytes, and the embedding once: its padding index must not leave a mask of the same size
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "export").iterdir()}
    assert sizes["model_fp16.onnx.data"] < 2.1 * parameters and sizes["model.onnx.data"] < 4.1 * parameters
    assert sizes["model_fp16.onnx"] < 1e5 and sizes["model.onnx"] < 1e5


def test_the_weights_lie_beside_the_graph(bundle):
    """Aligned, one after the other, and small constants, which onnxruntime reads before it maps them, not among them."""
    _, folder = bundle
    config = read_bundle(folder)
    assert config.weights == {"fp32": "model.onnx.data", "fp16": "model_fp16.onnx.data"}
    for name, weights in zip(config.models.values(), config.weights.values()):
        graph = onnx.load(folder / name, load_external_data=False).graph
        apart = [{entry.key: entry.value for entry in tensor.external_data} for tensor in graph.initializer]
        apart = [entry for entry in apart if entry]
        assert {entry["location"] for entry in apart} == {weights}
        ends = [(int(entry["offset"]), int(entry["offset"]) + int(entry["length"])) for entry in apart]
        assert all(start % 64 == 0 and end - start >= 1024 for start, end in ends)
        assert all(0 <= start - end < 64 for (_, end), (start, _) in zip(ends, ends[1:]))
        assert (folder / weights).stat().st_size == ends[-1][1]


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_damaged_weights(tmp_path, bundle, damage):
    shutil.copytree(bundle[1], tmp_path / "export")
    weights = tmp_path / "export" / "model.onnx.data"
    if damage == "missing":
        weights.unlink()
    else:
        os.truncate(weights, weights.stat().st_size // 2)
    message = r"model\.onnx\.data is missing" if damage == "missing" else r"model\.onnx cannot be loaded, it is damaged"
    with pytest.raises(BundleError, match=message) as caught:
        Predictor(tmp_path / "export", device="cpu")
    assert "\n" not in str(caught.value)


def test_quiet_and_without_installing_anything(tmp_path, capfd, monkeypatch):
    def refuse(*arguments, **keywords):
        raise AssertionError(f"a program was started: {arguments}")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    export_bundle(tiny_model(), tmp_path / "export")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_without_fp16(tmp_path):
    config = export_bundle(tiny_model(HARD), tmp_path / "export", fp16=False)
    assert config.models == {"fp32": "model.onnx"} and list(config.parity) == ["fp32"]
    assert not (tmp_path / "export" / "model_fp16.onnx").exists()


@pytest.mark.parametrize(("family", "prompt"), [*[(family, SOFT) for family in FAMILIES], ("ernie", TWO_MASKS_SOFT)])
def test_int8(tmp_path, tiny_data, family, prompt):
    model = tiny_model(prompt, family)
    config = export_bundle(model, tmp_path / "export", int8=Int8(tiny_data, force=True))
    assert config == read_bundle(tmp_path / "export")
    assert list(config.models) == ["fp32", "fp16", "int8"] and config.models["int8"] == "model_int8.onnx"
    texts = {line.split("\t")[0] for name in ("dev", "test", "data") for line in lines(tiny_data / f"{name}.txt")}
    assert config.agreement["int8"]["texts"] == len(texts)
    predictors = [Predictor(tmp_path / "export", device="cpu", precision=one) for one in ("fp32", "int8")]
    wanted, got = ([one.label for one in predictor.predict(sorted(texts))] for predictor in predictors)
    share = sum(map(str.__eq__, wanted, got)) / len(texts)
    assert config.agreement["int8"]["share"] == pytest.approx(share)
    assert 0 < config.parity["int8"] < 0.5
    graph = onnx.load(tmp_path / "export" / "model_int8.onnx")
    kinds = [node.op_type for node in graph.graph.node]
    # 2 layers of 6 products; of the last one the keys and values alone have all rows; ELECTRA projects its embeddings
    assert kinds.count("MatMulInteger") == 8 + (family == "electra")
    assert [(one.domain, one.version) for one in graph.opset_import] == [("", onnx_graph.OPSET)]
    card = (tmp_path / "export" / "README.md").read_text(encoding="utf-8")
    assert f"`model_int8.onnx` gives {share:.2%} of {len(texts)} texts the label" in card


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.slow
def test_int8_that_changes_labels_is_refused(tmp_path, tiny_data, monkeypatch):
    monkeypatch.setattr(onnx_parity, "compare_labels", lambda *_: (0.5, 0.875))
    with pytest.raises(BundleError, match=r"only 87.50% of 8 texts of .*less than 99%.*--force; nothing was written"):
        export_bundle(tiny_model(), tmp_path / "export", int8=Int8(tiny_data))
    assert list(tmp_path.iterdir()) == []
    config = export_bundle(tiny_model(), tmp_path / "export", int8=Int8(tiny_data, force=True))
    assert not config.agrees("int8") and Predictor(tmp_path / "export", device="cpu").precision != "int8"


def test_int8_on_another_models_data(tmp_path, tiny_data):
    shutil.copytree(tiny_data, tmp_path / "data")
    (tmp_path / "data" / "dev.txt").write_text("今天\tweather\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"dev\.txt:1: unknown label 'weather'"):
        export_bundle(tiny_model(), tmp_path / "export", int8=Int8(tmp_path / "data"))
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize("before", ["absent", "a bundle"])
def test_a_graph_that_answers_otherwise_is_not_written(tmp_path, monkeypatch, before):
    folder = tmp_path / "out" / "export"
    if before == "a bundle":
        export_bundle(tiny_model(HARD), folder, fp16=False)
    old = {path.name: path.read_bytes() for path in folder.glob("*")}
    real = onnx_parity.open_onnx
    monkeypatch.setattr(onnx_parity, "open_onnx", lambda path: lambda arrays: real(path)(arrays) + np.float32(5e-3))
    with pytest.raises(BundleError, match=r"model\.onnx: logits differ .* nothing was written"):
        export_bundle(tiny_model(HARD, seed=1), folder)
    assert {path.name: path.read_bytes() for path in folder.glob("*")} == old
    assert [path.name for path in folder.parent.glob("*")] == (["export"] if old else [])


def test_a_failed_conversion_is_one_line(tmp_path, monkeypatch):
    import paddle2onnx

    def fail(*arguments, **keywords):
        print("[ERROR] operator 'foo' is not supported")
        raise UnboundLocalError("onnx_model_str")

    monkeypatch.setattr(paddle2onnx, "export", fail)
    with pytest.raises(BundleError, match="operator 'foo' is not supported") as caught:
        export_bundle(tiny_model(HARD), tmp_path / "export")
    assert "\n" not in str(caught.value) and not (tmp_path / "export").exists()


def test_an_earlier_export_is_replaced_and_other_files_stay(tmp_path):
    folder = tmp_path / "export"
    export_bundle(tiny_model(HARD), folder)
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(b"png")
    model = tiny_model(seed=3)
    export_bundle(model, folder, fp16=False)
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert (folder / "pictures" / "a.png").read_bytes() == b"png"
    assert not list(folder.glob("model_fp16*"))
    assert read_bundle(folder).template == model.template


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "export").mkdir()
    export_bundle(tiny_model(HARD), tmp_path / "export", fp16=False)
    assert read_bundle(tmp_path / "export").labels


@pytest.mark.parametrize("names", [["thesis.doc"], ["README.md"], ["model.safetensors", "prompt_config.json"]])
def test_a_folder_of_something_else_is_refused(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text('{"head": "soft"}', encoding="utf-8")
    with pytest.raises(BundleError, match="not an exported folder"):
        export_bundle(tiny_model(HARD), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "export").write_text("", encoding="utf-8")
    with pytest.raises(BundleError, match="is a file"):
        export_bundle(tiny_model(HARD), tmp_path / "export")


def test_export_of_a_checkpoint(tmp_path):
    model = tiny_model()
    model.save_pretrained(tmp_path / "run")
    results = {"eval_accuracy": 0.5, "eval_f1": 0.4, "eval_loss": 1.0, "note": "x"}
    (tmp_path / "run" / "all_results.json").write_text(json.dumps(results), encoding="utf-8")
    config = export_checkpoint(tmp_path / "run", tmp_path / "run" / "export")
    assert config.metrics == {"eval_accuracy": 0.5, "eval_f1": 0.4}
    model.eval()
    assert np.allclose(exported(tmp_path / "run" / "export", model), predict(model), rtol=1e-4, atol=1e-4)
    with pytest.raises(CheckpointError, match="is an exported folder"):
        export_checkpoint(tmp_path / "run" / "export", tmp_path / "again")


def test_a_static_graph_is_converted_again(bundle, tmp_path):
    model, folder = bundle
    config = export_static(folder / "model", tmp_path / "export")
    assert config.metrics == {"eval_accuracy": 0.75} and config.parity["fp32"] < 1e-4
    assert np.allclose(exported(tmp_path / "export", model), predict(model), rtol=1e-4, atol=1e-4)
    export_static(tmp_path / "export" / "model", tmp_path / "export", fp16=False)  # in its place
    assert list(read_bundle(tmp_path / "export").models) == ["fp32"]


def test_a_static_graph_of_paddle_2(tmp_path):
    """model.pdmodel, of the program format before Paddle 3."""
    folder = write_toy_bundle(tmp_path / "old")
    with paddle.pir_utils.OldIrGuard():
        program, start = paddle.static.Program(), paddle.static.Program()
        with paddle.static.program_guard(program, start):
            shapes = {"input_ids": [None, None], "token_type_ids": [None, None], "mask_columns": [None, 1]}
            inputs = [paddle.static.data(name, shape, "int64") for name, shape in shapes.items()]
            scores = paddle.nn.functional.embedding(
                inputs[0], paddle.static.create_parameter([12, 3], "float32", name="scores")
            )
            logits = paddle.mean(scores, axis=1)
            for unused in inputs[1:]:
                logits = logits + 0.0 * paddle.mean(paddle.cast(unused, "float32"), axis=1, keepdim=True)
            executor = paddle.static.Executor(paddle.CPUPlace())
            executor.run(start)
            paddle.static.save_inference_model(str(folder / "model"), inputs, [logits], executor, program=program)
    assert not (folder / "model.json").exists()
    config = export_static(folder / "model", tmp_path / "export")
    assert config.parity["fp32"] < 1e-4
    assert (tmp_path / "export" / "model.pdmodel").is_file()
    assert Predictor(tmp_path / "export", device="cpu").predict(["球"])[0].label in config.labels


def test_a_damaged_static_graph(bundle, tmp_path):
    for name in ("model.json", "model.pdiparams"):
        folder = tmp_path / name
        shutil.copytree(bundle[1], folder)
        (folder / name).write_bytes((folder / name).read_bytes()[:999])
        with pytest.raises(BundleError, match="damaged") as caught:
            export_static(folder / "model", tmp_path / "export")
        assert "\n" not in str(caught.value) and not (tmp_path / "export").exists()


def test_a_static_graph_that_is_not_whole(bundle, tmp_path):
    _, folder = bundle
    with pytest.raises(BundleError, match="no static graph at"):
        export_static(tmp_path / "model", tmp_path / "export")
    (tmp_path / "model.json").write_bytes((folder / "model.json").read_bytes())
    with pytest.raises(BundleError, match="model.pdiparams is missing"):
        export_static(tmp_path / "model", tmp_path / "export")


def test_a_static_graph_of_another_template(bundle, tmp_path):
    _, folder = bundle
    export_bundle(tiny_model(HARD), tmp_path / "export", fp16=False)
    for name in ("model.json", "model.pdiparams"):
        (tmp_path / "export" / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(BundleError, match="soft_ids.*not of one export"):
        export_static(tmp_path / "export" / "model", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_predictor_of_an_export_pickles(bundle):
    predictor = Predictor(bundle[1], device="cpu")
    assert pickle.loads(pickle.dumps(predictor)).predict(TEXTS) == predictor.predict(TEXTS)  # noqa: S301  our own bytes
