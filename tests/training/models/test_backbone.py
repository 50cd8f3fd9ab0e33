"""Finding the language model: folders, the embedded one, hub names without a network, and the default choice."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import paddle
import paddlenlp.utils.env
import pytest
from eager import inputs
from paddlenlp.transformers import AutoModelForMaskedLM, ErnieForMaskedLM, ErnieTokenizer
from refusals import refusal
from tiny import FAMILIES, HARD, LABELS, VOCABULARY, tiny_backbone, tiny_model, write_tiny_folder

from prompt_kit.errors import ConfigError, TokenizationError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.training.models import backbone
from prompt_kit.training.models.backbone import Backbone, load_backbone
from prompt_kit.training.models.prompt_model import PromptModel, PromptModelConfig

HUB_NAME = "ernie-3.0-nano-zh"

pytestmark = pytest.mark.usefixtures("no_network", "home")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """PaddleNLP's model cache, empty."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(paddlenlp.utils.env, "MODEL_HOME", str(home))
    # the package holds a function of the same name in the module's place
    monkeypatch.setattr(sys.modules["paddlenlp.utils.download.bos_download"], "MODEL_HOME", str(home))
    return home


@pytest.fixture
def copy(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "copy")


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


def assert_same_weights(first, second):
    first, second = (dict(model.named_parameters()) for model in (first, second))
    assert first.keys() == second.keys()
    for name, parameter in first.items():
        np.testing.assert_array_equal(parameter.numpy(), second[name].numpy(), err_msg=name)


def refused(name, error=ConfigError):
    return refusal(error, load_backbone, name)


# -- folders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder(tmp_path, family):
    folder = write_tiny_folder(tmp_path / family, family)
    loaded = load_backbone(str(folder))
    assert (loaded.name, loaded.reason) == (str(folder), "the folder given")
    assert_same_weights(loaded.model, tiny_backbone(family))
    assert {str(parameter.dtype) for parameter in loaded.model.parameters()} == {"paddle.float32"}
    assert loaded.tokenizer.vocab_size == len(VOCABULARY)
    # and it is all that a prompt model needs
    model = PromptModel(
        loaded.model, PromptTokenizer(Template.parse(HARD), loaded.tokenizer, 32), LABELS, PromptModelConfig("soft")
    )
    model.eval()
    reference = tiny_model(HARD, family)
    reference.eval()
    batch = inputs(model)
    np.testing.assert_allclose(model(**batch).numpy(), reference(**batch).numpy(), atol=1e-6)


def test_a_folder_with_pdparams(tmp_path):
    """As PaddleNLP saves by itself."""
    folder = write_tiny_folder(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    tiny_backbone().save_pretrained(str(folder), safe_serialization=False)
    assert "model_state.pdparams" in os.listdir(folder)
    assert "a pickle, which can run any code" in refused(str(folder))
    assert_same_weights(load_backbone(str(folder), trust_pickle=True).model, tiny_backbone())


class Trap:
    """Unpickled, it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("name", ["notes.txt", "../notes.txt", "model.pdparams", "/absolute", "sub/a.safetensors", 7])
@pytest.mark.parametrize("whole", [True, False])
def test_an_index_that_names_a_pickle_runs_nothing(copy, tmp_path, name, whole):
    """PaddleNLP unpickles what an index names, even beside a whole model.safetensors."""
    sprung = tmp_path / "sprung"
    name = str(tmp_path / "notes.txt") if name == "/absolute" else name
    if isinstance(name, str) and "/a." not in name:
        with open(copy / name, "wb") as file:
            pickle.dump(Trap(sprung), file)
    if not whole:
        (copy / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {"a": name}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    message = refused(str(copy))
    assert f"names {name!r}" in message and "expected a *.safetensors file in the same folder" in message
    assert not sprung.exists()


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"weight_map": 1}', '{"weight_map": {"a": []}}', "[" * 100_000])
def test_a_damaged_index(copy, text):
    (copy / "model.safetensors.index.json").write_text(text, encoding="utf-8")
    assert "model.safetensors.index.json is damaged" in refused(str(copy))


@pytest.mark.parametrize("name", ["model_state.pdparams", "pytorch_model.bin", "model_state.pdparams.index.json"])
def test_what_lies_beside_safetensors_is_not_read(copy, tmp_path, name):
    sprung = tmp_path / "sprung"
    with open(copy / name, "wb") as file:
        pickle.dump(Trap(sprung), file)
    assert_same_weights(load_backbone(str(copy)).model, tiny_backbone())
    assert not sprung.exists()


def test_weights_in_several_safetensors(copy):
    from safetensors.numpy import load_file, save_file

    arrays = load_file(str(copy / "model.safetensors"))
    (copy / "model.safetensors").unlink()
    parts = {f"part-{n}.safetensors": dict(list(arrays.items())[n::2]) for n in range(2)}
    for name, part in parts.items():
        save_file(part, str(copy / name), metadata={"format": "np"})
    weights = {key: name for name, part in parts.items() for key in part}
    index = {"metadata": {"total_size": sum(array.nbytes for array in arrays.values())}, "weight_map": weights}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert_same_weights(load_backbone(str(copy)).model, tiny_backbone())


def test_a_relative_folder(tiny_folder, monkeypatch):
    """Named as a model on the hub is, ernie-tiny."""
    monkeypatch.chdir(tiny_folder.parent)
    assert load_backbone("ernie-tiny").name == "ernie-tiny"
    assert load_backbone("./ernie-tiny/").model is not None


def test_a_half_precision_folder_is_loaded_in_float32(copy):
    from safetensors.numpy import load_file, save_file

    arrays = {name: array.astype("float16") for name, array in load_file(str(copy / "model.safetensors")).items()}
    save_file(arrays, str(copy / "model.safetensors"), metadata={"format": "np"})
    model = load_backbone(str(copy)).model
    assert {str(parameter.dtype) for parameter in model.parameters()} == {"paddle.float32"}


def test_an_older_folder_names_its_class_by_init_class(copy):
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    config["init_class"] = config.pop("architectures")[0]
    (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert_same_weights(load_backbone(str(copy)).model, tiny_backbone())


def test_a_folder_without_weights(copy):
    (copy / "model.safetensors").unlink()
    message = refused(str(copy))
    assert str(copy) in message and "holds no weights; expected model.safetensors" in message


def test_a_folder_without_a_configuration(copy):
    (copy / "config.json").unlink()
    assert f"{copy / 'config.json'} is missing" in refused(str(copy))


@pytest.mark.parametrize("text", ["{", "[1]", ""])
def test_a_folder_with_a_damaged_configuration(copy, text):
    (copy / "config.json").write_text(text, encoding="utf-8")
    assert str(copy / "config.json") in refused(str(copy))


def test_a_folder_without_a_vocabulary(copy):
    (copy / "vocab.txt").unlink()
    assert str(copy) in refused(str(copy), TokenizationError)


def test_an_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "config.json is missing" in refused(str(tmp_path / "empty"))


@pytest.mark.parametrize("architecture", ["ErnieForSequenceClassification", "GPTLMHeadModel", "BertModel"])
def test_an_unsupported_architecture(copy, architecture):
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps({**config, "architectures": [architecture]}), encoding="utf-8")
    message = refused(str(copy))
    assert f"'{architecture}' is not supported; expected one of BertForMaskedLM, " in message and str(copy) in message


@pytest.mark.parametrize("keep", [0, 1000, -1])
def test_truncated_weights(copy, keep):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert f"cannot load the language model in {copy}: " in refused(str(copy))


def test_weights_of_another_model(copy):
    """PaddleNLP's error lists every one of them; ours stays short."""
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps({**config, "hidden_size": 64}), encoding="utf-8")
    message = refused(str(copy))
    assert str(copy) in message and "shape" in message and len(message) < 500


def test_a_folder_that_prompt_kit_trained(tmp_path):
    tiny_model().save_pretrained(tmp_path / "run")
    message = refused(str(tmp_path / "run"))
    assert "is a folder that prompt-kit trained" in message and "--resume_from_checkpoint" in message


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_that_paddlenlp_makes_up_are_told_of(tmp_path, caplog, family):
    """An encoder without its head, as fine-tuned models are: PaddleNLP fills in random numbers and says nothing."""
    from safetensors.numpy import load_file, save_file

    folder = write_tiny_folder(tmp_path / family, family)
    load_backbone(str(folder))
    assert caplog.messages == []
    path = str(folder / "model.safetensors")
    arrays = load_file(path)
    unused = {name: array for name, array in arrays.items() if "pooler" in name or "decoder" in name}
    save_file({name: arrays[name] for name in arrays.keys() - unused.keys()}, path, metadata={"format": "np"})
    load_backbone(str(folder))
    assert caplog.messages == []
    head = ("cls.", "lm_head.", "generator_")
    encoder = {name: array for name, array in arrays.items() if not name.startswith(head)}
    save_file(encoder, path, metadata={"format": "np"})
    load_backbone(str(folder))
    (message,) = caplog.messages
    assert str(folder) in message and "layer_norm.bias" in message and "start at random" in message


# -- the embedded model -----------------------------------------------------------------------------------------------


def test_the_embedded_model(caplog):
    loaded = load_backbone("mini_zh")
    assert (loaded.name, loaded.reason) == ("mini_zh", "the embedded model, as asked")
    assert loaded.model.config.hidden_size == 384 and caplog.messages == []
    assert loaded.tokenizer.vocab_size == 8000
    again = load_backbone("mini_zh")
    assert_same_weights(loaded.model, again.model)  # every weight comes from the file, none is made by chance


# -- hub names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [HUB_NAME, "ernie-3.0-base-zh", "hfl/roberta-wwm-ext", "somebody/some-model"])
def test_a_name_that_cannot_be_had_offline(home, no_network, name):
    start = time.monotonic()
    message = refused(name)
    assert time.monotonic() - start < 10
    assert no_network, "nobody tried"
    assert f"{name} is not a folder, not cached, and cannot be downloaded" in message and "mini_zh" in message
    assert everything(home) == []


@pytest.mark.parametrize(
    ("name", "suggestion"), [("ernie-3.0-base-hz", "ernie-3.0-base-zh"), ("bert-base-chinse", "bert-base-chinese"),
                             ("ernie", "ernie"), ("no-such-thing-at-all", "ernie-3.0-base-zh")]
)  # fmt: skip
def test_a_misspelt_name(home, no_network, name, suggestion):
    message = refused(name)
    assert "did you mean " in message and suggestion in message.partition("did you mean ")[2]
    assert no_network == [] and everything(home) == []


@pytest.mark.parametrize("name", ["./none", "/no/such/folder", "../models/none", "a/b/c"])
def test_a_folder_that_does_not_exist(no_network, name):
    message = refused(name)
    assert f"{name}: no such folder ({os.path.abspath(name)})" in message
    assert no_network == []


def failing_download(home, error):
    """What PaddleNLP leaves of a download that breaks off: the model's folder, a lock and a nameless file."""

    def from_pretrained(name, **kwargs):
        (home / name).mkdir(parents=True)
        (home / name / "model_state.pdparams").write_bytes(b"half")
        (home / ".locks" / name).mkdir(parents=True)
        (home / ".locks" / name / "model_state.pdparams.lock").touch()
        (home / "tmp7ych2ven").touch()
        raise error

    return from_pretrained


@pytest.mark.parametrize("name", [HUB_NAME, "somebody/some-model"])
@pytest.mark.parametrize("error", [OSError("Connection\n\nreset"), RuntimeError(), KeyError("etag")])
def test_a_download_that_fails_leaves_nothing(home, monkeypatch, name, error):
    (home / "another-model").mkdir()
    (home / "another-model" / "model_state.pdparams").touch()
    before = everything(home)
    monkeypatch.setattr(backbone, "_check_reachable", lambda name: None)
    monkeypatch.setattr(AutoModelForMaskedLM, "from_pretrained", failing_download(home, error))
    message = refused(name)
    assert name in message and type(error).__name__ in message
    assert everything(home) == before


def test_an_interrupted_download_leaves_nothing(home, monkeypatch):
    monkeypatch.setattr(backbone, "_check_reachable", lambda name: None)
    monkeypatch.setattr(AutoModelForMaskedLM, "from_pretrained", failing_download(home, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        load_backbone(HUB_NAME)
    assert everything(home) == []


@pytest.fixture
def cached(home, monkeypatch) -> Path:
    """A hub model in the cache, as PaddleNLP leaves it, but tiny."""
    folder = home / HUB_NAME
    tiny_backbone().save_pretrained(str(folder), safe_serialization=False)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    ErnieTokenizer(str(folder / "vocab.txt")).save_pretrained(str(folder))
    sizes = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").unlink()  # PaddleNLP has the configurations of its own names in code
    monkeypatch.setitem(ErnieForMaskedLM.pretrained_init_configuration, HUB_NAME, sizes)
    monkeypatch.setitem(ErnieTokenizer.pretrained_resource_files_map["vocab_file"], HUB_NAME, "vocab.txt")
    return folder


def test_a_cached_name_needs_no_network(cached, no_network):
    loaded = load_backbone(HUB_NAME)
    assert (loaded.name, loaded.reason) == (HUB_NAME, "as asked")
    assert_same_weights(loaded.model, tiny_backbone())
    assert loaded.tokenizer.vocab_size == len(VOCABULARY)
    assert loaded.tokenizer.encode("汽车") == [VOCABULARY.index("汽"), VOCABULARY.index("车")]
    assert no_network == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_lies_under_a_hub_name_is_not_taken_for_the_cached_model(cached, tmp_path, monkeypatch, kind):
    """PaddleNLP prefers it to its cache and unpickles it; for the default, which nobody named, a folder too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(backbone, "DEFAULT_HUB_MODEL", HUB_NAME)
    trap = tmp_path / HUB_NAME / "model_state.pdparams" if kind == "folder" else tmp_path / HUB_NAME
    trap.parent.mkdir(exist_ok=True)
    with open(trap, "wb") as file:
        pickle.dump(Trap(tmp_path / "sprung"), file)
    with pytest.raises(ConfigError, match="is there too, which PaddleNLP would load in its place"):
        load_backbone(None if kind == "folder" else HUB_NAME)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("missing", ["model_state.pdparams", "vocab.txt"])
def test_half_a_model_in_the_cache_is_not_cached(cached, missing):
    (cached / missing).unlink()
    assert "not cached" in refused(HUB_NAME)


def test_safetensors_under_a_built_in_name_are_not_what_paddlenlp_would_load(cached):
    (cached / "model_state.pdparams").rename(cached / "model.safetensors")
    assert "not cached" in refused(HUB_NAME)


def test_a_damaged_cached_model(cached):
    path = cached / "model_state.pdparams"
    path.write_bytes(path.read_bytes()[:1000])
    message = refused(HUB_NAME)
    assert f"{HUB_NAME} cannot be loaded" in message
    assert path.is_file(), "what was there before is not ours to delete"


# -- the default ------------------------------------------------------------------------------------------------------


def choose(monkeypatch, cached: bool, gpus: int, hub_error=None):
    """load_backbone() on such a machine."""

    def load_hub(name, reason, encoder):
        if hub_error:
            raise ConfigError(hub_error)
        return Backbone(name, reason, None, None)

    monkeypatch.setattr(backbone, "_is_cached", lambda name: cached)
    monkeypatch.setattr(backbone, "_load_hub", load_hub)
    monkeypatch.setattr(backbone, "_load_folder", lambda folder, name, reason, _: Backbone(name, reason, None, None))
    monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: gpus > 0)
    monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: gpus)
    chosen = load_backbone()
    return chosen.name, chosen.reason


def test_the_default_is_ernie_if_it_is_cached(monkeypatch):
    expected = ("ernie-3.0-base-zh", "the default; its weights are cached")
    assert choose(monkeypatch, cached=True, gpus=0) == expected
    assert choose(monkeypatch, cached=True, gpus=1) == expected


def test_the_default_is_ernie_where_there_is_a_gpu(monkeypatch):
    assert choose(monkeypatch, cached=False, gpus=1) == ("ernie-3.0-base-zh", "the default where there is a GPU")


def test_the_default_is_the_embedded_model_without_both(monkeypatch):
    name, reason = choose(monkeypatch, cached=False, gpus=0)
    assert name == "mini_zh"
    assert reason == "the embedded default: ernie-3.0-base-zh is not cached and there is no GPU to train it"


def test_the_default_is_the_embedded_model_where_ernie_cannot_be_had(monkeypatch):
    name, reason = choose(monkeypatch, cached=False, gpus=1, hub_error="no network")
    assert name == "mini_zh"
    assert reason == "the embedded default: ernie-3.0-base-zh cannot be had (no network)"


def test_the_default_on_this_machine_with_an_empty_cache_and_no_network(monkeypatch):
    monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: False)
    loaded = load_backbone()
    assert loaded.name == "mini_zh" and loaded.model.config.hidden_size == 384
