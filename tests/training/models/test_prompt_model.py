"""PromptModel: where it starts, what it computes and what not, what trains, and what a folder of it holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from eager import inputs, predict
from tiny import EXAMPLES, FAMILIES, HARD, LABELS, SOFT, VOCABULARY, tiny_backbone, tiny_model, tiny_tokenizer

from prompt_kit.data.dataset import Example
from prompt_kit.errors import CheckpointError, ConfigError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer, collate
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.training.models import base as classifier
from prompt_kit.training.models.heads import masked_lm_head
from prompt_kit.training.models.prompt_model import PromptModel, PromptModelConfig

SOFT_TEMPLATE = "{'text': 'text_a'}{'soft': '这条新闻的主题是'}{'mask'}"
FILES = ["config.json", "model.safetensors", "prompt_config.json", "tokenizer.json"]


def label_ids(examples=EXAMPLES):
    return paddle.to_tensor([LABELS.label_to_id[example.label] for example in examples])


def train_steps(model, parameters, steps=2, rate=1e-2):
    optimizer = paddle.optimizer.AdamW(rate, parameters=parameters)
    batch = inputs(model)
    for _ in range(steps):
        model.train()
        F.cross_entropy(model(**batch), label_ids()).backward()
        optimizer.step()
        optimizer.clear_grad()


def weights(layer):
    return {name: parameter.numpy().copy() for name, parameter in layer.named_parameters()}


def changed(before, after):
    return {name for name in before if not np.array_equal(before[name], after[name])}


def pretrained_scores(family, features):
    """[B, C]: the label words' logits at the masks by an untouched model's own forward, one mean or sum a label."""
    arrays = {name: paddle.to_tensor(array) for name, array in collate(features, 0).items()}
    output = tiny_backbone(family)(arrays["input_ids"], token_type_ids=arrays["token_type_ids"])
    logits = (output if isinstance(output, paddle.Tensor) else output[0]).numpy()
    scores = np.zeros((len(features), len(LABELS)))
    for b, one in enumerate(features):
        columns = [column for column, token in enumerate(one.input_ids) if token == tiny_tokenizer().mask_id]
        for c, (word,) in enumerate(LABELS.words):
            ids = tiny_tokenizer().encode(word)
            if len(columns) == 1:
                scores[b, c] = np.mean([logits[b, columns[0], token] for token in ids])
            else:
                scores[b, c] = sum(logits[b, column, token] for column, token in zip(columns, ids))
    return scores


# -- starting point ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("masks", [1, 2])
def test_starting_point(family, masks):
    """Every head and soft encoder predicts what the hard prompt with the pretrained head predicts."""
    mask = "{'mask'}" * masks
    hard = PromptTokenizer(Template.parse("{'text': 'text_a'}这条新闻的主题是" + mask), tiny_tokenizer(), 32)
    expected = pretrained_scores(family, hard.encode_many(EXAMPLES))
    assert np.ptp(expected, axis=0).min() > 0.01, "examples that all look the same prove nothing"
    for head in ("soft", "manual"):
        model = tiny_model("{'text': 'text_a'}这条新闻的主题是" + mask, family, head)
        np.testing.assert_allclose(predict(model), expected, atol=1e-5, err_msg=f"hard prompt, {head}")
        for encoder in ("lstm", "mlp", "none"):
            model = tiny_model("{'text': 'text_a'}{'soft': '这条新闻的主题是'}" + mask, family, head, encoder)
            np.testing.assert_allclose(predict(model), expected, atol=1e-5, err_msg=f"{encoder}, {head}")


def test_starting_point_of_a_plain_string():
    np.testing.assert_array_equal(predict(tiny_model(SOFT)), predict(tiny_model(SOFT_TEMPLATE)))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "template",
    [
        "{'mask'}新闻{'text': 'text_a'}",
        "新闻{'mask'}的{'text': 'text_a'}主题",
        "{'text': 'text_a'}{'sep'}主题是{'mask'}标题",
        "{'mask'}{'text': 'text_a'}是{'mask'}",
    ],
)
def test_masks_are_read_where_they_stand(family, template):
    """Rows of a batch are of different lengths, so that masks behind the text stand in different columns."""
    model = tiny_model(template, family, "manual")
    features = model.prompt_tokenizer.encode_many(EXAMPLES)
    np.testing.assert_allclose(predict(model), pretrained_scores(family, features), atol=1e-5)


def test_soft_tokens_before_and_behind_the_mask():
    model = tiny_model("{'soft': '这条'}{'mask'}{'soft': '新闻'}{'text': 'text_a'}{'soft': '主题'}", head="manual")
    features = model.prompt_tokenizer.encode_many(EXAMPLES)
    np.testing.assert_allclose(predict(model), pretrained_scores("ernie", features), atol=1e-5)


def test_soft_tokens_are_what_is_read_in_their_places():
    """A soft prompt whose vectors are another word's embeddings predicts as the hard prompt with that word."""
    model = tiny_model("{'text': 'text_a'}{'soft': '新闻'}{'mask'}", encoder="none")
    words = model.backbone.get_input_embeddings().weight
    model.soft_prompt.vectors.set_value(paddle.stack([words[i] for i in tiny_tokenizer().encode("体育")]))
    expected = tiny_model("{'text': 'text_a'}体育{'mask'}")
    np.testing.assert_allclose(predict(model), predict(expected), atol=1e-6)
    assert np.abs(predict(model) - predict(tiny_model("{'text': 'text_a'}新闻{'mask'}"))).max() > 1e-3


# -- inputs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("template", [SOFT_TEMPLATE, "{'mask'}是{'text': 'text_a'}"])
def test_padding_changes_nothing(family, template):
    model = tiny_model(template, family)
    train_steps(model, model.prompt_parameters(), 1)  # soft tokens that are no words any more
    together = predict(model)
    alone = np.concatenate([predict(model, [example]) for example in EXAMPLES])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    longer = collate(model.prompt_tokenizer.encode_many(EXAMPLES), model.tokenizer.pad_id, pad_to_multiple_of=30)
    assert longer["input_ids"].shape[1] == 30
    padded = model(**{name: paddle.to_tensor(array) for name, array in longer.items()}).numpy()
    np.testing.assert_allclose(padded, together, atol=1e-5)


@pytest.mark.parametrize("template", [SOFT_TEMPLATE, "{'text': 'text_a'}是{'mask'}{'mask'}"])
def test_special_tokens_in_a_text_are_data(template):
    model = tiny_model(template)
    tokenizer = model.tokenizer
    texts = [Example("[MASK]汽车[SEP]体育"), Example("[PAD][PAD][CLS]"), Example("汽车[MASK]"), Example("体育")]
    batch = inputs(model, texts)
    ids, masks = batch["input_ids"].numpy(), model.prompt_tokenizer.num_masks
    assert ((ids == tokenizer.mask_id).sum(axis=1) == masks).all()
    assert ((ids == tokenizer.sep_id).sum(axis=1) == 1).all() and ((ids == tokenizer.cls_id).sum(axis=1) == 1).all()
    columns = batch["mask_columns"].numpy()
    assert (np.take_along_axis(ids, columns, axis=1) == tokenizer.mask_id).all()
    logits = predict(model, texts)
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(logits[:1], predict(model, texts[:1]), atol=1e-5)  # no [PAD] in it is padding


def test_the_text_decides():
    """Guards the tests above: a model deaf to its text would pass them."""
    assert np.ptp(predict(tiny_model()), axis=0).min() > 0.01


def test_mask_states():
    model = tiny_model("{'text': 'text_a'}是{'mask'}{'mask'}")
    model.eval()
    batch = inputs(model)
    logits, states = model(**batch, return_mask_states=True)
    assert states.shape == [8, 2, 32]
    np.testing.assert_array_equal(model(**batch).numpy(), logits.numpy())
    sequence = model.backbone.ernie(batch["input_ids"], token_type_ids=batch["token_type_ids"])[0].numpy()
    columns = batch["mask_columns"].numpy()
    np.testing.assert_allclose(states.numpy()[3, 1], sequence[3, columns[3, 1]], atol=1e-6)


# -- the whole vocabulary is never projected to -----------------------------------------------------------------------


@pytest.fixture
def widths(monkeypatch):
    """The last dimension of every matrix product from here on."""
    seen = set()

    def recorded(function):
        def call(*args, **kwargs):
            result = function(*args, **kwargs)
            seen.add(result.shape[-1])
            return result

        return call

    for module, name in ((paddle, "matmul"), (paddle.tensor, "matmul"), (F, "linear"), (paddle, "mm")):
        monkeypatch.setattr(module, name, recorded(getattr(module, name)))
    return seen


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", ["soft", "manual"])
def test_logits_of_the_whole_vocabulary_are_never_computed(family, head, widths):
    model = tiny_model(family=family, head=head)
    batch = inputs(model)
    assert len(VOCABULARY) not in {batch["input_ids"].shape[1], 32, 24, 62, 64}
    widths.clear()
    model(**batch).sum().backward()
    assert 3 in widths, "the head's own product must have been seen"
    assert len(VOCABULARY) not in widths
    model.backbone(batch["input_ids"])
    assert len(VOCABULARY) in widths, "the language model's own forward does, and this test would see it"


# -- what trains ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", ["soft", "manual"])
@pytest.mark.parametrize("prompt", [SOFT, HARD])
def test_every_parameter_that_is_not_stopped_gets_a_gradient(family, head, prompt):
    """Data parallel training waits for ever for one that does not."""
    model = tiny_model(prompt, family, head)
    model(**inputs(model)).sum().backward()
    without = [name for name, p in model.named_parameters() if not p.stop_gradient and p.grad is None]
    assert without == []
    stopped = {name for name, p in model.named_parameters() if p.stop_gradient}
    assert all("pooler" in name or name.endswith("bias") for name in stopped)
    assert masked_lm_head(model.backbone).bias().stop_gradient == (head == "soft")


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_are_in_one_of_the_two_groups(family):
    model = tiny_model(family=family)
    groups = [model.language_model_parameters(), model.prompt_parameters()]
    ids = [id(p) for group in groups for p in group]
    assert len(ids) == len(set(ids))
    assert set(ids) == {id(p) for p in model.parameters() if not p.stop_gradient}
    assert {id(p) for p in groups[1]} == {
        id(p) for n, p in model.named_parameters() if n.startswith(("soft_prompt.", "head."))
    }


@pytest.mark.parametrize("prompt, encoder", [(SOFT, "lstm"), (SOFT, "mlp"), (SOFT, "none"), (HARD, "none")])
def test_training_moves_the_whole_model(prompt, encoder):
    model = tiny_model(prompt, encoder=encoder)
    before = weights(model)
    train_steps(model, [*model.language_model_parameters(), *model.prompt_parameters()])
    still = set(before) - changed(before, weights(model))
    assert all("pooler" in name or name.endswith("decoder_bias") for name in still), still


@pytest.mark.parametrize("family", FAMILIES)
def test_freeze_language_model(family):
    model = tiny_model(family=family)
    model.freeze_language_model()
    assert model.language_model_parameters() == []
    before, start = weights(model), predict(model)
    train_steps(model, [p for p in model.parameters() if not p.stop_gradient])
    moved = changed(before, weights(model))
    assert not any(name.startswith("backbone.") for name in moved)
    assert {"soft_prompt.vectors", "head.weight", "head.bias"} <= moved
    assert any(name.startswith("soft_prompt.encoders.0.lstm") for name in moved)
    assert np.abs(predict(model) - start).max() > 1e-3


def test_freeze_with_a_manual_head_trains_the_soft_prompt():
    model = tiny_model(head="manual", encoder="none")
    model.freeze_language_model()
    assert [p.shape for p in model.prompt_parameters()] == [[8, 32]]


def test_freeze_with_nothing_left_to_train():
    with pytest.raises(ConfigError, match="--freeze_plm leaves nothing to train") as caught:
        tiny_model(HARD, head="manual").freeze_language_model()
    assert "\n" not in str(caught.value)


def test_freeze_dropout_survives_every_call_of_train():
    model = tiny_model(dropout=0.5)
    model.freeze_dropout = True
    batch = inputs(model)
    start = predict(model)
    optimizer = paddle.optimizer.SGD(0.0, parameters=model.prompt_parameters())
    for _ in range(2):
        model.train()
        assert model.training and model.head.training and model.soft_prompt.encoders[0].lstm.training
        assert not any(layer.training for layer in model.backbone.sublayers(include_self=True))
        logits = model(**batch)
        np.testing.assert_allclose(logits.numpy(), start, atol=1e-6)
        F.cross_entropy(logits, label_ids()).backward()
        optimizer.step()
    model.freeze_dropout = False
    model.train()
    assert np.abs(model(**batch).numpy() - start).max() > 0.01


# -- sizes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family, positions", [("ernie", 64), ("bert", 64), ("roberta", 63), ("electra", 64)])
def test_the_longest_input_fits_the_positions(family, positions):
    """RoBERTa counts from behind its padding index, so it has one less."""
    model = tiny_model(family=family, max_seq_length=positions)
    example = Example("汽" * 100)
    assert len(model.prompt_tokenizer.encode(example).input_ids) == positions
    assert np.isfinite(predict(model, [example])).all()
    with pytest.raises(ConfigError, match=f"max_seq_length {positions + 1} exceeds the language model's {positions}"):
        tiny_model(family=family, max_seq_length=positions + 1)


def test_a_vocabulary_that_is_larger_than_the_embedding():
    tokenizer = Tokenizer.from_vocab([*VOCABULARY, "多"])
    with pytest.raises(
        ConfigError, match=f"vocabulary has {len(VOCABULARY) + 1} entries .* embedding {len(VOCABULARY)}"
    ):
        PromptModel(tiny_backbone(), PromptTokenizer(Template.parse(HARD), tokenizer, 32), LABELS)


def test_an_embedding_that_is_larger_than_the_vocabulary_is_fine():
    """ernie-3.0's has rows to spare. Soft ids start behind the embedding, not behind the vocabulary."""
    tokenizer = Tokenizer.from_vocab(VOCABULARY[:-1])
    template = Template.from_prompt(SOFT, "lstm", 16)
    model = PromptModel(tiny_backbone(), PromptTokenizer(template, tokenizer, 32), LABELS, PromptModelConfig("soft"))
    examples = [example for example in EXAMPLES if "五" not in example.text_a]
    np.testing.assert_allclose(predict(model, examples), predict(tiny_model(), examples), atol=1e-6)


def test_an_unknown_head_is_refused():
    with pytest.raises(ConfigError, match="'linear'; expected one of cosine, soft, manual, prototype"):
        PromptModelConfig(head="linear")


# -- folders ----------------------------------------------------------------------------------------------------------


def random_model(prompt=SOFT, family="ernie", head="soft", encoder="lstm"):
    """Far from its start, so that nothing that is made anew by loading could pass for what was saved."""
    model = tiny_model(prompt, family, head, encoder)
    for parameter in model.parameters():
        parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    return model


SAVED = {
    "ernie": dict(encoder="lstm"),
    "bert": dict(encoder="mlp", head="manual"),
    "roberta": dict(encoder="none"),
    "electra": dict(prompt="{'text': 'text_a'}是{'mask'}{'mask'}"),
}

RELOAD = """
import socket, sys
def refuse(*args, **kwargs):
    raise SystemExit("the network was asked for")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import numpy as np
from prompt_kit import PromptModel
import paddle, pickle
paddle.load = pickle.load = pickle.loads = pickle.Unpickler = refuse
from prompt_kit.data.dataset import Example
from prompt_kit.prompt.prompt_tokenizer import collate
folder, texts = sys.argv[1], sys.argv[2:]
logits = {}
for family in ("ernie", "bert", "roberta", "electra"):
    model = PromptModel.from_pretrained(folder + "/" + family)
    assert not model.training
    arrays = collate(model.prompt_tokenizer.encode_many([Example(text) for text in texts]), model.tokenizer.pad_id)
    logits[family] = model(**{name: paddle.to_tensor(array) for name, array in arrays.items()}).numpy()
np.savez(folder + "/logits.npz", **logits)
"""


@pytest.mark.slow
def test_a_moved_folder_gives_the_same_logits_in_a_fresh_process_without_network(tmp_path, root):
    expected = {}
    for family, settings in SAVED.items():
        model = random_model(family=family, **settings)
        expected[family] = predict(model)
        model.save_pretrained(tmp_path / "here" / family)
        assert sorted(os.listdir(tmp_path / "here" / family)) == FILES
    shutil.move(str(tmp_path / "here"), str(tmp_path / "there"))
    done = subprocess.run(
        [sys.executable, "-c", RELOAD, str(tmp_path / "there"), *(example.text_a for example in EXAMPLES)],
        cwd=root, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PPNLP_HOME": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "there" / "logits.npz") as logits:
        for family in FAMILIES:  # some processors' libraries sum in an order that depends on where memory is
            np.testing.assert_allclose(logits[family], expected[family], atol=2e-5, err_msg=family)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved model's folder; tests that damage it work on a copy."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    random_model().save_pretrained(folder)
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


def edit(path, change):
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def test_a_subclass_does_not_take_the_place_of_its_kind(saved):
    class Subclass(PromptModel):
        pass

    assert type(PromptModel.from_pretrained(saved)) is PromptModel


def test_round_trip(saved, tmp_path):
    model = PromptModel.from_pretrained(saved)
    assert not model.training, "a model that was loaded is there to predict"
    assert model.config == PromptModelConfig("soft", "tiny-ernie", "prompt")
    assert model.verbalizer == LABELS
    assert model.template == tiny_model().template
    assert model.prompt_tokenizer.to_config() == tiny_model().prompt_tokenizer.to_config()
    model.save_pretrained(tmp_path / "again")
    for name in FILES:
        if name.endswith(".json"):  # PaddleNLP shuffles the keys of config.json
            first, second = (json.loads((folder / name).read_bytes()) for folder in (saved, tmp_path / "again"))
            assert first == second, name
        else:
            assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes(), name


def test_loading_does_not_depend_on_the_random_state(saved):
    paddle.seed(1)
    first = PromptModel.from_pretrained(saved)
    paddle.seed(2)
    assert changed(weights(first), weights(PromptModel.from_pretrained(saved))) == set()


def test_unused_parameters_stay_stopped_after_loading(saved):
    fresh, loaded = tiny_model(), PromptModel.from_pretrained(saved)
    stopped = {name for name, p in fresh.named_parameters() if p.stop_gradient}
    assert len(stopped) == 3, "the pooler's two and the decoder's bias"
    assert {name for name, p in loaded.named_parameters() if p.stop_gradient} == stopped


def test_a_loaded_model_can_be_trained_on(saved):
    model = PromptModel.from_pretrained(saved)
    before = weights(model)
    train_steps(model, [p for p in model.parameters() if not p.stop_gradient])
    assert len(changed(before, weights(model))) == len(before) - 3


def test_saving_over_a_model_is_all_or_nothing(copy, monkeypatch):
    before = {name: (copy / name).read_bytes() for name in FILES}

    def fail(path, content):
        raise OSError("disk full")

    monkeypatch.setattr(classifier, "write_json", fail)
    with pytest.raises(OSError, match="disk full"):
        tiny_model().save_pretrained(copy)
    assert sorted(os.listdir(copy)) == FILES
    assert {name: (copy / name).read_bytes() for name in FILES} == before


@pytest.mark.parametrize("keep", [0, 5000, -1])
def test_truncated_weights(copy, keep):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"copy/model\.safetensors cannot be read.*damaged or half-copied"):
        PromptModel.from_pretrained(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(copy, name):
    (copy / name).unlink()
    with pytest.raises(CheckpointError) as caught:
        PromptModel.from_pretrained(copy)
    assert name in str(caught.value) and str(copy) in str(caught.value) and "\n" not in str(caught.value)


def test_all_missing_files_are_listed(copy):
    (copy / "model.safetensors").unlink()
    (copy / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors, tokenizer\.json missing"):
        PromptModel.from_pretrained(copy)


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(CheckpointError, match="is missing: not a folder that train.py finished"):
        PromptModel.from_pretrained(tmp_path / "none")


def test_another_format_version(copy):
    edit(copy / "prompt_config.json", lambda config: config.update(format_version=99))
    with pytest.raises(
        CheckpointError, match="has format_version 99, but this prompt-kit reads models of 1 and 3; update prompt-kit"
    ):
        PromptModel.from_pretrained(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"mode": "prompt"}', '{"format_version": 1}'])
def test_a_damaged_configuration(copy, text):
    (copy / "prompt_config.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match="damaged") as caught:
        PromptModel.from_pretrained(copy)
    assert "\n" not in str(caught.value)


def test_missing_and_extra_tensors_are_named(copy):
    from safetensors.numpy import load_file, save_file

    arrays = load_file(str(copy / "model.safetensors"))
    arrays["head.weights"] = arrays.pop("head.weight")
    save_file(arrays, str(copy / "model.safetensors"))
    with pytest.raises(CheckpointError, match=r"missing \['head\.weight'\]; extra \['head\.weights'\]"):
        PromptModel.from_pretrained(copy)


def test_tensors_of_another_shape_are_named(copy):
    edit(copy / "prompt_config.json", lambda config: config["verbalizer"]["labels"].pop())
    with pytest.raises(CheckpointError, match=r"head\.weight \[1, 3, 32\], expected \[1, 2, 32\]"):
        PromptModel.from_pretrained(copy)


def test_an_architecture_that_is_not_supported(copy):
    edit(copy / "config.json", lambda config: config.update(architectures=["GPTLMHeadModel"]))
    with pytest.raises(ConfigError, match="'GPTLMHeadModel' is not supported; expected one of BertForMaskedLM"):
        PromptModel.from_pretrained(copy)


@pytest.mark.parametrize("text", ["{}", '{"architectures": null}', '{"architectures": []}', "[]", "{", ""])
def test_a_damaged_language_model_configuration(copy, text):
    (copy / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is not supported|config.json is damaged") as caught:
        PromptModel.from_pretrained(copy)
    assert str(copy) in str(caught.value)


def test_the_prompt_configuration_records_what_the_model_is(saved):
    config = json.loads((saved / "prompt_config.json").read_text(encoding="utf-8"))
    assert (
        config["format_version"] == 1
        and config["kind"] == "model"
        and config["head"] == "soft"
        and config["mode"] == "prompt"
    )
    assert config["base_model"] == "tiny-ernie"
    assert [entry["label"] for entry in config["verbalizer"]["labels"]] == ["car", "sports", "finance"]
    assert config["prompt"]["max_seq_length"] == 32
    assert {"python", "prompt-kit", "numpy", "tokenizers"} <= set(config["versions"])


def test_build_is_one_call(tiny_folder, tiny_data):
    model = PromptModel.build(tiny_data / "label.txt", SOFT, str(tiny_folder), max_seq_length=32)
    assert {token.encoder for token in model.prompt_tokenizer.soft_tokens} == {"lstm"}
    assert {token.hidden_size for token in model.prompt_tokenizer.soft_tokens} == {200}
    assert model.config.base_model == str(tiny_folder) and model.config.mode == "prompt"


def test_build_takes_a_hard_prompt_and_no_encoder(tiny_folder):
    assert PromptModel.build(LABELS, HARD, str(tiny_folder), head="manual", max_seq_length=32).soft_prompt is None
    plain = PromptModel.build(LABELS, SOFT, str(tiny_folder), soft_encoder="none", max_seq_length=32)
    assert [token.encoder for token in plain.prompt_tokenizer.soft_tokens] == [None] * len(SOFT)


def test_a_pass_that_fails_leaves_the_encoder_whole():
    model = tiny_model()
    model.eval()
    ids = paddle.ones([1, 6], "int64")
    whole = model.backbone(ids).shape
    with pytest.raises(Exception):  # noqa: B017  whatever Paddle raises for another shape
        model.encode_rows(ids, paddle.zeros([1, 5], "int64"), paddle.zeros([1, 1], "int64"))
    assert model.backbone(ids).shape == whole
