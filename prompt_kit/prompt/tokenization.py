"""Text -> WordPiece ids equal to those of PaddleNLP's ErnieTokenizer and BertTokenizer, without Paddle.

How a text is cut into words is in word_steps.py, what a model's folder says of its vocabulary in vocabulary.py.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Optional, Union

import tokenizers
from tokenizers import decoders, models, trainers

from prompt_kit.errors import TokenizationError, shown
from prompt_kit.prompt.long_texts import SHORT, shorten
from prompt_kit.prompt.vocabulary import (
    FAMILIES,
    SPECIAL_TOKENS,
    matches_special_tokens,
    number_pieces,
    one_line,
    read_json,
    read_tokenizer_config,
    read_vocab,
)
from prompt_kit.prompt.word_steps import MAX_WORD_CHARACTERS, has_word_steps, set_word_steps

TOKENIZER_FILE = "tokenizer.json"
# Texts per call of the Rust side: its results hold much more than the ids, 2 GB for 400,000 lines.
_BATCH = 1024

_SURROGATES = re.compile(r"[\uD800-\uDFFF]")

_OTHER_MODELS = ("*.model", "merges.txt", "vocab.json")


def _serial_in_child() -> None:
    # The Rust thread pool does not survive a fork; a child that waits for it would hang.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


# To tokenizers any word but false, off, no, n, f and 0 is true. This one tells a process that is started by another of ours
# whose value it inherits; "true" would be taken for the user's, and what it forks would hang.
_UNTIL_FORK = "until-fork"

if os.environ.setdefault("TOKENIZERS_PARALLELISM", _UNTIL_FORK) == _UNTIL_FORK:
    # Threads here, none in forked children, and no warning about it. A value set by the user is left alone.
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_serial_in_child)


class Tokenizer:
    """Text -> WordPiece ids. Adds no special tokens; special tokens that a text spells are ordinary word pieces.

    Build one with :meth:`from_vocab`, :meth:`from_pretrained` or :meth:`from_file`. It can be pickled.
    """

    def __init__(self, backend: tokenizers.Tokenizer, source: str) -> None:
        """Wrap a WordPiece `backend`; `source` names where it came from in error messages."""
        ids = {token: number for token in SPECIAL_TOKENS if (number := backend.token_to_id(token)) is not None}
        missing = [token for token in SPECIAL_TOKENS if token not in ids]
        if missing:
            raise TokenizationError(
                f"{source}: the vocabulary lacks {', '.join(missing)}; "
                f"expected all of {', '.join(SPECIAL_TOKENS)}: use a masked language model of the ERNIE or BERT family"
            )
        self._backend = backend
        self.pad_id, self.cls_id, self.sep_id, self.mask_id, self.unk_id = (ids[token] for token in SPECIAL_TOKENS)
        self.cuts_at_free_characters = has_word_steps(backend)  # see long_texts.py

    @classmethod
    def from_vocab(
        cls, vocab: Union[str, Path, Sequence[str]], lowercase: bool = True, family: str = "ernie"
    ) -> Tokenizer:
        """Build from a vocab.txt (its path) or from a list of word pieces, the position being the id.

        `lowercase` also strips accents, as BERT does. `family` is "ernie" or "bert"; both cut text in the same way, and
        RoBERTa-Chinese and ELECTRA are "bert". Raises TokenizationError when the file or a special token is missing.
        """
        if family not in FAMILIES:
            raise TokenizationError(f"unknown tokenizer family {family!r}: expected one of {', '.join(FAMILIES)}")
        if isinstance(vocab, (str, Path)):
            source = os.path.abspath(vocab)
            pieces: Sequence[str] = read_vocab(source)
        else:
            source, pieces = "list of word pieces", vocab
        backend = tokenizers.Tokenizer(
            models.WordPiece(
                number_pieces(pieces),
                unk_token="[UNK]",
                continuing_subword_prefix="##",
                max_input_chars_per_word=MAX_WORD_CHARACTERS,
            )
        )
        set_word_steps(backend, lowercase)
        backend.decoder = decoders.WordPiece(prefix="##", cleanup=False)
        return cls(backend, source)

    @classmethod
    def from_texts(cls, texts: Iterable[str], vocab_size: int, lowercase: bool = True) -> Tokenizer:
        """Make a vocabulary of at most `vocab_size` entries: frequent characters, and word pieces of what is not Chinese.

        The same texts give the same vocabulary. Raises TokenizationError when `vocab_size` has no room for a character.
        """
        if vocab_size <= 2 * len(SPECIAL_TOKENS):
            raise TokenizationError(f"a vocabulary of {vocab_size} entries is too small: expected some thousands")
        backend = cls.from_vocab(SPECIAL_TOKENS, lowercase)._backend
        texts = [_without_surrogates(text) for text in texts]
        first: Counter[str] = Counter()
        inner: Counter[str] = Counter()
        for text in texts:
            for word, _ in backend.pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(text)):
                first[word[0]] += 1
                inner.update(word[1:])
        # The trainer takes characters in the order of a hash table, another one in each process; given as special
        # tokens they have the order given. Rare ones are left out, else there would be no room for any word piece.
        common = sorted(first + inner, key=lambda c: (-first[c] - inner[c], c))[: vocab_size * 9 // 10]
        alphabet = [*sorted(common), *(f"##{c}" for c in sorted(set(common) & set(inner)))]
        trainer = trainers.WordPieceTrainer(
            vocab_size=vocab_size,
            special_tokens=[*SPECIAL_TOKENS, *alphabet],
            limit_alphabet=0,
            continuing_subword_prefix="##",
            show_progress=False,
        )
        backend.train_from_iterator(texts, trainer)
        pieces = backend.get_vocab()
        return cls.from_vocab(sorted(pieces, key=pieces.__getitem__)[:vocab_size], lowercase)

    @classmethod
    def from_pretrained(cls, folder: Union[str, Path]) -> Tokenizer:
        """Build from a model folder: our tokenizer.json, else vocab.txt with do_lower_case of tokenizer_config.json.

        A tokenizer.json of other make, which would turn a `[MASK]` in a text into the mask, is passed over for the
        vocab.txt. Raises TokenizationError when there is no vocabulary, or one of SentencePiece, BPE or another class.
        """
        folder = Path(os.path.abspath(folder))
        if not folder.is_dir():
            raise TokenizationError(f"no such folder: {folder}; expected one with {TOKENIZER_FILE} or vocab.txt")
        # PaddleNLP's own cache calls the file ernie_3.0_base_zh_vocab.txt and the like.
        vocabs = [folder / "vocab.txt"] if (folder / "vocab.txt").is_file() else sorted(folder.glob("*vocab.txt"))
        saved = folder / TOKENIZER_FILE
        if saved.is_file() and not (vocabs and matches_special_tokens(saved)):
            return cls.from_file(saved)
        if len(vocabs) == 1:
            lowercase, family = read_tokenizer_config(folder / "tokenizer_config.json")
            return cls.from_vocab(vocabs[0], lowercase=lowercase, family=family)
        if vocabs:
            names = ", ".join(path.name for path in vocabs)
            raise TokenizationError(f"{folder} has several vocabularies ({names}): keep one, named vocab.txt")
        others = sorted(path.name for pattern in _OTHER_MODELS for path in folder.glob(pattern))
        if others:
            raise TokenizationError(
                f"{folder} holds a SentencePiece or BPE tokenizer ({', '.join(others)}), which is not supported: "
                "use a model with a vocab.txt of the ERNIE or BERT family"
            )
        raise TokenizationError(f"no vocabulary in {folder}: expected {TOKENIZER_FILE} or vocab.txt")

    @classmethod
    def from_file(cls, path: Union[str, Path]) -> Tokenizer:
        """Read a tokenizer.json written by :meth:`save`; TokenizationError when it is missing, corrupt or foreign."""
        path = os.path.abspath(path)
        text, config = read_json(path)
        kind = config["model"].get("type") if isinstance(config.get("model"), dict) else None
        if kind != "WordPiece":
            raise TokenizationError(
                f"{path}: a {shown(kind)[1:-1] if isinstance(kind, str) else 'nameless'} tokenizer is not supported, "
                "expected WordPiece"
            )
        if config.get("added_tokens"):
            raise TokenizationError(
                f"{path} matches special tokens inside a text, so it was not written by prompt-kit: "
                "put the model's vocab.txt beside it, or save it again from there"
            )
        try:
            backend = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the Rust side raises bare Exception
            raise TokenizationError(f"{path} is not a usable tokenizer file: {one_line(error)}") from None
        backend.no_padding()
        backend.no_truncation()
        return cls(backend, path)

    def is_same(self, other: Tokenizer) -> bool:
        """Whether both cut every text alike."""
        return bool(self._backend.to_str() == other._backend.to_str())

    @property
    def vocab_size(self) -> int:
        """V: one more than the highest id."""
        return self._backend.get_vocab_size()

    @property
    def lowercase(self) -> bool:
        """Whether texts are lower-cased and stripped of accents."""
        return self._backend.normalizer.normalize_str("A") == "a"

    def encode(self, text: str) -> list[int]:
        """Ids of one text, without special tokens. Text of any length and content, lone surrogates included."""
        text = self._bounded(text)
        try:
            return self._backend.encode(text, add_special_tokens=False).ids
        except (UnicodeEncodeError, TypeError):
            return self._backend.encode(_without_surrogates(text), add_special_tokens=False).ids

    def encode_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """Ids of many texts, in order: the same as `[encode(text) for text in texts]`, on all cores."""
        if isinstance(texts, str):
            raise TypeError("encode_batch takes a list of texts; for one text call encode")
        texts = [self._bounded(text) for text in texts]
        ids: list[list[int]] = []
        for start in range(0, len(texts), _BATCH):
            ids += self._encode_some(texts[start : start + _BATCH])
        return ids

    def _bounded(self, text: str) -> str:
        """The text, or of a long one a text of the same ids without a word of a million letters, which costs seconds."""
        long = isinstance(text, str) and len(text) > SHORT and self.cuts_at_free_characters
        return shorten(text) if long else text

    def _encode_some(self, texts: list[str]) -> list[list[int]]:
        try:
            encodings = self._backend.encode_batch_fast(texts, add_special_tokens=False)
        except (UnicodeEncodeError, TypeError):
            texts = [_without_surrogates(text) for text in texts]
            encodings = self._backend.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def encode_places(self, texts: Sequence[str]) -> Iterator[tuple[list[int], list[int]]]:
        """(ids, where each piece begins, in characters of the text) of many texts; lone surrogates are an error."""
        for start in range(0, len(texts), _BATCH):
            for encoding in self._backend.encode_batch(list(texts[start : start + _BATCH]), add_special_tokens=False):
                yield encoding.ids, [begin for begin, _ in encoding.offsets]

    def decode(self, ids: Iterable[int]) -> str:
        """Word pieces joined by spaces, `##` pieces glued to the one before; special tokens are kept."""
        return self._backend.decode([int(i) for i in ids], skip_special_tokens=False)

    def token_to_id(self, token: str) -> Optional[int]:
        """The id of a word piece, None when the vocabulary lacks it."""
        return self._backend.token_to_id(token)

    def id_to_token(self, token_id: int) -> Optional[str]:
        """The word piece of an id, None when the id is out of range."""
        return self._backend.id_to_token(int(token_id)) if token_id >= 0 else None

    def save(self, path: Union[str, Path]) -> None:
        """Write a complete tokenizer.json at `path`; a reader sees the old file or the new one, never half of one."""
        path = os.path.abspath(path)
        aside = f"{path}.{os.getpid()}.tmp"
        try:
            with open(aside, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(self._backend.to_str())
            os.replace(aside, path)
        except OSError as error:
            raise TokenizationError(f"cannot write {path}: {error.strerror or error}") from None
        finally:
            if os.path.exists(aside):
                os.remove(aside)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(vocab_size={self.vocab_size})"


def _without_surrogates(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"expected a text, got {type(text).__name__}")
    return _SURROGATES.sub("", text)
