"""An ELECTRA that begins as a masked language model: the same guesses, the same states."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from tiny import tiny_backbone, tiny_tokenizer

from prompt_kit.errors import ConfigError
from prompt_kit.training.models.backbone import Backbone
from prompt_kit.training.pretraining.electra import Electra
from prompt_kit.training.pretraining.electra_start import electra_of

# ERNIE's embedding of padding is nothing, ELECTRA's is something; no other place reads it
IDS = np.array([[2, 7, 8, 4, 9, 3], [2, 10, 4, 3, 0, 0]], "int64")
REAL = IDS != 0


def of(family: str) -> Backbone:
    model = tiny_backbone(family, seed=3, dropout=0.0)
    model.eval()
    return Backbone("tiny", "", model, tiny_tokenizer())


@pytest.mark.parametrize("family", ["ernie", "bert"])
def test_the_generator_guesses_what_the_masked_language_model_does(family):
    backbone = of(family)
    _, generator = electra_of(backbone)
    generator.model.eval()
    ids = paddle.to_tensor(IDS)
    with paddle.no_grad():
        np.testing.assert_allclose(generator.model(ids).numpy()[REAL], backbone.model(ids).numpy()[REAL], atol=2e-5)


@pytest.mark.parametrize("family", ["ernie", "bert"])
def test_the_discriminator_reads_as_it_does(family):
    backbone = of(family)
    discriminator, _ = electra_of(backbone)
    discriminator.model.eval()
    ids = paddle.to_tensor(IDS)
    encoder = getattr(backbone.model, family)
    with paddle.no_grad():
        wanted = encoder(ids)[0].numpy()
        np.testing.assert_allclose(discriminator.model.electra(ids).numpy()[REAL], wanted[REAL], atol=2e-5)


def test_the_two_are_one_electra():
    discriminator, generator = electra_of(of("ernie"))
    model = Electra(discriminator.model, generator.model, discriminator.tokenizer)
    table = model.backbone.get_input_embeddings().weight
    assert model.generator.backbone.get_input_embeddings().weight is table


def test_the_kind_of_task_that_ernie_adds_to_every_token_is_kept():
    from paddlenlp.transformers import ErnieConfig, ErnieForMaskedLM

    plain = of("ernie").model.config
    config = ErnieConfig(**{**plain.to_dict(), "use_task_id": True, "task_type_vocab_size": 3, "task_id": 1})
    paddle.seed(5)
    model = ErnieForMaskedLM(config)
    model.eval()
    discriminator, _ = electra_of(Backbone("tiny", "", model, tiny_tokenizer()))
    discriminator.model.eval()
    ids = paddle.to_tensor(IDS)
    with paddle.no_grad():
        np.testing.assert_allclose(
            discriminator.model.electra(ids).numpy()[REAL], model.ernie(ids)[0].numpy()[REAL], atol=2e-5
        )


def test_another_family_is_refused_by_name():
    with pytest.raises(
        ConfigError, match="is a RobertaForMaskedLM; .*begins with an ErnieForMaskedLM or a BertForMaskedLM"
    ):
        electra_of(of("roberta"))
