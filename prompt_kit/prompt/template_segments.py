"""The segments of a template: frozen dataclasses that check themselves and write themselves in the template language.

prompt_kit/prompt/template.py describes the language and makes them from a string.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Optional, Union

from prompt_kit.errors import TemplateError
from prompt_kit.prompt.template_parser import Value, quote

TEXT_FIELDS = ("text_a", "text_b")
ENCODERS = ("lstm", "mlp")
OPTION = "[OPT]"  # an option's place in `add_prompt`
LABEL_FILE = "label.txt"
_TRUNCATE = (True, False, "tail", "head")
_SPECIAL_TOKENS = {"[MASK]": "use {'mask'}", "[SEP]": "use {'sep'}", "[CLS]": "it is there anyway",
                   "[PAD]": "leave it out", "[UNK]": "leave it out"}  # fmt: skip


class SegmentError(TemplateError):
    """A wrong value in a segment; `key` and `segment` (None: the template as a whole) help to find its column."""

    def __init__(self, message: str, key: Optional[str] = None, segment: Optional[int] = None):
        super().__init__(message)
        self.key = key
        self.segment = segment


class _Segment:
    """What all segments share. `token_type` is 0 or 1, or None: that of the segment before (of the first: 0)."""

    # Not a dataclass itself: a field inherited from here would come before the segment's own ones.
    keyword: ClassVar[str]
    token_type: Optional[int]

    def __post_init__(self) -> None:
        good = self.token_type in (None, 0, 1) and not isinstance(self.token_type, bool)
        _check(good, "token_type", "0 or 1", self.token_type)

    def _entries(self) -> dict[str, Value]:
        """The keys and values to write, the keyword first; later ones that are None are left out."""
        return {self.keyword: None}

    def __str__(self) -> str:
        (keyword, value), *others = {**self._entries(), "token_type": self.token_type}.items()
        rest = [f", {quote(key)}: {literal(one)}" for key, one in others if one is not None]
        if value is None and not rest:
            return "{" + quote(keyword) + "}"
        return "{" + f"{quote(keyword)}: {literal(value)}" + "".join(rest) + "}"


class _Learnable(_Segment):
    """What `Soft` and `Prefix` share."""

    text: Optional[str]
    encoder: Optional[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.text is not None:
            _check_words(self.keyword, self.text)
        for key in ("soft_id", "length", "hidden_size"):
            if getattr(self, key, None) is not None:
                _check_count(key, getattr(self, key))
        _check(self.encoder in (None, *ENCODERS), "encoder", "'lstm', 'mlp' or None", self.encoder)


@dataclass(frozen=True)
class Text(_Segment):
    """The user's text. `truncate`: True (cut where PromptTokenizer cuts), 'tail', 'head', or False (never cut)."""

    field: str
    truncate: Union[bool, str] = True
    token_type: Optional[int] = None
    keyword: ClassVar[str] = "text"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.field in TEXT_FIELDS, "text", "'text_a' or 'text_b'", self.field)
        good = isinstance(self.truncate, (bool, str)) and self.truncate in _TRUNCATE  # 1 == True, but is no answer
        _check(good, "truncate", "True, False, 'tail' or 'head'", self.truncate)

    def _entries(self) -> dict[str, Value]:
        return {"text": self.field, "truncate": None if self.truncate is True else self.truncate}


@dataclass(frozen=True)
class Hard(_Segment):
    """Words of the prompt, tokenized on their own and never cut."""

    text: str
    token_type: Optional[int] = None
    keyword: ClassVar[str] = "hard"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_words("hard", self.text)

    def _entries(self) -> dict[str, Value]:
        return {"hard": self.text}


@dataclass(frozen=True)
class Mask(_Segment):
    """`length` [MASK] tokens in a row."""

    length: int = 1
    token_type: Optional[int] = None
    keyword: ClassVar[str] = "mask"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_count("length", self.length)

    def _entries(self) -> dict[str, Value]:
        return {"mask": None, "length": None if self.length == 1 else self.length}


@dataclass(frozen=True)
class Sep(_Segment):
    """A [SEP] inside the sequence; the closing one is there anyway."""

    token_type: Optional[int] = None
    keyword: ClassVar[str] = "sep"


@dataclass(frozen=True)
class Soft(_Learnable):
    """Learnable vectors: one for each token of `text`, `length` of them if that is more, one if neither is given."""

    text: Optional[str] = None
    soft_id: Optional[int] = None
    length: Optional[int] = None
    encoder: Optional[str] = None
    hidden_size: Optional[int] = None
    token_type: Optional[int] = None
    keyword: ClassVar[str] = "soft"

    def _entries(self) -> dict[str, Value]:
        first = {"soft": self.text} if self.text is not None or self.soft_id is None else {}
        return {**first, **{key: getattr(self, key) for key in ("soft_id", "length", "encoder", "hidden_size")}}


@dataclass(frozen=True)
class Prefix(_Learnable):
    """Learnable keys and values of every layer's attention: one of each for a token of `text`, `length` if that is more."""

    text: Optional[str] = None
    length: Optional[int] = None
    encoder: Optional[str] = None
    hidden_size: Optional[int] = None
    token_type: Optional[int] = None
    keyword: ClassVar[str] = "prefix"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden_size is not None and self.encoder is None:
            raise SegmentError("'hidden_size' needs an 'encoder' beside it", "hidden_size")

    def _entries(self) -> dict[str, Value]:
        return {"prefix": self.text, **{key: getattr(self, key) for key in ("length", "encoder", "hidden_size")}}


@dataclass(frozen=True)
class Options(_Segment):
    """The words of the labels in the order of label.txt, as words of the prompt; `Template.with_options` puts them in.

    `add_prompt` is what stands around each, with OPTION in the word's place, such as '[OPT]、'; without it they stand side
    by side, as in PaddleNLP.
    """

    source: Optional[str] = None
    add_prompt: Optional[str] = None
    token_type: Optional[int] = None
    keyword: ClassVar[str] = "options"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(
            self.source in (None, LABEL_FILE),
            "options",
            f"{quote(LABEL_FILE)}, the labels of the data folder",
            self.source,
        )
        if self.add_prompt is not None:
            good = isinstance(self.add_prompt, str) and OPTION in self.add_prompt
            _check(good, "add_prompt", f"a string with {OPTION} in the option's place", self.add_prompt)

    def words(self, options: Iterable[str]) -> Hard:
        """The options as words."""
        around = self.add_prompt or OPTION
        return Hard("".join(around.replace(OPTION, option) for option in options), self.token_type)

    def _entries(self) -> dict[str, Value]:
        return {"options": LABEL_FILE, "add_prompt": self.add_prompt}


Segment = Union[Text, Hard, Mask, Soft, Sep, Prefix, Options]


def merge_soft(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """The segments with every Soft made complete: what one place says of a soft_id or an encoder holds in all.

    Raises SegmentError where two places disagree: on one soft_id in words, length, encoder or hidden size; on one
    encoder in hidden size. (PaddleNLP fails an assertion on the former, and takes the first of the latter.)
    """
    merged = list(segments)
    shared: dict[int, dict[str, Any]] = {}
    for index, one in enumerate(merged):
        if isinstance(one, Soft) and one.soft_id is not None:
            for key in ("text", "length", "encoder", "hidden_size"):
                _agree(shared.setdefault(one.soft_id, {}), key, getattr(one, key), f"soft_id {one.soft_id}", index)
    for index, one in enumerate(merged):
        if isinstance(one, Soft) and one.soft_id is not None:
            merged[index] = replace(one, **shared[one.soft_id])

    sizes: dict[str, dict[str, Any]] = {}
    for index, one in enumerate(merged):
        if isinstance(one, Soft) and one.encoder is not None:
            _agree(sizes.setdefault(one.encoder, {}), "hidden_size", one.hidden_size, f"encoder {one.encoder}", index)
        elif isinstance(one, Soft) and one.hidden_size is not None:
            raise SegmentError("'hidden_size' needs an 'encoder' beside it", "hidden_size", index)
    for index, one in enumerate(merged):
        if isinstance(one, Soft) and one.encoder is not None:
            merged[index] = replace(one, **sizes[one.encoder])
    return tuple(merged)


def literal(value: Value) -> str:
    """A value as the template language writes it."""
    return quote(value) if isinstance(value, str) else str(value)


def _agree(known: dict[str, Value], key: str, value: Value, whose: str, index: int) -> None:
    earlier = known.get(key)
    if None not in (earlier, value) and earlier != value:
        key = "soft" if key == "text" else key  # as the language calls it
        raise SegmentError(
            f"{whose} is given two values of '{key}', {literal(earlier)} and {literal(value)}", key, index
        )
    known[key] = value if earlier is None else earlier


def _check(good: bool, key: str, expected: str, got: Value) -> None:
    if not good:
        raise SegmentError(f"'{key}' must be {expected}, got {literal(got)}", key)


def _check_count(key: str, value: Value) -> None:
    good = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    _check(good, key, "a whole number of 1 or more", value)


def _check_words(key: str, text: Any) -> None:
    _check(isinstance(text, str) and bool(text.strip()), key, "a string with words in it", text)
    if any("\ud800" <= char <= "\udfff" for char in text):  # how Python shows bytes on a command line that are no UTF-8
        raise SegmentError("the words are not valid UTF-8, check the encoding of the terminal", key)
    for token, advice in _SPECIAL_TOKENS.items():
        if token in text:  # it would be tokenized as the plain characters that it is, which nobody means
            raise SegmentError(f"{token} is no special token inside words, {advice}", key)
