"""Training only the rows of the word embeddings that occur: the same model and checkpoints as training all of them."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
import tiny
from runs import same, saved_weights, trainer, weights
from safetensors.numpy import load_file
from tiny import EXAMPLES, HARD, SOFT, VOCABULARY, tiny_model

from prompt_kit.errors import ConfigError
from prompt_kit.training.loop.batching import Collator
from prompt_kit.training.loop.trainer import PromptTrainer
from prompt_kit.training.models.finetune_model import FineTuneModel


def table(arrays: dict) -> np.ndarray:
    """The word embeddings."""
    (name,) = (name for name in arrays if "word_embeddings" in name)
    return arrays[name]


@pytest.fixture(autouse=True)
def large_vocabulary(monkeypatch):
    """Three times as many words as the examples have."""
    words = [f"[unused {number}]" for number in range(2 * len(VOCABULARY))]
    monkeypatch.setattr(tiny, "VOCABULARY", VOCABULARY + words)


@pytest.fixture
def whole_table(monkeypatch):
    """Call it to have the next trainers train the whole table."""
    return lambda: monkeypatch.setattr(PromptTrainer, "_rows_to_train", lambda self: None)


@pytest.mark.parametrize(("prompt", "decay"), [(HARD, 0.0), (SOFT, 0.9)])
def test_the_model_and_the_checkpoint_are_those_of_the_whole_table(tmp_path, whole_table, prompt, decay):
    options = dict(max_steps=6, save_strategy="steps", save_steps=3, ema_decay=decay)
    first = weights(tiny_model(prompt))
    ours = trainer(tmp_path / "rows", tiny_model(prompt), **options)
    ours.train()
    rows = ours.optimizer.rows
    assert 0 < len(rows) < len(tiny.VOCABULARY) / 2
    whole_table()
    theirs = trainer(tmp_path / "whole", tiny_model(prompt), **options)
    theirs.train()
    assert theirs.optimizer.rows is None
    for name in ("checkpoint-3/model.safetensors", "checkpoint-6/optimizer.safetensors"):
        a, b = (load_file(str(tmp_path / kind / name)) for kind in ("rows", "whole"))
        assert a.keys() == b.keys()
        for key, array in b.items():
            assert a[key].shape == array.shape
            if "k_proj.bias" not in key:  # its gradient is rounding error, which Adam makes a step of
                np.testing.assert_allclose(a[key], array, rtol=2e-3, atol=2e-5, err_msg=key)
    before, after = table(first), table(saved_weights(tmp_path / "rows" / "checkpoint-6"))
    unseen = np.setdiff1d(np.arange(len(tiny.VOCABULARY)), rows.rows.numpy())
    assert np.array_equal(after[unseen], before[unseen])
    moved = (after != before).any(axis=1)
    assert moved.sum() > len(rows) / 2


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_a_resumed_run_is_the_same_bit_for_bit(tmp_path, decay):
    options = dict(max_steps=6, save_strategy="steps", save_steps=2, ema_decay=decay)
    whole = trainer(tmp_path / "whole", **options)
    whole.train()
    resumed = trainer(tmp_path / "resumed", **options)
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-2"))
    assert resumed.optimizer.rows is not None
    assert same(weights(whole.model), weights(resumed.model))
    for name in ("optimizer.safetensors", "model.safetensors"):
        a, b = (load_file(str(tmp_path / kind / "checkpoint-6" / name)) for kind in ("whole", "resumed"))
        assert same(a, b)


def test_a_checkpoint_of_the_whole_table_can_be_gone_on_with(tmp_path, monkeypatch):
    options = dict(max_steps=4, save_strategy="steps", save_steps=2)
    with monkeypatch.context() as patch:
        patch.setattr(PromptTrainer, "_rows_to_train", lambda self: None)
        whole = trainer(tmp_path / "whole", **options)
        whole.train()
    rows = trainer(tmp_path / "rows", **options)
    rows.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-2"))
    assert rows.optimizer.rows is not None
    np.testing.assert_allclose(table(weights(whole.model)), table(weights(rows.model)), rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("options", [dict(weight_decay=0.01), dict(freeze_plm=True)])
def test_all_rows_where_others_could_move_or_none_does(tmp_path, options):
    one = trainer(tmp_path, max_steps=1, **options)
    one.create_optimizer_and_scheduler(1)
    assert one.optimizer.rows is None


@pytest.mark.parametrize("head", ["manual", "prototype"])
def test_all_rows_where_the_head_reads_them_too(tmp_path, head):
    one = trainer(tmp_path, tiny_model(head=head), max_steps=1)
    one.create_optimizer_and_scheduler(1)
    assert one.optimizer.rows is None


def test_all_rows_where_most_of_them_occur(tmp_path, monkeypatch):
    monkeypatch.setattr(tiny, "VOCABULARY", VOCABULARY)
    one = trainer(tmp_path, max_steps=1)
    one.create_optimizer_and_scheduler(1)
    assert one.optimizer.rows is None


def test_outside_a_training_step_the_table_is_looked_up_and_gets_its_gradient(tmp_path):
    one = trainer(tmp_path, tiny_model(HARD), max_steps=1)
    one.create_optimizer_and_scheduler(1)
    batch = Collator(0)([one.train_dataset[0]])
    batch.pop("labels")
    one.model.train()
    one.model(**{name: paddle.to_tensor(array) for name, array in batch.items()}).sum().backward()
    assert one.optimizer.rows.table.grad is not None
    assert one.optimizer.rows.parameter.grad is None


def test_a_token_that_no_example_has_is_refused(tmp_path):
    one = trainer(tmp_path, tiny_model(HARD), train=EXAMPLES[:4], max_steps=1)
    one.create_optimizer_and_scheduler(1)
    unseen = tiny.VOCABULARY.index("[unused 3]")
    with one.optimizer.rows.used(), pytest.raises(ConfigError, match=f"token {unseen} is in none of the examples"):
        one.model.backbone.get_input_embeddings()(paddle.to_tensor([[2, unseen]]))


def test_padding_stays_zero_and_untrained(tmp_path):
    one = trainer(tmp_path, tiny_model(HARD), max_steps=2)
    before = weights(one.model)
    one.train()
    assert np.array_equal(table(before)[0], table(weights(one.model))[0])


def test_fine_tuning_too(tmp_path):
    from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
    from prompt_kit.prompt.template import Template

    backbone = tiny.tiny_backbone()
    tokenizer = PromptTokenizer(Template.parse("{'text': 'text_a'}"), tiny.tiny_tokenizer(), 32)
    one = trainer(tmp_path, FineTuneModel(backbone.ernie, tokenizer, tiny.LABELS), max_steps=2)
    before = weights(one.model)
    one.train()
    assert one.optimizer.rows is not None
    assert not np.array_equal(table(before), table(weights(one.model)))
