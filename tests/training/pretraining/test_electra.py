"""ELECTRA training: what the discriminator sees, that it learns, resumes, and leaves folders that train.py takes."""

from __future__ import annotations

import json

import numpy as np
import paddle
import pytest
from kill import killed_at
from paddlenlp.transformers import AutoDiscriminator
from runs import names, same, saved_weights, weights
from scripts import load_script
from tiny import EXAMPLES, tiny_backbone, tiny_discriminator, tiny_tokenizer, write_tiny_folder

from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.training.models.backbone import load_backbone, load_discriminator
from prompt_kit.training.pretraining import session
from prompt_kit.training.pretraining.arguments import PretrainingArguments
from prompt_kit.training.pretraining.corpus import Corpus
from prompt_kit.training.pretraining.electra import Electra
from prompt_kit.training.pretraining.from_scratch import Sizes, new_electra
from prompt_kit.training.pretraining.masked_batches import MaskedCollator, MaskedLines
from prompt_kit.training.pretraining.masking import EncodedLines, WholeWordMasker

LINES = [example.text_a for example in EXAMPLES] + [a.text_a + b.text_a for a in EXAMPLES for b in EXAMPLES[:2]]
SIZES = "--hidden_size 32 --num_hidden_layers 1 --num_attention_heads 4 --intermediate_size 48 --vocab_size 60".split()


def pair(seed=0) -> Electra:
    return Electra(tiny_discriminator(seed, dropout=0.0), tiny_backbone("electra", seed, dropout=0.0), tiny_tokenizer())


def batch_of(lines):
    tokenizer = tiny_tokenizer()
    dataset = MaskedLines(EncodedLines(lines, tokenizer, 30), WholeWordMasker(tokenizer, 0.3), 1)
    items = MaskedCollator(tokenizer)([dataset[0, i] for i in range(len(lines))])
    return {name: paddle.to_tensor(array) for name, array in items.items()}


@pytest.fixture
def pretrain(tmp_path):
    """tools/pretrain.py --objective rtd on a corpus of its own, in this process."""
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join([*LINES, "财经新闻"]) + "\n", encoding="utf-8")
    script = load_script("tools/pretrain")

    def run(*flags, output="out", scratch=True):
        common = "--objective rtd --max_seq_length 32 --batch_tokens 128 --device cpu --learning_rate 1e-2".split()
        start = ["--from_scratch", *SIZES] if scratch else []
        script.main(["--train_files", str(path), "--output_dir", str(tmp_path / output), *common, *start, *flags])
        return tmp_path / output

    return run


# -- the model --------------------------------------------------------------------------------------------------------


def test_the_embeddings_are_shared_and_counted_once():
    model = pair()
    table = model.backbone.get_input_embeddings().weight
    assert model.generator.backbone.get_input_embeddings().weight is table
    assert sum(parameter is table for parameter in model.parameters()) == 1
    with paddle.no_grad():
        found = model(**{k: v for k, v in batch_of(LINES[:4]).items() if k != "targets"})
    assert found.shape[1] == table.shape[0]


def test_the_discriminator_reads_the_original_text_but_for_what_was_drawn(monkeypatch):
    model, batch = pair(), batch_of(LINES[:6])
    seen = []
    read = type(model.backbone.electra).forward

    def spy(self, input_ids, **options):
        if self is model.backbone.electra:
            seen.append(input_ids.numpy())
        return read(self, input_ids, **options)

    monkeypatch.setattr(type(model.backbone.electra), "forward", spy)
    paddle.seed(5)
    logits, found, replaced, real = model(**batch)
    tokenizer = tiny_tokenizer()
    length = batch["input_ids"].shape[1]
    original = np.full((6, length), tokenizer.pad_id)
    for row, text in enumerate(LINES[:6]):
        ids = [tokenizer.cls_id, *tokenizer.encode(text), tokenizer.sep_id]
        original[row, : len(ids)] = ids
    (corrupted,) = seen
    np.testing.assert_array_equal(replaced.numpy(), corrupted != original)
    np.testing.assert_array_equal(real.numpy(), original != tokenizer.pad_id)
    hidden = np.zeros_like(original, bool)
    places = batch["columns"].numpy().reshape(-1)[batch["rows"].numpy()]
    hidden[batch["rows"].numpy() // batch["columns"].shape[1], places] = True
    assert not (replaced.numpy() & ~hidden).any() and replaced.numpy().any()
    assert tokenizer.mask_id not in corrupted[~hidden]
    with paddle.no_grad():
        whole = tiny_discriminator(dropout=0.0)(paddle.to_tensor(corrupted)).numpy()
    np.testing.assert_allclose(found.numpy(), whole, atol=1e-5)
    assert logits.shape == [len(batch["targets"]), tokenizer.vocab_size]


def test_the_generators_size():
    discriminator, generator = new_electra(Sizes("electra", 64, 2, 4, 100, 32), tiny_tokenizer(), 0.25)
    narrow = generator.model.config
    assert (narrow.hidden_size, narrow.num_attention_heads, narrow.intermediate_size) == (16, 1, 25)
    assert narrow.embedding_size == discriminator.model.config.embedding_size == 64
    assert type(discriminator.model).__name__ == "ElectraDiscriminator"


def test_models_of_other_embeddings_are_refused():
    with pytest.raises(ConfigError, match="share their embeddings, but embedding_size is 32 and 24"):
        big, _ = new_electra(Sizes("electra", 32, 1, 2, 32, 64), tiny_tokenizer(), 0.5)
        Electra(big.model, tiny_backbone("electra"), tiny_tokenizer())


# -- training ---------------------------------------------------------------------------------------------------------


def test_it_learns(tmp_path):
    corpus = Corpus(LINES * 2, ["公司比赛汽车", "今天冠军手机上市"] * 4, (("a.txt", len(LINES)),))
    args = PretrainingArguments(
        train_files=["a.txt"], objective="rtd", from_scratch=True, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        vocab_size=60, output_dir=str(tmp_path), device="cpu", batch_tokens=128, learning_rate=1e-2, max_steps=60,
        max_seq_length=32, eval_steps=60,
    )  # fmt: skip
    run = session.build(args, corpus)
    before = run.evaluate()
    assert run.evaluate() == before, "what is drawn for the held-out lines never changes"
    run.train()
    after = run.evaluate()
    assert after["eval_loss"] < before["eval_loss"] - 0.2 and after["eval_auc"] > before["eval_auc"] + 0.05


def test_a_killed_run_goes_on(pretrain, tmp_path):
    flags = ("--eval_steps", "2", "--max_steps", "7")
    whole = pretrain(*flags, output="whole")
    with killed_at(5):
        pretrain(*flags)
    resume = ("--resume_from_checkpoint", str(tmp_path / "out"), *flags)
    with pytest.raises(CheckpointError, match="detection_weight is 1.0, there 50.0"):
        pretrain(*resume, "--detection_weight", "1")
    out = pretrain(*resume)
    assert names(out) == [
        "README.md", "config.json", "generator", "model.safetensors", "pretraining.json", "tokenizer_config.json",
        "vocab.txt",
    ]  # fmt: skip
    for folder in ("", "generator"):
        assert same(saved_weights(out / folder), saved_weights(whole / folder))
    assert (out / "README.md").read_text("utf-8") == (whole / "README.md").read_text("utf-8")


def test_the_folders_are_language_models(pretrain, tiny_data, tmp_path):
    """For train.py by rtd, by fine-tuning, and by prompts with the generator; and to be trained further."""
    folder = pretrain("--max_steps", "4", "--held_out", "0.2")
    card = (folder / "README.md").read_text("utf-8")
    assert "# ELECTRA" in card and "--method rtd" in card and "area under its ROC curve" in card
    discriminator, generator = load_discriminator(str(folder)), load_backbone(str(folder / "generator"))
    assert type(generator.model).__name__ == "ElectraGenerator"  # PaddleNLP's other name of ElectraForMaskedLM
    np.testing.assert_array_equal(
        discriminator.model.get_input_embeddings().weight.numpy(), generator.model.get_input_embeddings().weight.numpy()
    )
    assert same(weights(AutoDiscriminator.from_pretrained(str(folder))), weights(discriminator.model))
    common = (
        "--do_train --do_eval --max_steps 2 --eval_steps 2 --device cpu --report_to none --max_seq_length 32".split()
    )
    for method, model in (("rtd", folder), ("finetune", folder), ("prompt", folder / "generator")):
        run = tmp_path / method
        load_script("train").main(
            [*common, "--method", method, "--model_name_or_path", str(model), "--data_dir", str(tiny_data),
             "--output_dir", str(run)]
        )  # fmt: skip
        assert json.loads((run / "all_results.json").read_text("utf-8"))["mode"] == method
    further = pretrain("--model_name_or_path", str(folder), "--max_steps", "2", output="further", scratch=False)
    assert not same(saved_weights(further), saved_weights(folder))
    assert saved_weights(further / "generator").keys() == saved_weights(folder / "generator").keys()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "has no model to start from; add --from_scratch"),
        ({"from_scratch": True, "family": "bert"}, "--family bert contradicts --objective rtd"),
        ({"from_scratch": True, "generator_size": 2.0}, "--generator_size 2.0: expected 1 at most"),
        ({"from_scratch": True, "detection_weight": 0.0}, "--detection_weight must be above 0"),
        ({"objective": "mlm", "detection_weight": 1.0}, "--detection_weight 1.0 is for --objective rtd"),
        ({"from_scratch": True, "teacher_vectors": "a.npy"}, "--teacher_vectors is for --objective mlm"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(ConfigError, match=message):
        PretrainingArguments(**{"train_files": ["a.txt"], "objective": "rtd", **options})


def test_a_discriminator_without_a_generator(pretrain, tmp_path):
    folder = write_tiny_folder(tmp_path / "alone", discriminator=True)
    with pytest.raises(ConfigError, match="has no generator, expected the folder"):
        pretrain("--model_name_or_path", str(folder), scratch=False)
    assert not (tmp_path / "out").exists()
