"""Tokenizer: ids equal to the golden ones of PaddleNLP, special tokens in a text, files, errors."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
import unicodedata
from functools import partial
from pathlib import Path

import pytest
from refusals import refusal
from small_vocabulary import PIECES, write_config, write_model_folder

from prompt_kit.errors import TokenizationError
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt.vocabulary import SPECIAL_TOKENS

refused = partial(refusal, TokenizationError)


@pytest.fixture(scope="module")
def golden() -> dict:
    path = Path(__file__).parents[1] / "golden" / "tokenization.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tokenizers(golden, root) -> dict[str, Tokenizer]:
    chinese, english = root / golden["chinese"], golden["english"]
    return {
        "zh ernie uncased": Tokenizer.from_vocab(chinese),
        "zh bert cased": Tokenizer.from_vocab(str(chinese), lowercase=False, family="bert"),
        "en bert uncased": Tokenizer.from_vocab(english, family="bert"),
        "en bert cased": Tokenizer.from_vocab(english, lowercase=False, family="bert"),
    }


@pytest.fixture
def small() -> Tokenizer:
    return Tokenizer.from_vocab(PIECES)


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_model_folder(tmp_path)


GOLDEN_UNICODE = "14.0.0"  # of Python 3.11, which made the golden file


@pytest.mark.parametrize("name", ["zh ernie uncased", "zh bert cased", "en bert uncased", "en bert cased"])
def test_equals_paddlenlp_on_the_golden_texts(golden, tokenizers, name):
    tokenizer = tokenizers[name]
    # PaddleNLP drops what the running Python's Unicode does not assign: an older Python than the golden file's cuts otherwise
    older = unicodedata.unidata_version < GOLDEN_UNICODE
    cases = [case for case in golden["cases"] if not (older and "Cn" in map(unicodedata.category, case["text"]))]
    texts = [case["text"] for case in cases]
    expected = [case["ids"][name] for case in cases]
    assert [tokenizer.encode(text) for text in texts] == expected
    assert tokenizer.encode_batch(texts) == expected


def test_longest_match_by_hand(small):
    names = [small.id_to_token(i) for i in small.encode("AbC 中国 bb aé")]
    # No "##e": the accent goes, "##e" is not there, so the whole word is unknown.
    assert names == ["a", "##b", "##c", "中", "国", "b", "##b", "[UNK]"]


def test_cased_keeps_case_and_accents():
    tokenizer = Tokenizer.from_vocab(PIECES, lowercase=False)
    assert [tokenizer.id_to_token(i) for i in tokenizer.encode("Mask é mask")] == ["Mask", "é", "mask"]


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("text", [*SPECIAL_TOKENS, "a[MASK]b", "中[SEP]国", "[CLS][SEP]", "[MASK] [PAD]", "[ MASK]"])
def test_special_tokens_in_a_text_are_ordinary_pieces(golden, text, lowercase):
    pieces = [*golden["english"], "中", "国"]
    tokenizer = Tokenizer.from_vocab(pieces, lowercase=lowercase)
    ids = tokenizer.encode(text)
    special = [tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id, tokenizer.unk_id]
    assert not set(ids) & set(special)
    assert tokenizer.id_to_token(ids[-1]) in ("]", "b", "国")
    assert tokenizer.encode_batch([text, text]) == [ids, ids]


def test_special_ids_and_lookups(small):
    special = [small.pad_id, small.cls_id, small.sep_id, small.mask_id, small.unk_id]
    assert special == [small.token_to_id(token) for token in SPECIAL_TOKENS] == [0, 1, 2, 3, 4]
    assert small.vocab_size == len(PIECES)
    assert small.id_to_token(9) == "a"
    assert small.token_to_id("zz") is None
    assert small.id_to_token(len(PIECES)) is None
    assert small.id_to_token(-1) is None


def test_decode_glues_pieces_and_keeps_special_tokens(small):
    ids = [small.cls_id, *small.encode("abc 中国"), small.mask_id]
    assert small.decode(ids) == "[CLS] abc 中 国 [MASK]"
    assert small.decode([]) == ""


def test_lone_surrogates_are_dropped_like_other_control_characters(small):
    ids = small.encode("ab")
    assert small.encode("a\ud83db") == ids
    assert small.encode_batch(["中", "a\udc00b\ud800", "\ud800"]) == [small.encode("中"), ids, []]


def test_not_a_text_is_a_type_error(small):
    with pytest.raises(TypeError):
        small.encode(None)
    with pytest.raises(TypeError):
        small.encode_batch(["a", 3])
    with pytest.raises(TypeError, match="list of texts"):
        small.encode_batch("a")


def test_batch_of_none_and_of_a_generator(small):
    assert small.encode_batch([]) == []
    assert small.encode_batch(text for text in ["a", ""]) == [small.encode("a"), []]


def test_places_are_of_the_text_as_it_was_given(small):
    """Through lower-casing, the loss of accents and of control characters."""
    texts = ["中\u200b Éab国国", "", "b"]
    (ids, places), nothing, last = small.encode_places(texts)
    assert [small.id_to_token(i) for i in ids] == ["中", "[UNK]", "国", "国"] and ids == small.encode(texts[0])
    assert places == [0, 3, 6, 7] and nothing == ([], [])
    assert next(small.encode_places(["abc 中"]))[1] == [0, 1, 2, 4]  # a ##b ##c 中
    assert last == (small.encode("b"), [0])


def test_lowercase_is_known(small):
    assert small.lowercase and not Tokenizer.from_vocab(PIECES, lowercase=False).lowercase


def test_batches_are_cut_and_joined_in_order(small, monkeypatch):
    monkeypatch.setattr("prompt_kit.prompt.tokenization._BATCH", 2)
    texts = ["a", "b", "\ud800中", "", "国"]
    assert small.encode_batch(texts) == [small.encode(text) for text in texts]


@pytest.mark.parametrize("unit", ["中", "é", "\x00", "a ", "\u0301", "!", "[MASK]", "a"])
def test_a_very_long_text_takes_linear_time(small, unit):
    text = unit * (100_000 // len(unit))
    started = time.process_time()
    small.encode(text)
    assert time.process_time() - started < 5  # some 0.1 s; quadratic time would be minutes


def test_pickle_and_saved_file_give_the_same_ids(golden, tokenizers, tmp_path):
    texts = [case["text"] for case in golden["cases"]]
    for name, tokenizer in tokenizers.items():
        path = tmp_path / "tokenizer.json"
        tokenizer.save(path)
        expected = tokenizer.encode_batch(texts)
        again = [Tokenizer.from_file(path), Tokenizer.from_pretrained(tmp_path), pickle.loads(pickle.dumps(tokenizer))]  # noqa: S301
        for other in again:
            assert other.encode_batch(texts) == expected, name
            assert (other.vocab_size, other.mask_id) == (tokenizer.vocab_size, tokenizer.mask_id)


def test_save_writes_the_same_bytes_every_time_and_replaces(small, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text("old", encoding="utf-8")
    small.save(path)
    first = path.read_bytes()
    Tokenizer.from_file(path).save(str(path))
    assert path.read_bytes() == first
    assert os.listdir(tmp_path) == ["tokenizer.json"]


def test_a_failing_save_leaves_the_old_file(small, tmp_path, monkeypatch):
    path = tmp_path / "tokenizer.json"
    path.write_text("old", encoding="utf-8")

    def fail(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert refused(small.save, path) == f"cannot write {path}: No space left on device"
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["tokenizer.json"]


def test_from_pretrained_reads_vocab_and_case(folder):
    assert Tokenizer.from_pretrained(folder).encode("Mask") == [PIECES.index("Mask")]
    write_config(
        folder, do_lower_case=True, tokenizer_class="ErnieTokenizer", strip_accents=False
    )  # which ERNIE ignores
    assert Tokenizer.from_pretrained(str(folder)).encode("Mask") == [PIECES.index("mask")]
    (folder / "tokenizer_config.json").unlink()
    assert Tokenizer.from_pretrained(folder).encode("Mask") == [PIECES.index("mask")]


def test_vocab_with_bom_crlf_and_a_hub_name(folder):
    (folder / "vocab.txt").unlink()
    text = "\ufeff" + "".join(piece + "\r\n" for piece in PIECES)
    (folder / "ernie_3.0_base_zh_vocab.txt").write_bytes(text.encode("utf-8"))
    tokenizer = Tokenizer.from_pretrained(folder)
    assert (tokenizer.pad_id, tokenizer.vocab_size) == (0, len(PIECES))
    (folder / "other_vocab.txt").write_text("a\n", encoding="utf-8")
    with pytest.raises(TokenizationError, match="several vocabularies .ernie_3.0_base_zh_vocab.txt, other_vocab.txt"):
        Tokenizer.from_pretrained(folder)


def test_tokenizer_json_of_other_make_is_passed_over_or_refused(folder):
    saved = folder / "tokenizer.json"
    Tokenizer.from_vocab(PIECES).save(saved)
    foreign = json.loads(saved.read_text(encoding="utf-8"))
    foreign["added_tokens"] = [
        dict(id=3, content="[MASK]", single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    ]
    saved.write_text(json.dumps(foreign), encoding="utf-8")
    tokenizer = Tokenizer.from_pretrained(folder)  # the cased vocab.txt
    assert tokenizer.mask_id not in tokenizer.encode("[MASK]")
    assert tokenizer.encode("Mask") == [PIECES.index("Mask")]
    (folder / "vocab.txt").unlink()
    assert refused(Tokenizer.from_pretrained, folder).startswith(f"{saved} matches special tokens inside a text")


def test_folder_without_a_vocabulary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from_folder = partial(refused, Tokenizer.from_pretrained)
    assert from_folder(".") == f"no vocabulary in {tmp_path}: expected tokenizer.json or vocab.txt"
    assert from_folder("nowhere").startswith(f"no such folder: {tmp_path / 'nowhere'}")
    message = refused(Tokenizer.from_vocab, "vocab.txt")
    assert message == f"cannot read the vocabulary {tmp_path / 'vocab.txt'}: No such file or directory"


def test_missing_special_tokens_are_all_named(tmp_path):
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("[CLS]\na\n[UNK]\n", encoding="utf-8")
    assert refused(Tokenizer.from_pretrained, tmp_path).startswith(
        f"{vocab}: the vocabulary lacks [PAD], [SEP], [MASK];"
    )
    with pytest.raises(TokenizationError, match=r"lacks \[PAD\], \[CLS\], \[SEP\], \[MASK\], \[UNK\];"):
        Tokenizer.from_vocab([])


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"", "is not valid JSON"),
        (b'{"model": {"type": "WordPie', "is not valid JSON"),
        (b"\xff\xfe{}", "is not valid JSON"),
        (b"[]", "expected a JSON object, got list"),
        (b"{}", "a nameless tokenizer is not supported"),
        (b'{"model": {"type": "BPE"}}', "a BPE tokenizer is not supported, expected WordPiece"),
        (b'{"model": {"type": "Unigram"}}', "a Unigram tokenizer is not supported, expected WordPiece"),
        (b'{"model": {"type": "WordPiece"}}', "is not a usable tokenizer file"),
    ],
)
def test_corrupt_or_unsupported_tokenizer_json(tmp_path, content, complaint):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    for read, argument in ((Tokenizer.from_file, path), (Tokenizer.from_pretrained, tmp_path)):
        message = refused(read, argument)
        assert message.startswith(str(path))
        assert complaint in message


@pytest.mark.parametrize("name", ["spiece.model", "merges.txt"])
def test_sentencepiece_or_bpe_folder_is_not_supported(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert refused(Tokenizer.from_pretrained, tmp_path).startswith(
        f"{tmp_path} holds a SentencePiece or BPE tokenizer ({name})"
    )


def test_unknown_family():
    with pytest.raises(TokenizationError, match="unknown tokenizer family 'gpt': expected one of ernie, bert"):
        Tokenizer.from_vocab(PIECES, family="gpt")


FORK = """
import os, sys
from prompt_kit.prompt.tokenization import Tokenizer
from prompt_kit.prompt.vocabulary import SPECIAL_TOKENS
tokenizer = Tokenizer.from_vocab([*SPECIAL_TOKENS, "a"])
expected = tokenizer.encode_batch(["a"] * 1000)
child = os.fork()
if child == 0:
    os._exit(0 if tokenizer.encode_batch(["a"] * 1000) == expected else 1)
status = os.waitpid(child, 0)[1]
heavy = {"paddle", "paddlenlp", "transformers", "onnxruntime", "huggingface_hub"} & set(sys.modules)
print(status, sorted(heavy), os.environ["TOKENIZERS_PARALLELISM"])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("asked, used", [(None, "until-fork"), ("false", "false"), ("until-fork", "until-fork")])
def test_forked_child_neither_hangs_nor_warns(root, asked, used):
    """ "until-fork" is what a process that has prompt-kit leaves to those it starts."""
    environment = {key: value for key, value in os.environ.items() if key != "TOKENIZERS_PARALLELISM"}
    environment.update({} if asked is None else {"TOKENIZERS_PARALLELISM": asked}, PYTHONPATH=str(root))
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == (f"0 [] {used}\n", "")
