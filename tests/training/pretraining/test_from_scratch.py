"""New language models: the sizes asked for, and a vocabulary that the texts make."""

from __future__ import annotations

import paddle
import pytest
from runs import same, weights
from tiny import FAMILIES, tiny_tokenizer

from prompt_kit.errors import ConfigError, TokenizationError
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt.vocabulary import SPECIAL_TOKENS
from prompt_kit.training.models.backbone import longest_input
from prompt_kit.training.pretraining.from_scratch import Sizes, new_backbone, new_vocabulary
from prompt_kit.training.pretraining.masked_lm import MaskedLanguageModel

TEXTS = ["今天手机发布，iPhone playing player", "今天公司 played 上市", "今天 Player plays \ud83d"]


def pieces(tokenizer):
    return [tokenizer.id_to_token(i) for i in range(tokenizer.vocab_size)]


def test_the_texts_make_the_vocabulary():
    tokenizer = Tokenizer.from_texts(TEXTS, 200)
    assert pieces(tokenizer)[:5] == list(SPECIAL_TOKENS)
    assert set("今天手机发布公司上市，") <= set(pieces(tokenizer))
    assert tokenizer.unk_id not in tokenizer.encode_batch(TEXTS)[0]
    play = [tokenizer.id_to_token(i) for i in tokenizer.encode("Play")]
    assert play == ["play"], "a frequent beginning is one piece, in lower case"
    assert pieces(Tokenizer.from_texts(iter(TEXTS), 200)) == pieces(tokenizer)
    assert len(set(pieces(tokenizer))) == tokenizer.vocab_size
    assert "P" in pieces(Tokenizer.from_texts(TEXTS, 200, lowercase=False))


def test_the_frequent_characters_are_kept_where_not_all_fit():
    tokenizer = Tokenizer.from_texts(["甲乙丙丁戊己庚辛壬癸"] + ["子丑寅"] * 9, 14)
    assert tokenizer.vocab_size == 14 and set("子丑寅") <= set(pieces(tokenizer))
    with pytest.raises(TokenizationError, match="a vocabulary of 10 entries is too small"):
        Tokenizer.from_texts(TEXTS, 10)


def test_a_vocabulary_file(tmp_path):
    (tmp_path / "v.txt").write_text("\n".join([*SPECIAL_TOKENS, "甲", "A"]) + "\n", encoding="utf-8")
    tokenizer = new_vocabulary([], tmp_path / "v.txt", lowercase=False)
    assert tokenizer.encode("甲A") == [5, 6]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_of_the_sizes(family):
    sizes = Sizes(family, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, positions=20)
    paddle.seed(1)
    backbone = new_backbone(sizes, tiny_tokenizer())
    config = backbone.model.config
    assert (config.hidden_size, config.num_hidden_layers, config.intermediate_size) == (16, 3, 64)
    assert longest_input(backbone.model) == 20
    ids = paddle.full([1, 20], 7, dtype="int64")
    model = MaskedLanguageModel(backbone.model, backbone.tokenizer)
    assert model(ids, paddle.to_tensor([[19]]), paddle.to_tensor([0])).shape == [1, backbone.tokenizer.vocab_size]
    paddle.seed(1)
    assert same(weights(new_backbone(sizes, tiny_tokenizer()).model), weights(backbone.model))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 30}, "--hidden_size 30 is no multiple of --num_attention_heads 4"),
        ({"num_hidden_layers": 0}, "--num_hidden_layers must be at least 1, got 0"),
        ({"family": "gpt"}, "--family gpt: expected one of ernie, bert, roberta, electra"),
    ],
)
def test_sizes_that_do_not_go(options, message):
    with pytest.raises(ConfigError, match=message):
        Sizes(**options)
