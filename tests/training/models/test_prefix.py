"""Deep prompts: what they start from, what a layer reads from them, padding, and what an encoder adds."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from eager import inputs
from paddle import nn
from tiny import EXAMPLES, FAMILIES, LABELS, tiny_backbone, tiny_discriminator, tiny_model, tiny_tokenizer

from prompt_kit.errors import ConfigError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.training.cpu.packed_layer import PackedLayer
from prompt_kit.training.models.prefix import PrefixAttention, add_prefix
from prompt_kit.training.models.prompt_model import PromptModel, PromptModelConfig

HARD = "{'text': 'text_a'}{'hard': '主题是'}{'mask'}"
WORDS = "{'prefix': '新闻标题'}" + HARD
ENCODED = "{'prefix': '新闻', 'length': 5, 'encoder': 'mlp', 'hidden_size': 7}" + HARD


def opened(model, gate=0.5, seed=1):
    """The model with open gates and moved values, as training leaves it."""
    paddle.seed(seed)
    for parameter in model.prefix.parameters():
        parameter.set_value(parameter + paddle.randn(parameter.shape) * 0.3)
    model.prefix.gates.set_value(paddle.full(model.prefix.gates.shape, gate))
    return model


@pytest.mark.parametrize("head", ["cosine", "soft", "manual", "prototype"])
@pytest.mark.parametrize("family", FAMILIES)
def test_before_the_first_step_it_predicts_what_the_hard_prompt_does(family, head):
    plain, deep = (tiny_model(template, family, head=head) for template in (HARD, ENCODED))
    plain.eval(), deep.eval()
    with paddle.no_grad():
        expected, got = (model(**inputs(model)).numpy() for model in (plain, deep))
    # a cosine of centred states, times twelve, magnifies what the order of sums rounds
    np.testing.assert_allclose(got, expected, atol=1e-3 if head == "cosine" else 1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_starts_from_the_models_own_keys_and_values_of_the_words(family):
    model = tiny_model(WORDS, family)
    backbone = tiny_backbone(family)
    encoder = getattr(backbone, backbone.base_model_prefix)
    tokenizer = tiny_tokenizer()
    seen = []
    hook = encoder.encoder.layers[1].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with paddle.no_grad():
        encoder(paddle.to_tensor([[tokenizer.cls_id, *tokenizer.encode("新闻标题"), tokenizer.sep_id]]))
        attention = encoder.encoder.layers[1].self_attn
        keys = attention.k_proj(seen[0])[0, 1:-1].reshape([4, 2, 16]).transpose([1, 0, 2])
    hook.remove()
    np.testing.assert_allclose(model.prefix.keys[1].numpy(), keys.numpy(), atol=1e-6)


def test_tokens_without_words_start_from_words_drawn_always_the_same():
    one, two = (tiny_model("{'prefix': '新闻', 'length': 6}" + HARD) for _ in range(2))
    np.testing.assert_array_equal(one.prefix.keys.numpy(), two.prefix.keys.numpy())
    rows = one.prefix.keys.numpy()[0].transpose(1, 0, 2).reshape(6, -1)
    assert len(np.unique(rows, axis=0)) > 2  # they can part


def test_an_encoder_starts_by_changing_nothing_and_then_moves_all_layers():
    model = tiny_model(ENCODED)
    keys, _ = model.prefix()
    np.testing.assert_array_equal(keys.numpy(), model.prefix.keys.numpy())
    model.prefix.encoder.outer.bias.set_value(paddle.arange(2 * 2 * 2 * 16, dtype="float32"))
    model.prefix.gates.set_value(paddle.ones([2, 2]))
    moved = [table.numpy() for table in model.prefix()]
    number = np.arange(2 * 2 * 2 * 16).reshape(2, 2, 2, 1, 16)  # keys and values, layers, heads, size
    np.testing.assert_allclose(
        moved[0] - model.prefix.keys.numpy(), np.broadcast_to(number[0], moved[0].shape), atol=1e-4
    )
    np.testing.assert_allclose(
        moved[1] - model.prefix.values.numpy(), np.broadcast_to(number[1], moved[1].shape), atol=1e-4
    )


def test_a_layer_adds_what_each_query_reads_from_the_prefix():
    """Against numpy, row by row, with a padded batch."""
    rng = np.random.default_rng(0)
    attention = nn.MultiHeadAttention(8, 2)
    attention.eval()
    rows = rng.normal(size=(3, 5, 8)).astype("float32")
    mask = np.where(np.arange(5) < np.array([5, 2, 3])[:, None], 0.0, -1e4).astype("float32")[:, None, None, :]
    plain = attention(paddle.to_tensor(rows), attn_mask=paddle.to_tensor(mask)).numpy()
    keys, values = rng.normal(size=(2, 2, 3, 4)).astype("float32")  # [A, P, D] each
    attention.__class__ = PrefixAttention
    attention.prefix = lambda: (paddle.to_tensor(keys[None]), paddle.to_tensor(values[None]))
    got = attention(paddle.to_tensor(rows), attn_mask=paddle.to_tensor(mask)).numpy()

    expected = np.empty_like(plain)
    w, b = attention.q_proj.weight.numpy(), attention.q_proj.bias.numpy()
    for text in range(3):
        for place in range(5):
            read = []
            for head in range(2):
                query = (rows[text, place] @ w + b)[head * 4 : head * 4 + 4]
                logits = keys[head] @ query / 2.0  # the root of 4
                weights = np.exp(logits) / np.exp(logits).sum()
                read.append(weights @ values[head])
            expected[text, place] = plain[text, place] + np.concatenate(read) @ attention.out_proj.weight.numpy()
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("template", [WORDS, ENCODED])
@pytest.mark.parametrize("family", FAMILIES)
def test_padding_changes_no_prediction(family, template):
    model = opened(tiny_model(template, family))
    model.eval()
    with paddle.no_grad():
        together = model(**inputs(model)).numpy()
        alone = np.concatenate([model(**inputs(model, [example])).numpy() for example in EXAMPLES])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    plain = tiny_model(HARD, family)
    plain.eval()
    with paddle.no_grad():
        assert np.abs(plain(**inputs(plain)).numpy() - together).max() > 1e-3  # the prefix is read


def test_the_kernel_for_packed_rows_is_off_for_it_alone():
    plain, deep = tiny_model(HARD), tiny_model(WORDS)
    assert type(plain._encoder.encoder.layers[0]) is PackedLayer
    assert not any(isinstance(layer, PackedLayer) for layer in deep._encoder.encoder.layers)
    assert all(type(layer.self_attn) is PrefixAttention for layer in deep._encoder.encoder.layers)


def test_the_language_model_by_itself_reads_no_prefix():
    model, backbone = opened(tiny_model(WORDS)), tiny_backbone()
    ids = paddle.to_tensor([[2, 7, 8, 9, 3]])
    with paddle.no_grad():
        model.eval()
        model(**inputs(model))
        np.testing.assert_allclose(model.backbone(ids).numpy(), backbone(ids).numpy(), atol=1e-6)


@pytest.mark.parametrize("template", [WORDS, ENCODED])
def test_frozen_it_trains_the_prefix_and_the_head(template):
    model = tiny_model(template, head="manual")
    model.freeze_language_model()
    trained = {id(parameter) for parameter in model.prompt_parameters()}
    assert trained == {id(parameter) for parameter in model.prefix.parameters()}
    optimizer = paddle.optimizer.AdamW(0.05, parameters=model.prompt_parameters())
    before = {name: parameter.numpy().copy() for name, parameter in model.named_parameters()}
    model.train()
    for _ in range(3):
        nn.functional.cross_entropy(model(**inputs(model)), paddle.to_tensor([0, 1, 2, 0, 2, 1, 0, 2])).backward()
        optimizer.step()
        optimizer.clear_grad()
    changed = {
        name for name, parameter in model.named_parameters() if not np.array_equal(before[name], parameter.numpy())
    }
    assert changed == {name for name in before if name.startswith("prefix.")}


def test_a_saved_model_comes_back(tmp_path):
    model = opened(tiny_model(ENCODED))
    model.eval()
    model.save_pretrained(tmp_path / "saved")
    again = PromptModel.from_pretrained(tmp_path / "saved")
    assert again.template == model.template
    with paddle.no_grad():
        np.testing.assert_array_equal(again(**inputs(again)).numpy(), model(**inputs(model)).numpy())


def test_a_prefix_too_long_for_the_positions():
    with pytest.raises(ConfigError, match=r"prefix has 63 tokens, expected 62 at most"):
        tiny_model("{'prefix', 'length': 63}" + HARD)


def test_other_attention_is_refused():
    backbone = tiny_backbone()
    backbone.ernie.encoder.layers[1].self_attn.__class__ = type("Other", (nn.MultiHeadAttention,), {})
    prompt_tokenizer = PromptTokenizer(Template.parse(WORDS), tiny_tokenizer(), 32)
    with pytest.raises(ConfigError, match="needs a language model with Paddle's own attention layers, and ErnieModel"):
        PromptModel(backbone, prompt_tokenizer, LABELS, PromptModelConfig())


def test_an_encoder_of_absurd_width_is_refused():
    with pytest.raises(ConfigError, match="hidden_size must be 4096 at most"):
        tiny_model("{'prefix', 'encoder': 'mlp', 'hidden_size': 5000}" + HARD)


def test_a_discriminator_takes_one_too():
    discriminator = tiny_discriminator()
    prompt_tokenizer = PromptTokenizer(Template.parse(WORDS), tiny_tokenizer(), 32)
    prefix = add_prefix(discriminator.electra, prompt_tokenizer, 64)
    assert prefix.keys.shape == [2, 2, 4, 16]
