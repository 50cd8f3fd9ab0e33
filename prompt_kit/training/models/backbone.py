"""Find and load the pretrained language model: a hub name, a folder, or the embedded default."""

from __future__ import annotations

import contextlib
import difflib
import logging
import os
import re
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import paddle
from paddle import nn

from prompt_kit.errors import ConfigError, PromptKitError, TokenizationError
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt_config import CONFIG_FILE
from prompt_kit.training.models.architectures import (
    ARCHITECTURES,
    DISCRIMINATOR,
    architecture_classes,
    architecture_name,
    discriminator_classes,
    encoder_classes,
)
from prompt_kit.training.models.model_config import check_size, read_config
from prompt_kit.training.models.weights import safe_model_folder
from prompt_kit.training.runtime import quiet

logger = logging.getLogger(__name__)

DEFAULT_HUB_MODEL = "ernie-3.0-base-zh"
EMBEDDED_NAME = "mini_zh"
EMBEDDED_FOLDER = Path(__file__).resolve().parents[2] / "models" / EMBEDDED_NAME
_HUB_HOST = "bj.bcebos.com"


@dataclass(frozen=True)
class Backbone:
    """A loaded language model and how it was chosen.

    name: what the results record; reason: one phrase for the log; model: a PaddleNLP …ForMaskedLM in float32, or a
    …Model where the encoder alone was asked for.
    """

    name: str
    reason: str
    model: nn.Layer
    tokenizer: Tokenizer


def load_backbone(name_or_path: Optional[str] = None, encoder: bool = False, trust_pickle: bool = False) -> Backbone:
    """Load the named model, or choose one.

    Args:
        name_or_path: a folder with config.json, weights and vocabulary; a PaddleNLP model name; or None, which means
            ernie-3.0-base-zh if it is cached or if there is a GPU to train it, else the embedded mini_zh.
        encoder: load it without its pretrained head; then any ERNIE, BERT, RoBERTa or ELECTRA will do, a discriminator
            too.
        trust_pickle: unpickle the weights of a folder that has a .pdparams file alone, which may run any code.

    Raises:
        ConfigError: the named model cannot be had. Nothing is left behind in PaddleNLP's cache.
    """
    if name_or_path is None:
        return _load_default(encoder)
    if name_or_path == EMBEDDED_NAME:
        return _load_folder(EMBEDDED_FOLDER, EMBEDDED_NAME, "the embedded model, as asked", encoder)
    if os.path.isdir(name_or_path):
        return _load_folder(Path(name_or_path), name_or_path, "the folder given", encoder, trust_pickle)
    return _load_hub(name_or_path, "as asked", encoder)


def load_discriminator(name_or_path: Optional[str], trust_pickle: bool = False) -> Backbone:
    """Load an ELECTRA discriminator: a folder, or a PaddleNLP model name. See `load_backbone`.

    Raises:
        ConfigError: none is named, it cannot be had, or it is another kind of model.
    """
    if name_or_path is None:
        raise ConfigError(
            "--method rtd needs an ELECTRA discriminator, and none is built in; give --model_name_or_path: a folder, such as "
            "tools/pretrain.py --objective rtd writes, or a PaddleNLP name, such as chinese-electra-small"
        )
    if name_or_path != EMBEDDED_NAME and not os.path.isdir(name_or_path):
        return _load_hub(name_or_path, "as asked", discriminator=True)
    folder = EMBEDDED_FOLDER if name_or_path == EMBEDDED_NAME else Path(name_or_path)
    if (folder / CONFIG_FILE).is_file():
        raise _trained(folder)
    config = read_config(folder)
    model_class, _ = discriminator_classes(architecture_name(config), str(folder.absolute()))
    model = _load_weights(model_class, folder, name_or_path, True, trust_pickle)
    return Backbone(name_or_path, "the folder given", model, read_tokenizer(folder))


def _load_default(encoder: bool) -> Backbone:
    if _is_cached(DEFAULT_HUB_MODEL):
        return _load_hub(DEFAULT_HUB_MODEL, "the default; its weights are cached", encoder)
    why = "ernie-3.0-base-zh is not cached and there is no GPU to train it"
    if paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0:
        try:
            return _load_hub(DEFAULT_HUB_MODEL, "the default where there is a GPU", encoder)
        except ConfigError as error:
            why = f"ernie-3.0-base-zh cannot be had ({error})"
    return _load_folder(EMBEDDED_FOLDER, EMBEDDED_NAME, f"the embedded default: {why}", encoder)


def _load_folder(folder: Path, name: str, reason: str, encoder: bool, trust_pickle: bool = False) -> Backbone:
    where = folder.absolute()
    if (folder / CONFIG_FILE).is_file():
        raise _trained(folder)
    architecture = architecture_name(read_config(folder))
    tokenizer = read_tokenizer(folder)
    # with its head even for the encoder alone: without, PaddleNLP does not convert float16 weights
    has_head = not encoder or architecture in ARCHITECTURES or architecture == DISCRIMINATOR
    classes = discriminator_classes if encoder and architecture == DISCRIMINATOR else architecture_classes
    model_class, _ = (classes if has_head else encoder_classes)(architecture, str(where))
    model = _load_weights(model_class, folder, name, encoder, trust_pickle)
    if encoder and has_head:
        model = getattr(model, model.base_model_prefix)
    return Backbone(name, reason, model, tokenizer)


def _trained(folder: Path) -> ConfigError:
    return ConfigError(
        f"--model_name_or_path {folder} is a folder that prompt-kit trained; to go on from it use "
        f"--resume_from_checkpoint {folder}, or name a pretrained language model"
    )


def _load_weights(model_class: type[Any], folder: Path, name: str, encoder: bool, trust_pickle: bool) -> nn.Layer:
    where = folder.absolute()
    try:
        with safe_model_folder(where, trust_pickle) as safe, _telling_of_random_weights(name, encoder):
            weights = [path.name for path in safe.iterdir() if path.suffix in (".safetensors", ".pdparams")]
            check_size(read_config(folder), where, weights)
            # absolute: a relative folder may have the name of a hub model, which PaddleNLP would take it for
            return model_class.from_pretrained(str(safe), dtype="float32")
    except ConfigError:
        raise
    except Exception as error:  # PaddleNLP raises anything from KeyError to OSError for a damaged file
        raise ConfigError(f"cannot load the language model in {where}: {_brief(error)}") from error


def _load_hub(name: str, reason: str, encoder: bool = False, discriminator: bool = False) -> Backbone:
    from paddlenlp.transformers import AutoDiscriminator, AutoModel, AutoModelForMaskedLM, AutoTokenizer
    from paddlenlp.utils.env import MODEL_HOME

    known = _known_names()
    if os.sep in name and (name.startswith((".", os.sep)) or name.count("/") > 1):
        raise ConfigError(f"--model_name_or_path {name}: no such folder ({os.path.abspath(name)})")
    if "/" not in name and name not in known:
        close = difflib.get_close_matches(name, known, n=3) or [DEFAULT_HUB_MODEL]
        raise ConfigError(
            f"--model_name_or_path {name}: neither a folder ({os.path.abspath(name)}) nor a PaddleNLP model name; "
            f"did you mean {', '.join(close)}, or {EMBEDDED_NAME} (embedded)?"
        )
    if os.path.exists(name):  # a folder: the default's name, which nobody gave
        raise ConfigError(
            f"{name} is a PaddleNLP model name, but {os.path.abspath(name)} is there too, which PaddleNLP would load in its "
            f"place and may unpickle; move it, work in another folder, or name a model folder by its path"
        )
    if not _is_cached(name):
        _check_reachable(name)
    loader = AutoDiscriminator if discriminator else AutoModel if encoder else AutoModelForMaskedLM
    home, before = Path(MODEL_HOME), _entries(Path(MODEL_HOME))
    try:
        with _telling_of_random_weights(name, encoder or discriminator):
            model = loader.from_pretrained(name, dtype="float32")
            hub_tokenizer = AutoTokenizer.from_pretrained(name)
    except BaseException as error:
        _remove(_entries(home) - before)  # also after Ctrl-C: half a download must not look like a cached model
        if not isinstance(error, Exception):
            raise
        raise ConfigError(
            f"--model_name_or_path {name} cannot be loaded: {_brief(error)}; check the name and the network, "
            "or give a folder"
        ) from error
    check = discriminator_classes if discriminator else encoder_classes if encoder else architecture_classes
    check(type(model).__name__, name)
    size = 1 + max(hub_tokenizer.vocab.token_to_idx.values())
    vocabulary = [hub_tokenizer.vocab.idx_to_token.get(i, f"[unused {i}]") for i in range(size)]
    lowercase = bool(getattr(hub_tokenizer, "do_lower_case", True))
    family = "bert" if type(hub_tokenizer).__name__.startswith("Bert") else "ernie"
    return Backbone(name, reason, model, Tokenizer.from_vocab(vocabulary, lowercase=lowercase, family=family))


def longest_input(backbone: nn.Layer) -> int:
    """The most tokens of an input, [CLS] and [SEP] included."""
    limit = backbone.config.max_position_embeddings
    # RoBERTa's positions start behind the padding index
    return limit - (backbone.config.pad_token_id + 1 if backbone.base_model_prefix == "roberta" else 0)


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a model's folder. TokenizationError in one line, whatever its files are."""
    try:
        return Tokenizer.from_pretrained(folder)
    except PromptKitError:
        raise
    except (RecursionError, TypeError, AttributeError, KeyError, ValueError) as error:
        raise TokenizationError(
            f"{folder.absolute()}: its tokenizer files are damaged ({_brief(error)}); copy the folder again, all its files"
        ) from error


def _known_names() -> list:
    from paddlenlp.transformers import BertForMaskedLM, ElectraForMaskedLM, ErnieForMaskedLM, RobertaForMaskedLM

    classes = (ErnieForMaskedLM, BertForMaskedLM, RobertaForMaskedLM, ElectraForMaskedLM)
    return sorted({name for each in classes for name in each.pretrained_init_configuration})


def _is_cached(name: str) -> bool:
    from paddlenlp.utils.env import MODEL_HOME

    folder = Path(MODEL_HOME) / name
    weights = [*folder.glob("*.pdparams")]
    if name not in _known_names():  # PaddleNLP's own names always mean a .pdparams, which it would download
        weights += folder.glob("*.safetensors")
    return bool(weights) and any(folder.glob("*vocab*"))


def _entries(home: Path) -> set:
    """Everything in PaddleNLP's model cache, two levels deep (hub names may hold a slash) and the lock files."""
    return {*home.glob("*"), *home.glob("*/*"), *home.glob("*/*/*")} if home.is_dir() else set()


@contextlib.contextmanager
def _telling_of_random_weights(name: str, encoder: bool = False):
    """Load quietly, but warn if a weight that the prediction needs is in no file: PaddleNLP makes it up at random.

    PaddleNLP only says so in its log. The decoder may be missing, it is the word embedding again; the pooler is unused.
    """
    messages = []
    log = logging.getLogger("PaddleNLP")
    level = log.level

    def listen(record: logging.LogRecord) -> bool:
        messages.append(record.getMessage())
        return record.levelno >= level  # what would not have been shown is not shown now

    log.addFilter(listen)
    log.setLevel(min(level, logging.WARNING))
    try:
        with quiet():
            yield
    finally:
        log.removeFilter(listen)
        log.setLevel(level)
    lists = re.findall(r"newly initialized: \[(.*?)\]", " ".join(messages), re.DOTALL)
    needless = re.compile(r"pooler|decoder|position_ids|lm_head[._]bias")
    random = [key for text in lists for key in re.findall(r"'(.+?)'", text) if not needless.search(key)]
    if random:
        logger.warning(
            "%s holds no weights for %s%s, which start at random: expected %s",
            name, ", ".join(sorted(random)[:3]), f" and {len(random) - 3} more" if len(random) > 3 else "",
            "a pretrained language model" if encoder else "a masked language model with its head; the label words mean "
            "nothing to this one before it is trained",
        )  # fmt: skip


def _remove(entries: set) -> None:
    for entry in sorted(entries):  # a folder comes before what is in it, which has then gone with it
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _brief(error: Exception) -> str:
    """Type and first two lines of an error, in one line: PaddleNLP's may list every weight of the model."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join([type(error).__name__, " ".join(lines[:2])]) if lines else type(error).__name__


def _check_reachable(name: str, timeout: float = 5.0) -> None:
    """Fail within seconds where there is no way to the hub; PaddleNLP itself may hang in retries."""
    if any(os.environ.get(key) for key in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return
    try:
        socket.create_connection((_HUB_HOST, 443), timeout=timeout).close()
    except OSError as error:
        raise ConfigError(
            f"--model_name_or_path {name} is not a folder, not cached, and cannot be downloaded ({_HUB_HOST}: {error}); "
            f"connect to the network, give a folder, or use {EMBEDDED_NAME} (embedded)"
        ) from None
