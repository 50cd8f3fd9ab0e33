"""An ELECTRA whose discriminator and generator begin as a masked language model that is there.

A generator from scratch has to learn to guess before what it draws is worth detecting, and a discriminator from scratch
knows nothing. Where there is a masked language model both begin with what it knows; the detection head alone is new.
"""

from __future__ import annotations

from paddle import nn

from prompt_kit.errors import ConfigError
from prompt_kit.training.models.architectures import DISCRIMINATOR, architecture_classes, discriminator_classes
from prompt_kit.training.models.backbone import Backbone
from prompt_kit.training.runtime import quiet

_FAMILIES = ("ernie", "bert")  # whose encoders are ELECTRA's; RoBERTa counts its positions from another place
_SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
    "max_position_embeddings", "type_vocab_size", "pad_token_id", "hidden_dropout_prob", "attention_probs_dropout_prob",
)  # fmt: skip


def electra_of(backbone: Backbone) -> tuple[Backbone, Backbone]:
    """(discriminator, generator) with the weights of a PaddleNLP ErnieForMaskedLM or BertForMaskedLM.

    The generator guesses what the masked language model does. They share their embeddings once they are one `Electra`.

    Raises:
        ConfigError: it is of another family.
    """
    source = backbone.model
    if source.base_model_prefix not in _FAMILIES:
        raise ConfigError(
            f"--model_name_or_path {backbone.name} is a {type(source).__name__}; --objective rtd goes on with the "
            "ElectraDiscriminator that an earlier run wrote, or begins with an ErnieForMaskedLM or a BertForMaskedLM"
        )
    return _discriminator(backbone), _generator(backbone)


def _discriminator(backbone: Backbone) -> Backbone:
    model = _new(backbone.model, DISCRIMINATOR, discriminator_classes(DISCRIMINATOR, DISCRIMINATOR))
    predictions, ours = backbone.model.cls.predictions, model.discriminator_predictions
    ours.dense.weight.set_value(predictions.transform.weight)  # reads of a token's state what guesses it
    ours.dense.bias.set_value(predictions.transform.bias)
    return Backbone(backbone.name, f"{DISCRIMINATOR} from {type(backbone.model).__name__}", model, backbone.tokenizer)


def _generator(backbone: Backbone) -> Backbone:
    name = "ElectraForMaskedLM"
    model = _new(backbone.model, name, architecture_classes(name, name))
    predictions, ours = backbone.model.cls.predictions, model.generator_predictions
    for target, source in (
        (ours.dense.weight, predictions.transform.weight),
        (ours.dense.bias, predictions.transform.bias),
        (ours.layer_norm.weight, predictions.layer_norm.weight),
        (ours.layer_norm.bias, predictions.layer_norm.bias),
        (model.generator_lm_head_bias, predictions.decoder_bias),
    ):
        target.set_value(source)
    return Backbone(backbone.name, f"{name} from {type(backbone.model).__name__}", model, backbone.tokenizer)


def _new(source: nn.Layer, name: str, classes: tuple) -> nn.Layer:
    """A model of these classes with the embeddings and layers of `source`."""
    model_class, config_class = classes
    options = {size: getattr(source.config, size) for size in _SIZES}
    epsilon = getattr(source.config, "layer_norm_eps", 1e-12)
    with quiet():
        model = model_class(config_class(**options, embedding_size=source.config.hidden_size, layer_norm_eps=epsilon))
    encoder = getattr(source, source.base_model_prefix)
    found = dict(encoder.named_parameters())
    for parameter_name, parameter in model.electra.named_parameters():
        parameter.set_value(found[parameter_name])
    if "embeddings.task_type_embeddings.weight" in found:  # ERNIE 3.0 adds that of its task to every token
        kinds = model.electra.embeddings.token_type_embeddings.weight
        kinds.set_value(kinds + found["embeddings.task_type_embeddings.weight"][source.config.task_id])
    return model
