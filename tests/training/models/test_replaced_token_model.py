"""ReplacedTokenModel: its scores are those of one pass a word, it trains, saves, exports, and answers by `train.py`."""

from __future__ import annotations

import csv
import json

import numpy as np
import paddle
import pytest
from eager import inputs, predict
from runs import same, trainer, weights
from scripts import load_script
from tiny import EXAMPLES, RTD_LABELS, tiny_discriminator, tiny_rtd, tiny_tokenizer, write_tiny_folder

from prompt_kit import PromptModel, ReplacedTokenModel
from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError, PromptKitError, TemplateError
from prompt_kit.inference.bundle import read_bundle
from prompt_kit.inference.predictor import Predictor
from prompt_kit.metrics import softmax
from prompt_kit.prompt.verbalizer import Verbalizer
from prompt_kit.training.export.exporter import Int8, export_bundle
from prompt_kit.training.models.backbone import load_backbone, load_discriminator
from prompt_kit.training.models.calibration import calibrate

TEXTS = [example.text_a for example in EXAMPLES]
SOFT = "{'mask'}{'soft': '新闻'}{'text': 'text_a'}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A discriminator's folder as a user has one."""
    return write_tiny_folder(tmp_path_factory.mktemp("electra") / "electra-tiny", discriminator=True)


# -- what it computes -------------------------------------------------------------------------------------------------


def test_scores_are_those_of_one_pass_a_word():
    discriminator, tokenizer = tiny_discriminator(), tiny_tokenizer()
    expected = []
    for text in TEXTS:
        of_labels = []
        for words in RTD_LABELS.words:
            of_words = []
            for word in words:
                ids = tokenizer.encode(word)
                sentence = [
                    tokenizer.cls_id,
                    *ids,
                    *tokenizer.encode("新闻"),
                    *tokenizer.encode(text),
                    tokenizer.sep_id,
                ]
                with paddle.no_grad():
                    replaced = discriminator(paddle.to_tensor([sentence])).numpy().reshape(-1)
                of_words.append(-replaced[1 : 1 + len(ids)].mean())
            of_labels.append(np.mean(of_words))
        expected.append(of_labels)
    found = predict(tiny_rtd())
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert np.ptp(expected, axis=0).min() > 0.01 and np.ptp(expected, axis=1).min() > 0.01, "a constant would pass"


def test_padding_and_neighbours_change_nothing():
    model = tiny_rtd()
    np.testing.assert_allclose(predict(model), np.concatenate([predict(model, [text]) for text in TEXTS]), atol=1e-5)


def test_one_word_of_one_token_and_one_text():
    model = tiny_rtd(labels=Verbalizer.from_lines(["car==车", "finance==股"]))
    assert predict(model, ["手机"]).shape == (1, 2)


def test_soft_tokens_start_as_their_words():
    np.testing.assert_allclose(predict(tiny_rtd(SOFT)), predict(tiny_rtd()), atol=1e-5)


def test_training_mode_computes_the_same_without_dropout():
    """Packed rows on a CPU, hand-written gradients: the logits of both roads are equal."""
    model = tiny_rtd(dropout=0.0)
    expected = predict(model)
    model.train()
    logits, states = model(**inputs(model), return_mask_states=True)
    np.testing.assert_allclose(logits.numpy(), expected, atol=1e-5)
    assert states.shape == [8, 6 * 3, 32]


# -- what is refused --------------------------------------------------------------------------------------------------


def test_masks_in_two_places(folder):
    with pytest.raises(TemplateError, match="expected one {'mask'}"):
        ReplacedTokenModel.build(RTD_LABELS, str(folder), "{'mask'}{'text': 'text_a'}{'mask'}", max_seq_length=32)


def test_another_number_of_masks_than_the_longest_word_has_tokens():
    tokenizer = tiny_rtd(labels=Verbalizer.from_lines(["car==车", "finance==股"])).prompt_tokenizer
    with pytest.raises(ConfigError, match="the longest label word has 3 tokens, so the template needs as many masks"):
        ReplacedTokenModel(tiny_discriminator(), tokenizer, RTD_LABELS)


def test_a_word_outside_the_vocabulary(folder):
    with pytest.raises(PromptKitError, match="label word '龙' of 'x' has characters outside the model's vocabulary"):
        ReplacedTokenModel.build(Verbalizer.from_lines(["car==汽车", "x==龙"]), str(folder), max_seq_length=32)


def test_no_discriminator_named(tiny_folder):
    with pytest.raises(ConfigError, match="needs an ELECTRA discriminator, and none is built in"):
        ReplacedTokenModel.build(RTD_LABELS, None)
    with pytest.raises(ConfigError, match="needs an ElectraDiscriminator, .* but this is a 'ErnieForMaskedLM'"):
        load_discriminator(str(tiny_folder))
    with pytest.raises(ConfigError, match="'ErnieForMaskedLM'"):
        load_discriminator("mini_zh")
    with pytest.raises(ConfigError, match="neither a folder .* nor a PaddleNLP model name"):
        load_discriminator("electra-smal")


def test_freezing_needs_soft_tokens():
    with pytest.raises(ConfigError, match="--method rtd adds nothing to the discriminator but soft tokens"):
        tiny_rtd().freeze_language_model()


# -- training and folders ---------------------------------------------------------------------------------------------


def test_it_learns(tmp_path):
    runner = trainer(tmp_path, tiny_rtd(dropout=0.0), max_steps=40, eval_steps=40, learning_rate=3e-3, save_steps=40)
    before = runner.evaluate()["eval_loss"]
    runner.train()
    after = runner.evaluate()
    assert after["eval_loss"] < 0.5 * before and after["eval_accuracy"] == 1.0


def test_prompt_tuning_leaves_the_discriminator_as_it_is(tmp_path):
    model = tiny_rtd(SOFT, dropout=0.0)
    before = weights(model)
    trainer(tmp_path, model, max_steps=3, freeze_plm=True, learning_rate=1e-2, evaluation_strategy="no").train()
    changed = {name for name, array in weights(model).items() if not np.array_equal(array, before[name])}
    assert changed and all(name.startswith("soft_prompt.") for name in changed)


@pytest.mark.parametrize("prompt", ["{'mask'}新闻{'text': 'text_a'}", SOFT])
def test_a_folder_becomes_the_same_model(tmp_path, prompt):
    model = tiny_rtd(prompt)
    calibrate(model, TEXTS)
    model.save_pretrained(tmp_path)
    loaded = PromptModel.from_pretrained(tmp_path)
    assert type(loaded) is ReplacedTokenModel and loaded.config == model.config
    assert same(weights(loaded), weights(model))
    np.testing.assert_array_equal(predict(loaded), predict(model))


def test_an_untrained_folder_is_of_its_kind_too(tmp_path, folder):
    ReplacedTokenModel.build(RTD_LABELS, str(folder), max_seq_length=32, mode="zero-shot").save_pretrained(tmp_path)
    loaded = PromptModel.from_pretrained(tmp_path)
    assert type(loaded) is ReplacedTokenModel and loaded.config.mode == "zero-shot"


def test_calibration_makes_the_mean_log_probabilities_equal():
    model = tiny_rtd()
    before = np.log(softmax(predict(model))).mean(axis=0)
    calibrate(model, TEXTS)
    after = np.log(softmax(predict(model))).mean(axis=0)
    assert np.ptp(before) > 0.1
    assert np.ptp(softmax(predict(model, [TEXTS[0]]))) > 1e-3
    mean_logits = predict(model).mean(axis=0)
    np.testing.assert_allclose(mean_logits, np.full(3, mean_logits[0]), atol=1e-4)
    assert np.ptp(after) < 1e-4


def test_the_discriminator_fine_tunes_as_an_encoder(folder):
    backbone = load_backbone(str(folder), encoder=True)
    assert type(backbone.model).__name__ == "ElectraModel"
    expected = {f"electra.{name}": array for name, array in weights(backbone.model).items()}
    found = {k: v for k, v in weights(tiny_discriminator()).items() if not k.startswith("discriminator_predictions")}
    assert same(expected, found)


# -- export -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["{'text': 'text_a'}{'sep'}{'mask', 'token_type': 1}上", SOFT])
def test_the_bundle_answers_every_line_as_the_model(tmp_path, prompt):
    model = tiny_rtd(prompt)
    calibrate(model, TEXTS[:3])
    export_bundle(model, tmp_path / "export", fp16=True)
    config = read_bundle(tmp_path / "export")
    assert config.mode == "rtd" and config.inputs["mask_columns"] == ("batch", 3)
    texts = [*TEXTS, "一" * 60, "上"]
    predictor = Predictor(tmp_path / "export", device="cpu", num_threads=1, precision="fp32")
    found = predictor.probabilities([Example(text) for text in texts], batch_size=4)
    np.testing.assert_allclose(found, softmax(predict(model, texts)), atol=1e-4)
    np.testing.assert_array_equal(found.argmax(axis=1), predict(model, texts).argmax(axis=1))


def test_int8_covers_the_inputs_of_all_words(tmp_path, tiny_data):
    """A batch of the graph's inner products has B K rows of inputs, not B."""
    model = tiny_rtd()
    config = export_bundle(model, tmp_path / "export", fp16=False, int8=Int8(tiny_data, force=True))
    predictor = Predictor(tmp_path / "export", device="cpu", num_threads=1, precision="int8")
    found = predictor.probabilities([Example(text) for text in TEXTS])
    assert 0 < config.parity["int8"] < 0.5 and config.agreement["int8"]["texts"] > 5
    np.testing.assert_allclose(found, softmax(predict(model)), atol=0.1)


def test_train_export_infer(folder, tiny_data, tmp_path, capsys):
    """The whole way by the scripts: test_predictions.tsv and infer.py agree on every line."""
    flags = ["--method", "rtd", "--model_name_or_path", str(folder), "--data_dir", str(tiny_data)]
    common = "--device cpu --report_to none --max_seq_length 32".split()
    run = tmp_path / "run"
    steps = "--do_train --do_eval --do_predict --do_export --max_steps 40 --eval_steps 40 --calibrate".split()
    steps += "--use_rdrop false --ema_decay 0".split()
    load_script("train").main([*flags, *common, *steps, "--learning_rate", "3e-3", "--output_dir", str(run)])
    results = json.loads((run / "all_results.json").read_text("utf-8"))
    assert (
        results["mode"] == "rtd"
        and results["calibrated"]
        and results["template"].startswith("{'mask': None, 'length': 2}")
    )
    capsys.readouterr()
    load_script("infer").main(
        ["--model_path_prefix", str(run / "export"), "--data_dir", str(tiny_data), "--device", "cpu"]
    )
    answers = capsys.readouterr().out.split()
    with open(run / "test_predictions.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["text"] for row in rows] == TEXTS[:5]  # data.txt begins with the texts of test.txt
    assert answers[:5] == [row["label"] for row in rows] and len(set(answers)) > 1

    again = tmp_path / "again"
    load_script("train").main(
        [*common, "--do_eval", "--resume_from_checkpoint", str(run), "--data_dir", str(tiny_data), "--prompt",
         "{'mask'}：{'text': 'text_a'}", "--method", "rtd", "--output_dir", str(again)]
    )  # fmt: skip
    after = json.loads((again / "all_results.json").read_text("utf-8"))
    assert after["eval_accuracy"] == pytest.approx(results["eval_accuracy"])


def test_zero_shot(folder, tiny_data, tmp_path):
    load_script("train").main(
        [*"--method rtd --device cpu --report_to none --do_eval --do_export --max_seq_length 32".split(),
         "--model_name_or_path", str(folder), "--data_dir", str(tiny_data), "--output_dir", str(tmp_path / "zero")]
    )  # fmt: skip
    results = json.loads((tmp_path / "zero" / "all_results.json").read_text("utf-8"))
    assert results["mode"] == "zero-shot" and 0 <= results["eval_accuracy"] <= 1
    assert read_bundle(tmp_path / "zero" / "export").mode == "zero-shot"


def test_a_verbalizer_is_refused():
    from prompt_kit.training.loop.command_line import parse_arguments

    with pytest.raises(ConfigError, match="--verbalizer soft contradicts --method rtd"):
        parse_arguments(["--method", "rtd", "--verbalizer", "soft", "--do_train"])
