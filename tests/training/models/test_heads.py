"""Heads: label rows, and label logits against the whole-vocabulary logits of the language model's own forward."""

from __future__ import annotations

import math

import numpy as np
import paddle
import pytest
from eager import inputs
from tiny import FAMILIES, HARD, LABELS, tiny_backbone, tiny_model, tiny_tokenizer

from prompt_kit.errors import ConfigError
from prompt_kit.prompt.verbalizer import LabelTokens, Verbalizer
from prompt_kit.training.models.heads import ManualHead, MaskedLMHead, SoftHead, masked_lm_head

TWO_MASKS = "{'text': 'text_a'}{'hard': '主题是'}{'mask'}{'mask'}"
MANY_WORDS = Verbalizer.from_lines(["car==汽车,车", "sports==体育,球队比赛,冠", "finance==财,股票公司"])
MANY_WORDS_OF_TWO = Verbalizer.from_lines(["car==汽车,公司", "sports==体育,球队,比赛", "finance==财经"])


def log_probabilities(family, batch):
    """[B, M, V] at the masks, by an untouched model's own forward over the whole sequence and vocabulary."""
    output = tiny_backbone(family)(batch["input_ids"], token_type_ids=batch["token_type_ids"])
    output = output if isinstance(output, paddle.Tensor) else output[0]
    logits = output.numpy().astype("float64")
    rows = np.take_along_axis(logits, batch["mask_columns"].numpy()[:, :, None], axis=1)
    return rows - np.log(np.exp(rows).sum(axis=-1, keepdims=True))


def label_scores(log_probs, labels):
    """[B, C]: the mean over words of the mean over tokens (one mask) or of the sum over masks, in plain loops."""
    tokenizer = tiny_tokenizer()
    scores = np.zeros((len(log_probs), len(labels)))
    for b, masks in enumerate(log_probs):
        for c, words in enumerate(labels.words):
            per_word = []
            for word in words:
                ids = tokenizer.encode(word)
                if len(masks) == 1:
                    per_word.append(np.mean([masks[0][token] for token in ids]))
                else:
                    assert len(ids) == len(masks)
                    per_word.append(sum(mask[token] for mask, token in zip(masks, ids)))
            scores[b, c] = np.mean(per_word)
    return scores


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", ["manual", "soft"])
@pytest.mark.parametrize(
    ("prompt", "labels"),
    [(HARD, LABELS), (HARD, MANY_WORDS), (TWO_MASKS, LABELS), (TWO_MASKS, MANY_WORDS_OF_TWO)],
    ids=["mask", "mask-words", "masks", "masks-words"],
)
def test_label_logits_are_those_of_the_whole_vocabulary(family, head, prompt, labels):
    model = tiny_model(prompt, family, head, labels=labels)
    model.eval()
    batch = inputs(model)
    logits = model(**batch).numpy()
    expected = label_scores(log_probabilities(family, batch), labels)
    # up to the normaliser, the same for all labels of an example
    np.testing.assert_allclose(logits - logits[:, :1], expected - expected[:, :1], atol=2e-5)
    assert (logits.argmax(-1) == expected.argmax(-1)).all()
    assert len(set(logits.argmax(-1))) > 1 or np.ptp(logits) > 0.1, "a case that tells nothing"


@pytest.mark.parametrize("family", FAMILIES)
def test_soft_head_rows_are_the_label_words_embeddings(family):
    model = tiny_model(HARD, family, "soft", labels=MANY_WORDS)
    table = tiny_backbone(family).get_input_embeddings().weight.numpy()
    tokenizer = tiny_tokenizer()
    assert model.head.weight.shape == [1, 3, table.shape[1]]
    for label, words in enumerate(MANY_WORDS.words):
        expected = np.mean([table[tokenizer.encode(word)].mean(axis=0) for word in words], axis=0)
        np.testing.assert_allclose(model.head.weight.numpy()[0, label], expected, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_soft_head_rows_of_each_mask_are_its_own_tokens(family):
    model = tiny_model(TWO_MASKS, family, "soft")
    table = tiny_backbone(family).get_input_embeddings().weight.numpy()
    assert model.head.weight.shape == [2, 3, table.shape[1]]
    for label, (word,) in enumerate(LABELS.words):
        for mask, token in enumerate(tiny_tokenizer().encode(word)):
            np.testing.assert_allclose(model.head.weight.numpy()[mask, label], table[token], atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_soft_head_starts_with_the_decoders_bias(family):
    lm_bias = masked_lm_head(tiny_backbone(family)).bias().numpy()
    assert np.abs(lm_bias).max() > 0.05
    tokenizer = tiny_tokenizer()
    one, two = tiny_model(HARD, family, "soft"), tiny_model(TWO_MASKS, family, "soft")
    for label, (word,) in enumerate(LABELS.words):
        values = lm_bias[tokenizer.encode(word)]
        assert one.head.bias.numpy()[label] == pytest.approx(values.mean(), abs=1e-6)
        assert two.head.bias.numpy()[label] == pytest.approx(values.sum(), abs=1e-6)


def hand_head(ids, weights, num_masks, bias=(0.0, 0.0, 0.0, 0.0)):
    """A vocabulary of four, whose logits are the state itself plus a bias."""
    lm_head = MaskedLMHead(lambda states: states, lambda: paddle.eye(4), lambda: paddle.to_tensor(bias))
    return ManualHead(lm_head, LabelTokens(np.array(ids), np.array(weights, "float32")), num_masks)


def test_two_masks_add_log_probabilities_by_hand():
    """Label 0 is token 0 then 1, label 1 token 2 then 3: 0.6 * 0.6 against 0.2 * 0.2, so label 0 by ln 9.

    Multiplied log-probabilities (0.26 against 2.59) would choose label 1, the less likely.
    """
    probabilities = [[0.6, 0.1, 0.2, 0.1], [0.1, 0.6, 0.1, 0.2]]
    head = hand_head([[[0, 1]], [[2, 3]]], [[[1, 1]], [[1, 1]]], 2)
    logits = head(paddle.to_tensor([np.log(probabilities).tolist()])).numpy()[0]
    assert logits[0] - logits[1] == pytest.approx(math.log(9), abs=1e-6)
    assert math.log(0.6) ** 2 < math.log(0.2) ** 2


def test_one_mask_averages_tokens_then_words_by_hand():
    """Label 0: words (0) and (1, 2); label 1: word (3). Logits 8, 2, 4, 5 and biases 1, 0, 0, -2."""
    head = hand_head([[[0, 0], [1, 2]], [[3, 0], [0, 0]]], [[[0.5, 0], [0.25, 0.25]], [[1, 0], [0, 0]]], 1,
                     bias=(1.0, 0.0, 0.0, -2.0))  # fmt: skip
    logits = head(paddle.to_tensor([[[8.0, 2.0, 4.0, 5.0]]])).numpy()
    np.testing.assert_allclose(logits, [[(9 + (2 + 4) / 2) / 2, 3.0]], rtol=1e-6)


def test_soft_head_copies_and_then_learns_by_itself():
    manual = hand_head([[[0, 1]], [[2, 3]]], [[[1, 1]], [[1, 1]]], 2)
    head = SoftHead(2, 2, 4)
    head.start_from(manual)
    states = paddle.randn([3, 2, 4])
    np.testing.assert_array_equal(head(states).numpy(), manual(states).numpy())
    head(states).sum().backward()
    assert head.weight.grad.shape == [2, 2, 4]
    np.testing.assert_allclose(head.bias.grad.numpy(), [3.0, 3.0])


def test_manual_head_has_no_parameters_of_its_own_and_passes_gradients_to_the_language_model():
    model = tiny_model(HARD, head="manual")
    assert model.head.parameters() == [] and list(model.head.state_dict()) == []
    model(**inputs(model)).sum().backward()
    decoder_bias = masked_lm_head(model.backbone).bias()
    assert not decoder_bias.stop_gradient
    used = sorted({token for words in LABELS.words for word in words for token in tiny_tokenizer().encode(word)})
    assert sorted(np.flatnonzero(decoder_bias.grad.numpy())) == used


def test_an_untied_decoder_is_the_one_that_is_read():
    """A model may keep a decoder beside its word embeddings."""
    backbone = tiny_backbone("bert")
    decoder = backbone.cls.predictions.decoder
    decoder.weight = decoder.create_parameter(decoder.weight.shape)
    assert masked_lm_head(backbone).weight() is decoder.weight


def test_a_model_without_a_known_head_is_refused():
    with pytest.raises(ConfigError, match="Linear has no masked-language-model head"):
        layer = paddle.nn.Linear(2, 2)
        layer.get_input_embeddings = lambda: None
        masked_lm_head(layer)
