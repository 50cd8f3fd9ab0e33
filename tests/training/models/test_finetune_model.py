"""FineTuneModel: what it computes, what trains, folders, exports, and `train.py --method finetune`."""

from __future__ import annotations

import json
import logging

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from eager import inputs, predict
from runs import names, same, saved_weights, trainer, weights
from scripts import load_script
from tiny import EXAMPLES, FAMILIES, HARD, LABELS, VOCABULARY, tiny_backbone, tiny_finetune, tiny_model, tiny_tokenizer

from prompt_kit import FineTuneModel, PromptModel
from prompt_kit.data.dataset import Example
from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.inference.bundle import read_bundle
from prompt_kit.inference.predictor import Predictor
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.training.export.exporter import export_bundle, export_static
from prompt_kit.training.models.backbone import load_backbone
from prompt_kit.training.models.finetune_model import TEMPLATE

TEXTS = [example.text_a for example in EXAMPLES]


def step(model, parameters):
    optimizer = paddle.optimizer.AdamW(1e-2, parameters=parameters)
    model.train()
    labels = paddle.to_tensor([LABELS.label_to_id[example.label] for example in EXAMPLES])
    F.cross_entropy(model(**inputs(model)), labels).backward()
    optimizer.step()


# -- what it computes -------------------------------------------------------------------------------------------------


def test_the_input_is_the_text_alone():
    (features,) = tiny_finetune().prompt_tokenizer.encode_many([Example("汽车")])
    tokenizer = tiny_tokenizer()
    assert features.input_ids == [tokenizer.cls_id, *tokenizer.encode("汽车"), tokenizer.sep_id]
    assert features.mask_columns == [0] and features.soft_ids is None


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_a_linear_function_of_the_state_of_cls(family):
    model = tiny_finetune(family)
    batch = inputs(model)
    backbone = tiny_backbone(family)  # untouched, and over all rows
    states = getattr(backbone, backbone.base_model_prefix)(batch["input_ids"], token_type_ids=batch["token_type_ids"])
    states = (states if isinstance(states, paddle.Tensor) else states[0]).numpy()[:, 0]
    expected = states @ model.head.linear.weight.numpy() + model.head.linear.bias.numpy()
    np.testing.assert_allclose(predict(model), expected, atol=1e-5)
    assert np.ptp(expected, axis=0).min() > 0.01, "a model deaf to its text would pass"
    logits, rows = model(**batch, return_mask_states=True)
    assert rows.shape == [8, 1, 32]
    np.testing.assert_allclose(rows.numpy()[:, 0], states, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_changes_nothing(family):
    model = tiny_finetune(family)
    alone = np.concatenate([predict(model, [text]) for text in TEXTS])
    np.testing.assert_allclose(predict(model), alone, atol=1e-5)


def test_two_texts():
    template = "{'text': 'text_a'}{'sep'}{'text': 'text_b', 'token_type': 1}"
    tokenizer = tiny_finetune(template=template).prompt_tokenizer
    features = tokenizer.encode(Example("汽车", text_b="体育"))
    assert features.mask_columns == [0] and features.token_type_ids == [0, 0, 0, 0, 1, 1, 1]


def test_label_words_play_no_part(tiny_folder):
    """Neither their number of tokens nor whether the vocabulary has them."""
    model = FineTuneModel.build(
        type(LABELS).from_lines(["car", "sports==球", "x==不在词表里"]), str(tiny_folder), max_seq_length=32
    )
    assert predict(model).shape == (8, 3)


# -- what is refused --------------------------------------------------------------------------------------------------


def test_a_template_with_a_mask():
    tokenizer = PromptTokenizer(Template.parse(HARD), tiny_tokenizer(), 32)
    with pytest.raises(ConfigError, match="fine-tuning reads .CLS., but the template has masks"):
        FineTuneModel(tiny_backbone().ernie, tokenizer, LABELS)


def test_a_prompt_model_without_a_mask():
    tokenizer = PromptTokenizer(Template.parse(TEMPLATE), tiny_tokenizer(), 32)
    with pytest.raises(ConfigError, match="the template has no mask"):
        PromptModel(tiny_backbone(), tokenizer, LABELS)


def test_sizes_are_checked():
    with pytest.raises(ConfigError, match="max_seq_length 65 exceeds the language model's 64"):
        tiny_finetune(max_seq_length=65)


# -- backbones --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_masked_language_model_gives_its_encoder(tmp_path, family):
    backbone = tiny_backbone(family)
    write_folder(tmp_path, backbone)
    loaded = load_backbone(str(tmp_path), encoder=True).model
    expected = getattr(backbone, backbone.base_model_prefix)
    assert type(loaded) is type(expected)
    assert same(weights(loaded), weights(expected))


def write_folder(folder, model):
    model.save_pretrained(str(folder), safe_serialization=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}', encoding="utf-8")


@pytest.mark.parametrize("head", ["ElectraDiscriminator", "ElectraForSequenceClassification", "ElectraModel"])
def test_a_discriminator_gives_its_encoder(tmp_path, head):
    import paddlenlp.transformers as models

    encoder = tiny_backbone("electra").electra
    model = encoder if head == "ElectraModel" else getattr(models, head)(encoder.config)
    if model is not encoder:
        for name, parameter in model.electra.named_parameters():
            parameter.set_value(dict(encoder.named_parameters())[name])
    write_folder(tmp_path, model)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": [head]}), encoding="utf-8")
    loaded = load_backbone(str(tmp_path), encoder=True).model
    assert same(weights(loaded), weights(encoder))
    with pytest.raises(ConfigError, match=f"architecture '{head}' is not supported; expected one of BertForMaskedLM"):
        load_backbone(str(tmp_path))


# -- what trains ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_are_in_one_of_the_two_groups_and_get_gradients(family):
    model = tiny_finetune(family)
    groups = [{id(p) for p in model.language_model_parameters()}, {id(p) for p in model.prompt_parameters()}]
    trainable = {name: p for name, p in model.named_parameters() if not p.stop_gradient}
    assert groups[0].isdisjoint(groups[1]) and groups[0] | groups[1] == {id(p) for p in trainable.values()}
    assert groups[1] == {id(p) for name, p in trainable.items() if name.startswith("head.")}
    model(**inputs(model)).sum().backward()
    assert [name for name, p in trainable.items() if p.grad is None] == []
    assert all("pooler" in name for name, p in model.named_parameters() if p.stop_gradient)


def test_freezing_the_encoder_trains_the_classifier_alone():
    model = tiny_finetune()
    model.freeze_language_model()
    before = weights(model)
    step(model, [p for p in model.parameters() if not p.stop_gradient])
    after = weights(model)
    assert {name for name in before if not np.array_equal(before[name], after[name])} == {
        "head.linear.weight", "head.linear.bias",
    }  # fmt: skip


def test_dropout_of_the_classifier():
    model = tiny_finetune(dropout=0.5)
    model.freeze_dropout = True
    model.train()
    assert not any(layer.training for layer in model.backbone.sublayers(include_self=True))
    assert np.abs(model(**inputs(model)).numpy() - model(**inputs(model)).numpy()).max() > 0.01


def test_the_classifier_has_a_rate_of_its_own(tmp_path):
    run = trainer(tmp_path / "run", tiny_finetune(), max_steps=1, learning_rate=None)
    assert (run.args.learning_rate, run.args.ppt_learning_rate) == (2e-4, pytest.approx(2e-3))


@pytest.mark.parametrize("options", [{}, {"use_rdrop": True, "alpha_rdrop": 0.3}, {"use_rgl": True}])
def test_it_learns(tmp_path, options):
    """The examples that it is trained on, with either regulariser too."""
    model = tiny_finetune(dropout=0.0 if not options else 0.1)
    run = trainer(tmp_path / "run", model, max_steps=60, eval_steps=20, learning_rate=3e-3, **options)
    run.train()
    assert run.evaluate()["eval_accuracy"] == 1.0


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    settings = dict(max_steps=6, save_steps=3, save_strategy="steps", do_eval=False)
    trainer(tmp_path / "whole", tiny_finetune(), **settings).train()
    model = FineTuneModel.from_pretrained(tmp_path / "whole" / "checkpoint-3")
    trainer(tmp_path / "again", model, **settings).train(str(tmp_path / "whole" / "checkpoint-3"))
    whole, again = (saved_weights(tmp_path / run / "checkpoint-6") for run in ("whole", "again"))
    assert same(whole, again)


# -- folders and exports ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_round_trip(tmp_path, family):
    model = tiny_finetune(family)
    expected = predict(model)
    model.save_pretrained(tmp_path / "model")
    for kind in (FineTuneModel, PromptModel):  # the folder says what it holds
        loaded = kind.from_pretrained(tmp_path / "model")
        assert type(loaded) is FineTuneModel and loaded.config == model.config and not loaded.training
        np.testing.assert_array_equal(predict(loaded), expected)
    tiny_model(HARD).save_pretrained(tmp_path / "prompt")
    assert type(FineTuneModel.from_pretrained(tmp_path / "prompt")) is PromptModel


@pytest.mark.parametrize("family", FAMILIES)
def test_an_exported_model_gives_the_same_answers(tmp_path, family):
    model = tiny_finetune(family)
    config = export_bundle(model, tmp_path / "export")
    assert config.parity["fp32"] < 1e-4
    assert config.inputs == {
        "input_ids": ("batch", "length"), "token_type_ids": ("batch", "length"), "mask_columns": ("batch", 1),
    }  # fmt: skip
    predictor = Predictor(tmp_path / "export", device="cpu", num_threads=1)
    features = predictor.prompt_tokenizer.encode_many([Example(text) for text in TEXTS])
    np.testing.assert_allclose(predictor.logits(features), predict(model), atol=1e-4)
    best = [LABELS.labels[row] for row in predict(model).argmax(axis=1)]
    assert [one.label for one in predictor.predict(TEXTS)] == best
    read = read_bundle(tmp_path / "export")
    assert read.mode == "finetune" and read.format_version == 1 and str(read.template) == TEMPLATE


def test_a_static_graph_is_converted_again(tmp_path):
    export_bundle(tiny_finetune(), tmp_path / "export", fp16=False)
    export_static(tmp_path / "export" / "model", tmp_path / "again", fp16=False)
    one, two = (Predictor(tmp_path / name, device="cpu").predict(TEXTS) for name in ("export", "again"))
    assert one == two


# -- train.py ---------------------------------------------------------------------------------------------------------

SHORT = "--method finetune --do_train --max_steps 2 --logging_steps 1 --per_device_train_batch_size 8"


def test_the_whole_way(train, resume, tmp_path, tiny_data, capsys):
    folder = tmp_path / "run"
    train(f"{SHORT} --do_eval --do_predict --do_export --eval_steps 1 --output_dir {folder}")
    assert {"export", "model.safetensors", "prompt_config.json", "test_predictions.tsv"} <= set(names(folder))
    results = json.loads((folder / "all_results.json").read_text("utf-8"))
    assert results["mode"] == "finetune" and results["template"] == TEMPLATE and "eval_accuracy" in results
    resume(f"--do_predict --method finetune --resume_from_checkpoint {folder} --output_dir {folder}")
    again = json.loads((folder / "all_results.json").read_text("utf-8"))
    assert again["test_accuracy"] == results["test_accuracy"] and again["eval_accuracy"] == results["eval_accuracy"]
    capsys.readouterr()
    load_script("infer").main(["--model_path_prefix", str(folder / "export"), "--data_dir", str(tiny_data)])
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 8 and all(any(label in line for label in LABELS.labels) for line in printed)


@pytest.mark.parametrize(
    "flags",
    ["--prompt 主题是", "--verbalizer soft", "--soft_encoder none", "--encoder_hidden_size 64", "--calibrate"],
)
def test_flags_of_prompts(train, tmp_path, flags):
    with pytest.raises(ConfigError, match=f"{flags.split()[0]} .*contradicts --method finetune") as caught:
        train(f"{SHORT} {flags} --output_dir {tmp_path / 'out'}")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_there_is_no_zero_shot(train, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with pytest.raises(ConfigError, match="predicts nothing before it is trained.*--do_train"):
        train(f"--method finetune --do_eval --output_dir {tmp_path / 'out'}")
    assert "zero-shot" not in caplog.text and not (tmp_path / "out").exists()


def test_contradictions_with_a_checkpoint(train, resume, tmp_path):
    train(f"{SHORT} --output_dir {tmp_path / 'tuned'}")
    train(f"{SHORT.replace('finetune', 'prompt')} --output_dir {tmp_path / 'prompted'}")
    for folder, flags, held in (
        ("tuned", "--method prompt", "finetune"), ("prompted", "--method finetune", "prompt"),
        ("tuned", "--prompt 主题是", "{'text': 'text_a'}"), ("tuned", "--verbalizer soft", "linear"),
    ):  # fmt: skip
        again = f"--resume_from_checkpoint {tmp_path / folder} --output_dir {tmp_path / folder}"
        with pytest.raises(CheckpointError, match=f"{flags} contradicts the checkpoint .* has {held}; drop"):
            resume(f"--do_eval {flags} {again}")
    with pytest.raises(ConfigError, match="--calibrate is for prompts"):
        resume(f"--do_eval --calibrate --resume_from_checkpoint {tmp_path / 'tuned'} --output_dir out")
