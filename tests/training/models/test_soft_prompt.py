"""Soft prompts: where they start, how their encoders run, and what they keep."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from eager import inputs
from tiny import VOCABULARY, tiny_backbone, tiny_model, tiny_tokenizer

from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer, SoftToken
from prompt_kit.prompt.template import Template
from prompt_kit.training.models.soft_prompt import PromptEmbedding, SoftPrompt

WIDTH = 6
ENCODERS = ("lstm", "mlp", None)


def tokens(encoder, count=4, hidden_size=5):
    return [SoftToken(number + 2, encoder, hidden_size if encoder else None) for number in range(count)]


def table(rows=20, width=WIDTH):
    return paddle.to_tensor(np.random.default_rng(1).normal(size=(rows, width)).astype("float32"))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_starts_as_the_words_embeddings(encoder):
    prompt = SoftPrompt(tokens(encoder), WIDTH)
    prompt.start_from(table())
    np.testing.assert_array_equal(prompt().numpy(), table().numpy()[2:6])


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_encoder_is_the_identity_whatever_the_vectors(encoder):
    prompt = SoftPrompt(tokens(encoder), WIDTH)
    assert np.abs(prompt.vectors.numpy()).max() > 0
    np.testing.assert_array_equal(prompt().numpy(), prompt.vectors.numpy())


def test_tokens_without_words_are_random_small_and_seeded():
    def rows(seed):
        paddle.seed(seed)
        prompt = SoftPrompt([SoftToken(), SoftToken(3), SoftToken()], 200)
        prompt.start_from(table(width=200))
        return prompt().numpy()

    first, again, other = rows(1), rows(1), rows(2)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[1], table(width=200).numpy()[3])
    assert not np.array_equal(first[0], first[2])
    assert not np.array_equal(first[[0, 2]], other[[0, 2]])
    assert 0.015 < first[[0, 2]].std() < 0.025


@pytest.mark.parametrize("encoder", ENCODERS)
def test_training_moves_everything_in_it(encoder):
    """The zero layer passes no gradient inwards in the first step, but in the second."""
    paddle.seed(0)
    prompt = SoftPrompt(tokens(encoder), WIDTH)
    before = {name: parameter.numpy().copy() for name, parameter in prompt.named_parameters()}
    optimizer = paddle.optimizer.SGD(0.5, parameters=prompt.parameters())
    goal = paddle.ones([4, WIDTH])
    losses = []
    for _ in range(3):
        loss = ((prompt() - goal) ** 2).sum()
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        losses.append(float(loss))
        optimizer.set_lr(0.05)
    assert losses[1] != losses[0]
    unmoved = [name for name, parameter in prompt.named_parameters() if np.array_equal(parameter.numpy(), before[name])]
    assert unmoved == []


def test_the_first_step_moves_the_vectors():
    model = tiny_model(encoder="lstm")
    batch = inputs(model)
    before = model.soft_prompt.vectors.numpy().copy()
    optimizer = paddle.optimizer.AdamW(1e-3, parameters=model.prompt_parameters())
    paddle.nn.functional.cross_entropy(model(**batch), paddle.to_tensor([0, 1, 2, 0, 2, 1, 0, 2])).backward()
    optimizer.step()
    assert (np.abs(model.soft_prompt.vectors.numpy() - before).max(axis=1) > 1e-4).all()


def test_each_token_passes_through_its_own_encoder():
    """Rows 0 and 2 together through an LSTM, 1 and 4 through an MLP, 3 through none."""
    kinds = ["lstm", "mlp", "lstm", None, "mlp"]
    prompt = SoftPrompt([SoftToken(None, kind, 5 if kind else None) for kind in kinds], WIDTH)
    assert len(prompt.encoders) == 2
    for encoder in prompt.encoders:
        encoder.inner.bias.set_value(paddle.ones([5]))  # no hidden unit asleep
        encoder.outer.weight.set_value(paddle.randn(encoder.outer.weight.shape))
    vectors, encoded = prompt.vectors, prompt().numpy()
    lstm, mlp = prompt.encoders
    assert lstm.lstm is not None and mlp.lstm is None
    np.testing.assert_allclose(encoded[[0, 2]], lstm(vectors[[0, 2]]).numpy(), rtol=1e-6)
    np.testing.assert_allclose(encoded[[1, 4]], mlp(vectors[[1, 4]]).numpy(), rtol=1e-6)
    np.testing.assert_array_equal(encoded[3], vectors.numpy()[3])
    assert np.abs(encoded - vectors.numpy())[[0, 1, 2, 4]].max(axis=1).min() > 1e-3


def test_tokens_of_one_encoder_but_another_width_have_two():
    prompt = SoftPrompt([SoftToken(None, "mlp", 5), SoftToken(None, "mlp", 7), SoftToken(None, "mlp")], WIDTH)
    assert [encoder.inner.weight.shape[1] for encoder in prompt.encoders] == [5, 7, WIDTH]
    assert prompt().shape == [3, WIDTH]


def test_a_template_with_two_encoders():
    template = Template.parse(
        "{'soft': '这条', 'encoder': 'lstm', 'hidden_size': 5}{'text': 'text_a'}"
        "{'soft': '主题是', 'encoder': 'mlp', 'hidden_size': 4}{'soft'}{'mask'}"
    )
    soft_tokens = PromptTokenizer(template, tiny_tokenizer(), 32).soft_tokens
    assert [token.encoder for token in soft_tokens] == ["lstm"] * 2 + ["mlp"] * 3 + [None]
    embedding = tiny_backbone().get_input_embeddings()
    prompt = SoftPrompt(soft_tokens, 32)
    prompt.start_from(embedding.weight)
    words = embedding.weight.numpy()[tiny_tokenizer().encode("这条主题是")]
    np.testing.assert_array_equal(prompt().numpy()[:5], words)
    prompt().sum().backward()
    assert prompt.vectors.grad.shape == [6, 32]


@pytest.mark.parametrize("encoder", ["lstm", "mlp", "none"])
def test_the_state_holds_the_prompts_own_vectors_only(encoder):
    model = tiny_model(encoder=encoder)
    state = model.soft_prompt.state_dict()
    assert state["vectors"].shape == [8, 32]
    assert all(len(VOCABULARY) not in tensor.shape for tensor in state.values())
    if encoder == "none":
        assert list(state) == ["vectors"]
    # and in the whole model the word embeddings come once
    tables = [name for name, parameter in model.named_parameters() if parameter.shape == [len(VOCABULARY), 32]]
    assert tables == ["backbone.ernie.embeddings.word_embeddings.weight"]


def test_prompt_embedding_reads_words_and_soft_tokens():
    embedding = paddle.nn.Embedding(10, WIDTH, padding_idx=0)
    prompt = SoftPrompt(tokens("lstm", 3), WIDTH)
    prompt.encoders[0].outer.weight.set_value(paddle.randn([5, WIDTH]))
    layer = PromptEmbedding(embedding, prompt)
    out = layer(paddle.to_tensor([[2, 10, 12], [9, 0, 11]])).numpy()
    words, soft = embedding.weight.numpy(), prompt().numpy()
    np.testing.assert_allclose(out[0], [words[2], soft[0], soft[2]], rtol=1e-6)
    np.testing.assert_allclose(out[1], [words[9], np.zeros(WIDTH), soft[1]], rtol=1e-6)
    assert [name for name, _ in layer.named_parameters()] == ["weight"], "the prompt belongs to the model, not to it"


@pytest.mark.parametrize("padding_idx", [0, None])
def test_prompt_embedding_treats_padding_as_the_embedding_does(padding_idx):
    """A padding row is read as zeros, whatever is in it, and is not trained; without a padding index it is a word's."""
    embedding = paddle.nn.Embedding(10, WIDTH, padding_idx=padding_idx)
    embedding.weight.set_value(paddle.randn([10, WIDTH]))
    ids = paddle.to_tensor([[0, 3, 0, 9]])
    expected = embedding(ids).numpy()
    layer = PromptEmbedding(embedding, SoftPrompt(tokens(None, 2), WIDTH))
    np.testing.assert_array_equal(layer(ids).numpy(), expected)
    layer(ids).sum().backward()
    assert (np.abs(embedding.weight.grad.numpy()).sum(axis=1) > 0).tolist() == [
        padding_idx is None, False, False, True, False, False, False, False, False, True,
    ]  # fmt: skip


def test_prompt_embedding_gives_words_no_gradient_of_soft_tokens():
    embedding, prompt = paddle.nn.Embedding(10, WIDTH), SoftPrompt(tokens(None, 2), WIDTH)
    layer = PromptEmbedding(embedding, prompt)
    layer(paddle.to_tensor([[4, 10, 10, 4]])).sum().backward()
    np.testing.assert_array_equal(embedding.weight.grad.numpy().sum(axis=1), [0, 0, 0, 0, 2 * WIDTH, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(prompt.vectors.grad.numpy(), [[2.0] * WIDTH, [0.0] * WIDTH])
