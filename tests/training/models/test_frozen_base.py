"""A prompt saved without its language model: what the folder holds, and which language model it is loaded with."""

from __future__ import annotations

import json
import shutil

import numpy as np
import paddle
import pytest
from eager import predict
from runs import names, same, saved_weights, trainer, weights
from scripts import load_script
from tiny import LABELS, write_tiny_folder

from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.inference.predictor import Predictor
from prompt_kit.training.models.backbone import load_backbone
from prompt_kit.training.models.base import TextClassifier
from prompt_kit.training.models.finetune_model import FineTuneModel
from prompt_kit.training.models.frozen_base import weights_hash
from prompt_kit.training.models.prompt_model import PromptModel
from prompt_kit.training.models.prompt_transfer import init_prompt

DEEP = "{'prefix': '新闻', 'encoder': 'mlp', 'hidden_size': 8}{'text': 'text_a'}{'soft': '主题是'}{'mask'}"


def built(base, prompt=DEEP, head="soft") -> PromptModel:
    return PromptModel.build(LABELS, prompt, str(base), "mlp", 8, head, max_seq_length=32)


def moved(model):
    """The model with a prompt and head that training has changed."""
    paddle.seed(3)
    for parameter in model.prompt_parameters():
        parameter.set_value(parameter + 0.2 * paddle.randn(parameter.shape))
    model.eval()
    return model


@pytest.fixture
def saved(tiny_folder, tmp_path):
    """(model, folder) of a prompt that was saved alone."""
    model = moved(built(tiny_folder))
    model.save_prompt_only()
    model.save_pretrained(tmp_path / "saved")
    return model, tmp_path / "saved"


def test_the_folder_holds_prompt_and_head_alone(saved):
    model, folder = saved
    assert names(folder) == ["model.safetensors", "prompt_config.json"]
    held = saved_weights(folder)
    assert set(held) == {name for name in weights(model) if not name.startswith("backbone.")}
    assert {name.split(".")[0] for name in held} == {"prefix", "soft_prompt", "head"}
    config = json.loads((folder / "prompt_config.json").read_text("utf-8"))
    assert (config["base_sha256"], config["format_version"]) == (weights_hash(model.backbone), 3)


def test_it_comes_back_on_its_language_model(saved):
    model, folder = saved
    again = TextClassifier.from_pretrained(folder)
    assert same(weights(again), weights(model))
    np.testing.assert_array_equal(predict(again), predict(model))
    again.save_pretrained(folder.parent / "again")
    assert names(folder.parent / "again") == names(folder)


def test_folding_the_encoders_keeps_the_predictions(saved):
    model, folder = saved
    before = predict(model)
    model.fold_encoders()
    np.testing.assert_allclose(predict(model), before, atol=1e-6)
    assert "encoder" not in str(model.template)
    model.save_pretrained(folder)
    assert {name.split(".", 1)[1] for name in saved_weights(folder) if not name.startswith("head")} == {
        "keys", "values", "gates", "vectors",
    }  # fmt: skip
    np.testing.assert_array_equal(predict(TextClassifier.from_pretrained(folder)), predict(model))


def test_a_base_that_moved_is_named(saved, tiny_folder, tmp_path):
    model, folder = saved
    copy = shutil.copytree(tiny_folder, tmp_path / "elsewhere")
    config = json.loads((folder / "prompt_config.json").read_text("utf-8"))
    config["base_model"] = str(tmp_path / "gone")
    (folder / "prompt_config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(
        CheckpointError, match=r"prompt alone, whose language model .*gone cannot be loaded .* base_model="
    ):
        TextClassifier.from_pretrained(folder)
    again = TextClassifier.from_pretrained(folder, base_model=str(copy))
    np.testing.assert_array_equal(predict(again), predict(model))
    assert again.config.base_model == str(copy)


def test_another_base_is_refused(saved, tmp_path):
    _, folder = saved
    other = write_tiny_folder(tmp_path / "bert", "bert")
    with pytest.raises(CheckpointError, match=r"with weights \w{12}…, but .*bert has \w{12}…; give the one") as error:
        TextClassifier.from_pretrained(folder, base_model=str(other))
    assert "\n" not in str(error.value)


def test_the_hash_knows_a_number_from_another_and_no_pooler(tiny_folder):
    one, two = (load_backbone(str(tiny_folder)).model for _ in range(2))
    assert weights_hash(one) == weights_hash(two)
    two.ernie.pooler.dense.weight.set_value(two.ernie.pooler.dense.weight + 1)
    assert weights_hash(one) == weights_hash(two)
    bias = two.ernie.encoder.layers[1].linear2.bias
    bias.set_value(bias + 1e-4)
    assert weights_hash(one) != weights_hash(two)


def test_a_language_model_that_was_trained_is_not_left_out(tiny_folder):
    model = built(tiny_folder)
    weight = model.backbone.get_input_embeddings().weight
    weight.set_value(weight * 1.01)
    with pytest.raises(ConfigError, match=r"its weights have been trained.* train with --freeze_plm"):
        model.save_prompt_only()


@pytest.mark.parametrize("value", ["x", {}, 1, "A" * 64])
def test_a_damaged_hash(saved, value):
    _, folder = saved
    config = json.loads((folder / "prompt_config.json").read_text("utf-8"))
    config["base_sha256"] = value
    (folder / "prompt_config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(CheckpointError, match="prompt_config.json"):
        TextClassifier.from_pretrained(folder)


def test_another_task_starts_from_it(saved, tiny_folder, tmp_path):
    source, folder = saved
    model = built(tiny_folder)
    taken = init_prompt(model, folder)
    assert (taken.soft_tokens, taken.prefix_tokens) == (3, 2)
    for layer in ("soft_prompt", "prefix", "head"):
        assert same(weights(getattr(model, layer)), weights(getattr(source, layer)))
    other = built(write_tiny_folder(tmp_path / "bert", "bert"))
    with pytest.raises(ConfigError, match="prompt alone for the language model .* has other weights"):
        init_prompt(other, folder)


def test_a_fine_tuned_classifier_too(tiny_folder, tmp_path):
    model = FineTuneModel.build(LABELS, str(tiny_folder), max_seq_length=32)
    model.eval()
    model.save_prompt_only()
    model.save_pretrained(tmp_path / "saved")
    assert set(saved_weights(tmp_path / "saved")) == {"head.linear.weight", "head.linear.bias"}
    np.testing.assert_array_equal(predict(TextClassifier.from_pretrained(tmp_path / "saved")), predict(model))


def test_a_resumed_run_equals_the_uninterrupted_one(tiny_folder, tmp_path):
    options = dict(
        num_train_epochs=2, evaluation_strategy="steps", eval_steps=1, save_steps=1, freeze_plm=True, ema_decay=0.9,
        ppt_learning_rate=0.05,
    )  # fmt: skip
    model = built(tiny_folder)
    model.save_prompt_only()
    whole = trainer(tmp_path / "whole", model, **options)
    whole.train()
    held = sum(path.stat().st_size for path in (tmp_path / "whole" / "checkpoint-2").glob("*.safetensors"))
    assert held < 4 * 4 * sum(parameter.size for parameter in model.prompt_parameters()) + 20_000
    resumed = trainer(
        tmp_path / "resumed", TextClassifier.from_pretrained(tmp_path / "whole" / "checkpoint-2"), **options
    )
    resumed.train(str(tmp_path / "whole" / "checkpoint-2"))
    assert same(weights(resumed.model), weights(whole.model))


# -- from the command line ---------------------------------------------------------------------------------------------


def flags(base, data, folder, *more):
    return [
        *"--device cpu --report_to none --do_train --do_eval --do_predict --max_steps 4 --eval_steps 2 --save_steps 2".split(),
        *"--logging_steps 2 --ppt_learning_rate 0.05 --max_seq_length 32 --verbalizer soft --encoder_hidden_size 8".split(),
        *("--data_dir", str(data), "--model_name_or_path", str(base), "--output_dir", str(folder)),
        *("--prompt", DEEP, *more),
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_folder, tiny_data):
    folder = tmp_path_factory.mktemp("prompt-only") / "run"
    load_script("train").main(flags(tiny_folder, tiny_data, folder, "--freeze_plm", "--save_prompt_only"))
    return folder


def test_train_evaluate_export_infer(run, tiny_data, tmp_path, capsys):
    checkpoints = sorted(run.glob("checkpoint-*"))
    for folder in (run, *checkpoints):
        assert not {"config.json", "tokenizer.json"} & set(names(folder))
        assert not any(name.startswith("backbone.") for name in saved_weights(folder))
    assert all(any("encoder" in name for name in saved_weights(each)) for each in checkpoints) and checkpoints
    assert not any("encoder" in name for name in saved_weights(run))
    results = json.loads((run / "all_results.json").read_text("utf-8"))
    load_script("train").main(
        ["--do_eval", "--device", "cpu", "--resume_from_checkpoint", str(run), "--output_dir", str(tmp_path / "eval"),
         "--data_dir", str(tiny_data)]
    )  # fmt: skip
    again = json.loads((tmp_path / "eval" / "all_results.json").read_text("utf-8"))
    assert again["eval_accuracy"] == results["eval_accuracy"]
    load_script("export").main(["--resume_from_checkpoint", str(run), "--output_dir", str(tmp_path / "bundle")])
    rows = (run / "test_predictions.tsv").read_text("utf-8").splitlines()[1:]
    texts = [line.split("\t")[0] for line in (tiny_data / "test.txt").read_text("utf-8").splitlines()]
    got = [one.label for one in Predictor(tmp_path / "bundle").predict(texts)]
    assert len(rows) == len(got) and all(label in row.split("\t") for label, row in zip(got, rows))


def test_export_names_another_base(run, tmp_path):
    other = write_tiny_folder(tmp_path / "bert", "bert")
    with pytest.raises(CheckpointError, match="prompt alone"):
        load_script("export").main(
            [
                "--resume_from_checkpoint",
                str(run),
                "--model_name_or_path",
                str(other),
                "--output_dir",
                str(tmp_path / "x"),
            ]
        )
    assert not (tmp_path / "x").exists()


def test_training_goes_on_from_it(run, tiny_data, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    load_script("train").main(
        ["--do_train", "--do_eval", "--device", "cpu", "--report_to", "none", "--resume_from_checkpoint", str(folder),
         "--output_dir", str(folder), "--data_dir", str(tiny_data), "--max_steps", "6", "--eval_steps", "2"]
    )  # fmt: skip
    assert not any(name.startswith("backbone.") for name in saved_weights(folder))
    assert json.loads((folder / "all_results.json").read_text("utf-8"))["eval_accuracy"] >= 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--save_prompt_only"], "it must stay as it is; add --freeze_plm"),
        (["--save_prompt_only", "--freeze_plm", "--unlabeled_file", "x.txt"], "not for self-training"),
    ],
)
def test_flags_that_do_not_go_with_it(tiny_folder, tiny_data, tmp_path, more, message):
    with pytest.raises(ConfigError, match=message):
        load_script("train").main(flags(tiny_folder, tiny_data, tmp_path / "run", *more))
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_it_is_about_training(tiny_folder, tiny_data, tmp_path):
    with pytest.raises(ConfigError, match="is about what --do_train saves"):
        load_script("train").main(
            ["--do_eval", "--save_prompt_only", "--device", "cpu", "--data_dir", str(tiny_data), "--output_dir",
             str(tmp_path / "run"), "--model_name_or_path", str(tiny_folder)]
        )  # fmt: skip
