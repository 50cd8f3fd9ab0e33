"""Masked-language-model training: the right places are predicted, and a resumed run is the same run."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import paddle
import pytest
from kill import killed_at
from other_process import owner_of
from paddlenlp.trainer import TrainerCallback
from paddlenlp.transformers import AutoModelForMaskedLM, AutoTokenizer
from runs import names, same, saved_weights, weights
from tiny import EXAMPLES, FAMILIES, VOCABULARY, tiny_backbone, tiny_tokenizer

from prompt_kit.errors import ConfigError
from prompt_kit.locks import Lock, try_lock
from prompt_kit.training.models.backbone import load_backbone
from prompt_kit.training.models.heads import masked_lm_head
from prompt_kit.training.pretraining import session
from prompt_kit.training.pretraining.arguments import PretrainingArguments
from prompt_kit.training.pretraining.corpus import Corpus
from prompt_kit.training.pretraining.masked_batches import MaskedCollator, MaskedLines
from prompt_kit.training.pretraining.masked_lm import MaskedLanguageModel
from prompt_kit.training.pretraining.masking import EncodedLines, WholeWordMasker

LINES = [example.text_a for example in EXAMPLES] + [a.text_a + b.text_a for a in EXAMPLES for b in EXAMPLES[:2]]


def corpus(lines=LINES, held_out=("公司比赛汽车", "今天冠军手机上市")) -> Corpus:
    return Corpus(list(lines), list(held_out), (("a.txt", len(lines)),))


def trainer(model_folder, output, **options):
    settings = dict(
        train_files=["a.txt"], model_name_or_path=str(model_folder), output_dir=str(output), device="cpu", batch_tokens=64,
        learning_rate=1e-2, num_train_epochs=2, max_seq_length=32,
    )  # fmt: skip
    return session.build(PretrainingArguments(**{**settings, **options}), corpus())


def batch_of(lines, tokenizer, seed=1):
    dataset = MaskedLines(EncodedLines(lines, tokenizer, 30), WholeWordMasker(tokenizer, 0.3), seed)
    return MaskedCollator(tokenizer)([dataset[0, i] for i in range(len(lines))])


# -- model ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_the_logits_are_the_language_models_at_the_hidden_places(family):
    tokenizer = tiny_tokenizer()
    batch = batch_of(LINES[:6], tokenizer)
    inputs = {name: paddle.to_tensor(array) for name, array in batch.items() if name != "targets"}
    reference = tiny_backbone(family)
    with paddle.no_grad():
        whole = reference(inputs["input_ids"])
        whole = (whole[0] if isinstance(whole, (tuple, list)) else whole).numpy()  # [B, L, V]
        model = MaskedLanguageModel(tiny_backbone(family), tokenizer)
        model.eval()
        found = model(**inputs).numpy()
    expected = [whole[row // batch["columns"].shape[1], batch["columns"].reshape(-1)[row]] for row in batch["rows"]]
    assert found.shape == (len(batch["targets"]), len(VOCABULARY))
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_folder_is_a_language_models(tmp_path, family, dtype):
    """For load_backbone and for PaddleNLP; no weight of it is made up."""
    original = tiny_backbone(family)
    MaskedLanguageModel(tiny_backbone(family), tiny_tokenizer()).save_pretrained(tmp_path, dtype)
    assert names(tmp_path) == [
        "config.json", "model.safetensors", "pretraining.json", "tokenizer_config.json", "vocab.txt",
    ]  # fmt: skip
    assert {str(array.dtype) for array in saved_weights(tmp_path).values()} == {dtype}
    loaded = load_backbone(str(tmp_path))
    theirs = AutoModelForMaskedLM.from_pretrained(str(tmp_path))
    expected = {name: array.astype(dtype).astype("float32") for name, array in weights(original).items()}
    assert same(weights(loaded.model), expected)
    assert same({name: array.astype("float32") for name, array in weights(theirs).items()}, expected)
    np.testing.assert_array_equal(
        masked_lm_head(theirs).weight().numpy(), masked_lm_head(loaded.model).weight().numpy()
    )
    text = "手机Phone公司"
    assert loaded.tokenizer.encode(text) == tiny_tokenizer().encode(text)
    assert AutoTokenizer.from_pretrained(str(tmp_path))(text)["input_ids"][1:-1] == loaded.tokenizer.encode(text)


def test_a_cased_vocabulary_stays_cased(tmp_path):
    from prompt_kit.prompt.tokenization import Tokenizer

    tokenizer = Tokenizer.from_vocab([*VOCABULARY, "A", "b"], lowercase=False)
    MaskedLanguageModel(tiny_backbone(), tokenizer).save_pretrained(tmp_path)
    loaded = Tokenizer.from_pretrained(tmp_path)
    assert (loaded.lowercase, loaded.encode("A b")) == (False, tokenizer.encode("A b"))


# -- training ---------------------------------------------------------------------------------------------------------


class Interrupt(TrainerCallback):
    """A kill after a step."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise KeyboardInterrupt


def test_a_resumed_run_is_the_same_run(tiny_folder, tmp_path):
    options = dict(eval_steps=2, num_train_epochs=3)
    whole = trainer(tiny_folder, tmp_path / "whole", **options)
    per_epoch = len(whole._sampler)
    assert per_epoch > 3, "the checkpoint below is to be in the middle of an epoch"
    whole.train()
    first = trainer(tiny_folder, tmp_path / "cut", **options)
    stop = per_epoch + 3
    first.add_callback(Interrupt(stop))
    with pytest.raises(KeyboardInterrupt):
        first.train()
    last = stop - stop % 2 if stop % 2 else stop - 2  # the kill comes before the save of its step
    assert names(tmp_path / "cut") == [f"checkpoint-{last}"] and last % per_epoch
    paddle.seed(99)
    np.random.seed(99)
    second = trainer(tiny_folder, tmp_path / "cut", **options)
    second.train(str(tmp_path / "cut" / f"checkpoint-{last}"))
    assert second.state.global_step == whole.state.global_step == 3 * per_epoch
    assert same(weights(second.model), weights(whole.model))
    assert not same(weights(second.model), weights(trainer(tiny_folder, tmp_path / "fresh").model))
    found, expected = (
        [entry["eval_loss"] for entry in run.state.log_history if "eval_loss" in entry] for run in (second, whole)
    )
    assert found == expected


def test_training_learns_and_the_held_out_masks_never_change(tiny_folder, tmp_path):
    run = trainer(tiny_folder, tmp_path, num_train_epochs=15, eval_steps=1000)
    before = run.evaluate()
    assert run.evaluate() == before
    run.train()
    after = run.evaluate()
    assert after["eval_loss"] < before["eval_loss"] - 0.5 and after["eval_accuracy"] > before["eval_accuracy"]


def test_the_held_out_loss_by_hand(tiny_folder, tmp_path):
    run = trainer(tiny_folder, tmp_path)
    metrics = run.evaluate()
    tokenizer, dataset = run.model.tokenizer, run._held_out
    reference = load_backbone(str(tiny_folder)).model
    reference.eval()
    losses, right = [], []
    for epoch in range(8):  # two short lines are hidden eight times over
        for line in range(2):
            hidden, places, targets = dataset[epoch, line]
            ids = [tokenizer.cls_id, *hidden.tolist(), tokenizer.sep_id]
            with paddle.no_grad():
                logits = (
                    reference(paddle.to_tensor([ids]))[0].numpy().reshape(len(ids), -1)[places + 1].astype("float64")
                )
            logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
            losses += [-logits[i, target] for i, target in enumerate(targets)]
            right += [logits[i].argmax() == target for i, target in enumerate(targets)]
    assert metrics["eval_loss"] == pytest.approx(np.mean(losses), abs=1e-5)
    assert metrics["eval_accuracy"] == pytest.approx(np.mean(right))


# -- the program ------------------------------------------------------------------------------------------------------


@pytest.fixture
def corpus_file(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def pretrain(tmp_path, tiny_folder, corpus_file):
    """tools/pretrain.py on a corpus of its own, in this process."""
    from scripts import load_script

    script = load_script("tools/pretrain")

    def run(*flags, output="out", model=tiny_folder):
        start = ["--model_name_or_path", str(model)] if model else []
        sizes = ["--max_seq_length", "32", "--batch_tokens", "128", "--num_train_epochs", "2", "--device", "cpu"]
        files = ["--train_files", str(corpus_file), "--output_dir", str(tmp_path / output)]
        script.main([*files, *start, *sizes, *flags])
        return tmp_path / output

    return run


def test_no_two_runs_in_one_folder(pretrain, tmp_path):
    with owner_of(tmp_path / "out"):
        with pytest.raises(
            ConfigError, match=r"--output_dir .*out: another process is writing into .*out; wait for its end"
        ):
            pretrain(model="never looked at")
    assert not list((tmp_path / "out").iterdir())


def test_the_folder_is_its_own_while_the_result_is_written(pretrain, tmp_path, monkeypatch):
    """The model is written after training, when no trainer keeps others out any more."""
    seen = []
    write_card = session.write_card

    def watched(folder, model):
        seen.append(try_lock(tmp_path / "out"))
        write_card(folder, model)

    monkeypatch.setattr(session, "write_card", watched)
    folder = pretrain("--held_out", "0", "--max_steps", "1")
    assert seen == [Lock.TAKEN] and (folder / "model.safetensors").is_file()
    free = try_lock(folder)
    assert isinstance(free, int)
    os.close(free)


def test_adapt_and_use(pretrain, tmp_path, tiny_folder, caplog):
    folder = pretrain("--held_out", "0.2", "--learning_rate", "1e-2", "--fp16_weights")
    assert names(folder) == [
        "README.md", "config.json", "model.safetensors", "pretraining.json", "tokenizer_config.json", "vocab.txt",
    ]  # fmt: skip
    recipe = json.loads((folder / "pretraining.json").read_text("utf-8"))
    card = (folder / "README.md").read_text("utf-8")
    assert (recipe["lines"], recipe["held_out_lines"]) == (19, 5) and recipe["files"] == {"corpus.txt": 24}
    assert recipe["before"]["eval_loss"] > recipe["after"]["eval_loss"]
    for shown in (
        "`corpus.txt` (24 lines)",
        "19 lines",
        f"{recipe['before']['eval_loss']:.4f}",
        "paddlepaddle",
        "rate 0.01",
    ):
        assert shown in card
    assert str(tmp_path) not in card.replace(str(tiny_folder), "")
    assert "24 lines" not in caplog.text
    from prompt_kit.prompt.verbalizer import Verbalizer
    from prompt_kit.training.models.prompt_model import PromptModel

    labels = Verbalizer.from_lines(["car==汽车", "sports==体育"])
    model = PromptModel.build(labels, model_name_or_path=str(folder), max_seq_length=32)
    adapted = saved_weights(folder)["ernie.embeddings.word_embeddings.weight"].astype("float32")
    assert np.array_equal(model.backbone.ernie.embeddings.word_embeddings.weight.numpy()[: len(adapted)], adapted)


def test_from_scratch(pretrain, tmp_path):
    flags = ["--from_scratch", "--hidden_size", "24", "--num_hidden_layers", "1", "--num_attention_heads", "2",
             "--intermediate_size", "40", "--vocab_size", "60"]  # fmt: skip
    folder = pretrain(*flags, model=None)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert (config["hidden_size"], config["intermediate_size"], config["max_position_embeddings"]) == (24, 40, 32)
    vocabulary = (folder / "vocab.txt").read_text("utf-8").split()
    assert set("".join(LINES)) <= set(vocabulary) and config["vocab_size"] == len(vocabulary)
    assert "Trained from nothing" in (folder / "README.md").read_text("utf-8")
    assert load_backbone(str(folder)).tokenizer.vocab_size == len(vocabulary)
    again = pretrain(*flags[:-2], "--vocab_file", str(folder / "vocab.txt"), output="again", model=None)
    assert same(saved_weights(again), saved_weights(folder)), "the vocabulary and the first weights are functions too"


def test_a_killed_run_goes_on(pretrain, monkeypatch, tmp_path):
    whole = pretrain("--eval_steps", "2", output="whole")
    with killed_at(4):
        pretrain("--eval_steps", "2")
    with pytest.raises(ConfigError, match="holds a run already"):
        pretrain()
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="that is another run: seed is 7, there 42"):
        pretrain("--resume_from_checkpoint", str(out), "--eval_steps", "2", "--seed", "7")
    assert names(out) == ["checkpoint-4"]
    pretrain("--resume_from_checkpoint", str(out), "--eval_steps", "2")
    assert same(saved_weights(out), saved_weights(whole))
    assert (out / "README.md").read_text("utf-8") == (whole / "README.md").read_text("utf-8")

    def kill(folder, model):
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "write_card", kill)
    with pytest.raises(KeyboardInterrupt):  # after the last step
        pretrain("--eval_steps", "2", output="late")
    monkeypatch.undo()
    late = pretrain("--resume_from_checkpoint", str(tmp_path / "late"), "--eval_steps", "2", output="late")
    assert same(saved_weights(late), saved_weights(whole)) and names(late) == names(whole)
    with pytest.raises(ValueError, match="that run is finished"):
        pretrain("--resume_from_checkpoint", str(out), "--eval_steps", "2")
    pretrain("--overwrite_output_dir", "--held_out", "0")
    assert "masked accuracy" not in (out / "README.md").read_text("utf-8")


def test_other_folders_are_left_alone(pretrain, tmp_path, tiny_folder):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.doc").touch()
    with pytest.raises(ConfigError, match=r"holds something else than a run of this program \(thesis.doc\)"):
        pretrain("--overwrite_output_dir", output="mine")
    model = shutil.copytree(tiny_folder, tmp_path / "model")
    with pytest.raises(ConfigError, match="holds something else"):
        pretrain("--overwrite_output_dir", output="model", model=model)
    assert same(saved_weights(model), saved_weights(tiny_folder))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mask_probability", "1"], "--mask_probability must be between 0 and 1, got 1.0"),
        (["--batch_tokens", "0"], "--batch_tokens must be at least 1"),
        (["--max_seq_length", "65"], "--max_seq_length 65 exceeds the language model's 64 positions"),
        (["--exclude_files", "none", "x.txt"], "none stands alone"),
        (["--exclude_files", "absent.txt"], "absent.txt: no such file"),
        (["--bf16"], "--bf16 needs a GPU"),
        (["--hidden_size", "64"], "--hidden_size is for a new model; add --from_scratch"),
        (["--from_scratch"], "--from_scratch contradicts --model_name_or_path"),
        (["--model_name_or_path", "./nowhere"], "no such folder"),
    ],
)
def test_mistakes_cost_nothing(pretrain, tmp_path, flags, message):
    with pytest.raises(ValueError, match=message) as caught:
        pretrain(*flags)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_no_files():
    with pytest.raises(ConfigError, match="nothing to train on: give --train_files"):
        PretrainingArguments()
