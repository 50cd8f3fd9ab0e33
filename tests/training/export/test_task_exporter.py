"""Several tasks on one language model in one exported folder: the same answers, kilobytes a task, clear refusals."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import paddle
import pytest
from eager import predict
from runs import names
from scripts import load_script
from tiny import EXAMPLES, LABELS, tiny_rtd, write_tiny_folder

from prompt_kit.cli.serve import models_of
from prompt_kit.errors import BundleError, CheckpointError, ConfigError
from prompt_kit.inference.predictor import Predictor
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.prompt_config import TasksConfig
from prompt_kit.training.export import task_exporter
from prompt_kit.training.export.exporter import Int8, export_bundle
from prompt_kit.training.export.task_exporter import export_tasks
from prompt_kit.training.models.heads import HeadArrays
from prompt_kit.training.models.pair_head import APART_PROMPT
from prompt_kit.training.models.prompt_model import PromptModel

TEXTS = [example.text_a for example in EXAMPLES]
MOOD = Verbalizer.from_lines(["good==大涨", "bad==公司"])
SOFT = "{'text': 'text_a'}{'soft': '主题是'}{'mask'}"
DEEP = "{'prefix': '新闻', 'length': 3}{'text': 'text_a'}{'hard': '主题是'}{'mask'}{'mask'}"
# name -> (labels, template, head, tokens at most): heads, soft tokens, prefixes, masks and lengths of every kind
TASKS = {
    "news": (LABELS, SOFT, "cosine", 32),
    "mood": (MOOD, DEEP, "soft", 20),
    "plain": (LABELS, "{'text': 'text_a'}{'hard': '的主题是'}{'mask'}", "manual", 32),
    "proto": (MOOD, "{'prefix': '体育'}{'soft': '新闻'}{'mask'}{'text': 'text_a'}", "prototype", 32),
}


def built(base, labels=LABELS, template=SOFT, head="soft", length=32, seed=1) -> PromptModel:
    """A model whose prompt and head have moved."""
    model = PromptModel.build(labels, template, str(base), "mlp", 8, head, max_seq_length=length)
    paddle.seed(seed)
    for parameter in model.prompt_parameters():
        parameter.set_value(parameter + 0.3 * paddle.randn(parameter.shape))
    if model.prefix is not None:
        model.prefix.gates.set_value(paddle.full(model.prefix.gates.shape, 0.7))
    model.eval()
    return model


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_folder):
    """(models by task, folders by task); every second one is saved without its language model."""
    place = tmp_path_factory.mktemp("tasks")
    models = {name: built(tiny_folder, *settings) for name, settings in TASKS.items()}
    for number, (name, model) in enumerate(models.items()):
        if number % 2:
            model.save_prompt_only()
        model.save_pretrained(place / name)
    return models, {name: place / name for name in TASKS}


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "all"
    export_tasks(list(trained[1].values()), path)
    return path


def test_every_task_answers_as_its_model(trained, folder):
    predictor = Predictor(folder, device="cpu")
    assert predictor.tasks == tuple(TASKS)
    for name, model in trained[0].items():
        expected = predict(model)
        one = predictor.for_task(name)
        assert one.labels == model.verbalizer.labels and one.prompt_tokenizer.max_seq_length == TASKS[name][3]
        np.testing.assert_allclose(
            one.logits(one.prompt_tokenizer.encode_many(EXAMPLES)), expected, rtol=1e-3, atol=1e-3
        )
        labels = [model.verbalizer.labels[best] for best in expected.argmax(axis=1)]
        assert [answer.label for answer in predictor.predict(TEXTS, task=name)] == labels
        assert [answer.label for answer in Predictor(folder, device="cpu", task=name).predict(TEXTS, 3)] == labels


def test_what_is_written(trained, folder):
    assert names(folder) == sorted(
        ["README.md", "model.onnx", "model.onnx.data", "model_fp16.onnx", "model_fp16.onnx.data", "prompt_config.json",
         "tokenizer.json", *(f"task-{name}.npz" for name in TASKS)]
    )  # fmt: skip
    config = json.loads((folder / "prompt_config.json").read_text("utf-8"))
    assert (config["kind"], config["format_version"]) == ("task_set", 3)
    assert TasksConfig.from_dict(config).to_dict() == config
    assert all(one["parity"]["fp32"] < 1e-4 for one in config["tasks"].values())
    numbers = sum(parameter.size for parameter in trained[0]["news"].head.parameters())
    assert (folder / "task-news.npz").stat().st_size < 8 * numbers + 4 * 3 * 32 * 4 + 20_000


def test_tasks_share_the_session_and_the_vocabulary(folder):
    predictor = Predictor(folder, device="cpu")
    sessions = {id(model._session) for model in predictor.models}
    tokenizers = {id(model.prompt_tokenizer.tokenizer) for model in predictor.models}
    assert len(predictor.models) == 4 and len(sessions) == len(tokenizers) == 1


def test_without_a_prefix_the_graph_has_no_input_for_one(trained, tmp_path):
    models, folders = trained
    export_tasks([folders["news"], folders["plain"]], tmp_path / "two", ["first", "second"], fp16=False)
    predictor = Predictor(tmp_path / "two", device="cpu")
    assert predictor.tasks == ("first", "second")
    assert not any("prefix" in name for name in predictor.models[0]._session.inputs)
    np.testing.assert_allclose(
        predictor.for_task("second").logits(models["plain"].prompt_tokenizer.encode_many(EXAMPLES)),
        predict(models["plain"]), rtol=1e-4, atol=1e-4,
    )  # fmt: skip


def test_int8(trained, tmp_path, tiny_data):
    folders = trained[1]
    mood = shutil.copytree(tiny_data, tmp_path / "mood")
    (mood / "label.txt").write_text("good==大涨\nbad==公司\n", "utf-8")
    for name in ("dev.txt", "test.txt"):
        (mood / name).write_text("今天大涨\tgood\n公司发布\tbad\n", "utf-8")
    config = export_tasks(
        [folders["news"], folders["mood"]], tmp_path / "two", int8=[Int8(tiny_data, True), Int8(mood, True)], fp16=False
    )
    assert list(config.models) == ["fp32", "int8"]
    assert all(0 < one.parity["int8"] < 1 for one in config.tasks.values())
    assert config.agreement["int8"]["texts"] == 8 + 10
    assert len(Predictor(tmp_path / "two", precision="int8", task="mood").predict(TEXTS)) == len(TEXTS)


def test_a_wrong_graph_is_refused(trained, tmp_path, monkeypatch):
    real = task_exporter.task_arrays

    def wrong(model, with_prefix):
        arrays = real(model, with_prefix)
        return {**arrays, "head_bias": arrays["head_bias"] + np.arange(len(arrays["head_bias"]), dtype="float32")}

    monkeypatch.setattr(task_exporter, "task_arrays", wrong)
    with pytest.raises(BundleError, match=r"model.onnx for .*news: logits differ from the model's"):
        export_tasks([trained[1]["news"], trained[1]["plain"]], tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_every_head_as_arrays(trained):
    rng = np.random.default_rng(0)
    for name, model in trained[0].items():
        masks, width = model.prompt_tokenizer.num_masks, 32
        states = rng.normal(size=(5, masks, width)).astype("float32")
        arrays: HeadArrays = model.head.arrays()
        flat = states.reshape(5, -1)
        centred = flat - arrays.center
        unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
        expected = flat @ arrays.weight + arrays.bias + unit @ arrays.directions
        np.testing.assert_allclose(
            model.head(paddle.to_tensor(states)).numpy(), expected, rtol=1e-4, atol=1e-4, err_msg=name
        )


# -- what is refused ---------------------------------------------------------------------------------------------------


def refused(kind, match, *args, **options):
    with pytest.raises(kind, match=match) as error:
        export_tasks(*args, **options)
    assert "\n" not in str(error.value)


def test_other_language_models_are_refused(trained, tiny_folder, tmp_path):
    other = built(write_tiny_folder(tmp_path / "bert", "bert"))
    other.save_pretrained(tmp_path / "other")
    news = trained[1]["news"]
    refused(
        CheckpointError,
        r"has other weights of its language model .* train each with --freeze_plm",
        [news, tmp_path / "other"],
        tmp_path / "x",
    )
    trained_too = built(tiny_folder)
    weight = trained_too.backbone.get_input_embeddings().weight
    weight.set_value(weight * 1.001)
    trained_too.save_pretrained(tmp_path / "tuned")
    refused(CheckpointError, "has other weights", [news, tmp_path / "tuned"], tmp_path / "x")
    tiny_rtd().save_pretrained(tmp_path / "rtd")
    refused(CheckpointError, "was trained with --method rtd", [news, tmp_path / "rtd"], tmp_path / "x")
    apart = PromptModel.build(Verbalizer.from_lines(["a==体育", "b==汽车"]), APART_PROMPT, str(tiny_folder), head="pair",
                              max_seq_length=40)  # fmt: skip
    apart.save_pretrained(tmp_path / "apart")
    refused(CheckpointError, "reads each of two texts alone", [news, tmp_path / "apart"], tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_names(trained, tmp_path):
    news = trained[1]["news"]
    refused(ConfigError, "two tasks would be called news", [news, news], tmp_path / "x")
    refused(ConfigError, "expected 2, one a folder, got 1", [news, news], tmp_path / "x", ["a"])
    refused(ConfigError, "--task_names: task name 'a/b'", [news, news], tmp_path / "x", ["a/b", "c"])


def test_another_folder_is_not_written_over(trained, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine", "utf-8")
    refused(BundleError, "is not empty and not an exported folder", list(trained[1].values()), tmp_path / "mine")


def test_an_earlier_export_is_replaced(trained, tmp_path):
    folders = trained[1]
    export_bundle(trained[0]["plain"], tmp_path / "out", fp16=False)
    export_tasks([folders["news"], folders["plain"]], tmp_path / "out", fp16=False)
    export_tasks([folders["news"], folders["mood"]], tmp_path / "out", fp16=False)
    assert [name for name in names(tmp_path / "out") if name.endswith(".npz")] == ["task-mood.npz", "task-news.npz"]
    export_bundle(trained[0]["plain"], tmp_path / "out", fp16=False)
    assert not [name for name in names(tmp_path / "out") if name.endswith(".npz")]
    assert Predictor(tmp_path / "out", device="cpu").tasks == ()


# -- predicting --------------------------------------------------------------------------------------------------------


def test_a_task_is_chosen_or_asked_for(folder, trained, tmp_path):
    predictor = Predictor(folder, device="cpu")
    with pytest.raises(ConfigError, match=r"serves the tasks news, mood, plain, proto: name one"):
        predictor.predict(TEXTS)
    with pytest.raises(ConfigError, match=r"task 'nes': .* serves news, mood, plain, proto; name one of these"):
        predictor.predict(TEXTS, task="nes")
    with pytest.raises(ConfigError, match="serves task news, so none is to be named"):
        predictor.for_task("news").predict(TEXTS, task="mood")
    export_bundle(trained[0]["plain"], tmp_path / "one", fp16=False)
    with pytest.raises(ConfigError, match="is of one task, so none is to be named"):
        Predictor(tmp_path / "one", device="cpu").predict(TEXTS, task="news")


def test_it_can_be_pickled(folder):
    one = pickle.loads(pickle.dumps(Predictor(folder, device="cpu", task="mood")))  # noqa: S301
    assert one.task == "mood" and one.predict(TEXTS) == Predictor(folder, device="cpu").predict(TEXTS, task="mood")


def test_a_service_has_the_tasks_as_models(folder, trained, tmp_path):
    served = models_of("default", Predictor(folder, device="cpu"))
    assert list(served) == [f"default.{name}" for name in TASKS]
    assert served["default.mood"].labels == MOOD.labels
    export_bundle(trained[0]["plain"], tmp_path / "one", fp16=False)
    assert list(models_of("one", Predictor(tmp_path / "one", device="cpu"))) == ["one"]


def damaged(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "damaged")


def test_a_damaged_folder_says_what_is_wrong(folder, tmp_path):
    broken = damaged(folder, tmp_path)
    (broken / "task-news.npz").write_bytes(b"PK")
    with pytest.raises(BundleError, match=r"task-news.npz is damaged"):
        Predictor(broken, device="cpu")
    shutil.copy(broken / "task-mood.npz", broken / "task-news.npz")  # two labels, two masks
    with pytest.raises(BundleError, match=r"task-news.npz: head_weight has 2 labels, expected 3"):
        Predictor(broken, device="cpu")
    np.savez(broken / "task-news.npz", head_bias=np.zeros(3, "float32"))
    with pytest.raises(BundleError, match="does not belong to its folder: expected float32 arrays"):
        Predictor(broken, device="cpu")
    np.savez(broken / "task-news.npz", head_bias=np.array([{}], dtype=object))
    with pytest.raises(BundleError, match=r"task-news.npz is damaged"):  # a pickle is not read
        Predictor(broken, device="cpu")
    (broken / "task-news.npz").unlink()
    with pytest.raises(BundleError, match="task-news.npz is missing"):
        Predictor(broken, device="cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 9}, "reads task_sets of 3; update"),
        ({"tasks": {}}, "tasks: expected one or more"),
        ({"tasks": 3}, "tasks"),
        ({"tasks": {"../x": {}}}, "task name '../x': expected up to 64"),
        ({"inputs": {"input_ids": ["batch", "length"]}}, "inputs: expected"),
    ],
)
def test_a_damaged_configuration(folder, tmp_path, change, message):
    broken = damaged(folder, tmp_path)
    path = broken / "prompt_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **change}), "utf-8")
    with pytest.raises(BundleError, match=message):
        Predictor(broken, device="cpu")


# -- from the command line ---------------------------------------------------------------------------------------------


def test_export_and_infer(trained, tmp_path, capsys):
    models, folders = trained
    out = tmp_path / "both"
    load_script("export").main(
        ["--resume_from_checkpoint", str(folders["news"]), str(folders["mood"]), "--output_dir", str(out), "--no_fp16"]
    )
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "one language model with the tasks news (" in said and "KB), mood (" in said
    infer = load_script("infer").main
    for name in ("news", "mood"):
        infer(["--model_path_prefix", str(out), "--device", "cpu", "--task", name, "--text", *TEXTS])
        labels = models[name].verbalizer.labels
        assert capsys.readouterr().out.split() == [labels[best] for best in predict(models[name]).argmax(axis=1)]
    with pytest.raises(ConfigError, match="serves the tasks news, mood: name one, --task NAME"):
        infer(["--model_path_prefix", str(out), "--device", "cpu", "--text", *TEXTS])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "several tasks go into a folder of their own; give --output_dir"),
        (["--output_dir", "x", "--int8", "--data_dir", "one"], "needs texts of each"),
        (["--output_dir", "x", "--check", "bf16", "--data_dir", "one"], "--check bf16 is for a folder of one task"),
    ],
)
def test_flags_that_do_not_go_together(flags, message):
    with pytest.raises(ConfigError, match=message):
        load_script("export").main(["--resume_from_checkpoint", "a", "b", *flags])


def test_one_task_takes_one_folder_of_data():
    with pytest.raises(ConfigError, match="--data_dir names 2 folders, but there is one task"):
        load_script("export").main(["--resume_from_checkpoint", "a", "--int8", "--data_dir", "one", "two"])
