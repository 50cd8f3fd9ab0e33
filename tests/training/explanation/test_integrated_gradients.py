"""Integrated gradients on tiny models: complete, equal to a plain sum over the path, and nothing of the model is changed."""

from __future__ import annotations

import logging

import numpy as np
import paddle
import pytest
from tiny import tiny_finetune, tiny_model, tiny_rtd

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError
from prompt_kit.inference.explanation import log_odds
from prompt_kit.prompt.prompt_tokenizer import collate
from prompt_kit.training.cpu.kernels import without
from prompt_kit.training.explanation import integrated_gradients as subject
from prompt_kit.training.explanation.integrated_gradients import attribute, explain_by_gradients
from prompt_kit.training.loop.prediction import predict_probabilities

TEXT = "球队比赛冠军，汽车公司"


def strong(model):
    """The model with weights so large that its text decides: small ones make everything complete by being near 0."""
    for name, parameter in model.named_parameters():
        if "layers." in name and parameter.ndim == 2:
            parameter.set_value(paddle.randn(parameter.shape) * 0.3)
    return model


MODELS = {
    "prompt": lambda: strong(tiny_model(head="soft")),
    "cosine": lambda: strong(tiny_model(head="cosine")),
    "masks": lambda: strong(tiny_model("{'mask'}{'mask'}{'soft': '新闻'}{'text': 'text_a'}", head="soft")),
    "bert": lambda: strong(tiny_model(family="bert", head="soft")),
    "electra": lambda: strong(tiny_model(family="electra", head="soft")),
    "finetune": lambda: strong(tiny_finetune()),
}


@pytest.mark.parametrize("name", MODELS)
def test_attributions_sum_up_to_the_change_of_log_odds(name):
    """F(x) - F(x') is measured by itself: x' has the padding's embedding in the place of each piece."""
    model = MODELS[name]()
    example = Example(TEXT)
    for column in range(3):
        found = attribute(model, example, column)
        with_text = log_odds(predict_probabilities(model, [example]))[0, column]
        without_text = log_odds(_by_padding(model, example))[column]
        assert found.change == pytest.approx(with_text - without_text, abs=1e-4)
        assert abs(found.log_odds.sum() - (with_text - without_text)) <= 0.01 * max(0.1, abs(with_text - without_text))
        assert found.is_complete and len(found.log_odds) == len(TEXT)
        assert np.abs(found.log_odds).max() > 0.02, "a model that ignores its text tests nothing"


def _by_padding(model, example) -> np.ndarray:
    """[C] probabilities with the word embedding of [PAD] written into the table's rows of the text's own pieces."""
    features = model.prompt_tokenizer.encode_many([example])
    (ids,) = {tuple(model.tokenizer.encode(example.text_a))}
    fixed = set(features[0].input_ids) - set(ids)
    assert not set(ids) & fixed
    weight = model.backbone.get_input_embeddings().weight
    kept = weight.numpy().copy()
    changed = kept.copy()
    template_ids = set(model.prompt_tokenizer.encode_many([Example("")])[0].input_ids)
    assert not template_ids & set(ids), "the text shares pieces with the template, which would be padded too"
    changed[list(ids)] = kept[model.tokenizer.pad_id]
    weight.set_value(changed)
    try:
        return predict_probabilities(model, [example])[0]
    finally:
        weight.set_value(kept)


def test_it_is_the_plain_sum_over_the_path():
    """A second implementation: the layers of the encoder called by hand on embeddings, 400 midpoints, no hook, no packing."""
    with without("packed_layer", "last_layer"):
        model = strong(tiny_model(head="soft"))
    example = Example("球队冠军")
    arrays = collate(model.prompt_tokenizer.encode_many([example]), model.tokenizer.pad_id)
    ids, soft_ids = arrays["input_ids"][0], arrays["soft_ids"][0]
    table = model.backbone.get_input_embeddings().weight.numpy()
    words = np.where(soft_ids[:, None] > 0, model.soft_prompt().numpy()[soft_ids - 1], table[ids])
    own = [place for place, piece in enumerate(ids) if piece in model.tokenizer.encode("球队冠军")]
    padded = words.copy()
    padded[own] = table[model.tokenizer.pad_id]
    embeddings, encoder = model.backbone.ernie.embeddings, model.backbone.ernie.encoder
    rest = embeddings.position_embeddings(paddle.arange(len(ids))) + embeddings.token_type_embeddings(
        paddle.to_tensor(arrays["token_type_ids"][0])
    )
    gains = [layer.weight for layer in model.sublayers() if isinstance(layer, paddle.nn.LayerNorm)]
    total = np.zeros(len(own))
    for place in (np.arange(400) + 0.5) / 400:
        x = paddle.to_tensor((padded + place * (words - padded)).astype("float32"), stop_gradient=False)
        states = encoder(embeddings.layer_norm((x + rest).unsqueeze(0)), src_mask=paddle.zeros([1, 1, 1, len(ids)]))
        logits = model.head(model.transform(states[:, arrays["mask_columns"][0]]))[0]
        value = logits[1] - paddle.logsumexp(paddle.stack([logits[0], logits[2]]))
        gradient, *_ = paddle.grad(value, [x, *gains], allow_unused=True)
        total += (gradient.numpy() * (words - padded)).sum(axis=1)[own] / 400
    found = attribute(model, example, 1)
    assert np.abs(total).max() > 0.02 and found.log_odds == pytest.approx(total, abs=0.01 * np.abs(total).max())


def test_explanations():
    model = strong(tiny_model(head="soft"))
    texts = [TEXT, "手机 abc 上市", "", "一二三四五" * 20]
    found = list(explain_by_gradients(model, texts, top_k=2))
    rows = predict_probabilities(model, [Example(text) for text in texts])
    assert [one.text for one in found] == texts
    assert [one.label for one in found] == [model.verbalizer.labels[n] for n in rows.argmax(axis=1)]
    assert [one.score for one in found] == pytest.approx(rows.max(axis=1), abs=1e-6)
    assert [one.is_cut for one in found] == [False, False, False, True]
    assert [(one.text, one.start) for one in found[1].effects] == [
        ("手", 0), ("机", 1), ("abc", 3), ("上", 7), ("市", 8),
    ]  # fmt: skip
    assert found[2].effects == () and all(len(one.top) <= 2 for one in found)
    for one, text in zip(found, texts):
        whole = attribute(model, Example(text), model.verbalizer.labels.index(one.label))
        assert sum(effect.log_odds for effect in one.effects) == pytest.approx(whole.log_odds.sum(), abs=1e-5)
        assert sum(effect.probability for effect in one.effects) == pytest.approx(whole.probability.sum(), abs=1e-6)


def test_the_probability_is_complete_too():
    model = strong(tiny_model(head="soft"))
    found = attribute(model, Example(TEXT), 0)
    change = predict_probabilities(model, [Example(TEXT)])[0, 0] - _by_padding(model, Example(TEXT))[0]
    assert found.probability.sum() == pytest.approx(change, abs=0.02 * max(0.01, abs(change)))


def test_a_second_text_and_the_template_take_no_part():
    model = tiny_model("{'text': 'text_a'}{'sep'}{'text': 'text_b'}{'hard': '主题是'}{'mask'}", head="soft")
    found = attribute(model, Example("球队", text_b="汽车公司"), 0)
    assert len(found.log_odds) == 2 and found.is_complete


def test_the_model_is_left_as_it_was():
    model = tiny_model(head="soft")
    model.train()
    taught = [parameter.stop_gradient for parameter in model.parameters()]
    before = predict_probabilities(model, [Example(TEXT)])
    next(explain_by_gradients(model, [TEXT]))
    assert model.training and [parameter.stop_gradient for parameter in model.parameters()] == taught
    assert np.array_equal(predict_probabilities(model, [Example(TEXT)]), before)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_points_are_doubled_until_it_is_complete(monkeypatch, caplog):
    model = strong(tiny_model(head="soft"))
    monkeypatch.setattr(subject, "FEWEST_POINTS", 1)
    assert 1 < attribute(model, Example(TEXT), 0).points <= subject.MOST_POINTS
    monkeypatch.setattr(subject, "MOST_POINTS", 1)
    monkeypatch.setattr(subject, "TOLERANCE", 1e-9)
    with caplog.at_level(logging.WARNING):
        list(explain_by_gradients(model, [TEXT]))
    assert "text 1: the attributions sum up to" in caplog.text


def test_mistakes():
    with pytest.raises(ConfigError, match="no label 'x'"):
        explain_by_gradients(tiny_model(), [TEXT], label="x")
    with pytest.raises(ConfigError, match="this is rtd: use --method leave_one_out"):
        explain_by_gradients(tiny_rtd(), [TEXT])
