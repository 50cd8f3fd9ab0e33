"""Templates: "{'text': 'text_a'}这条新闻的主题是{'mask'}" -> Template, a tuple of typed segments.

The language is the one of PaddleNLP's `paddlenlp.prompt` (ManualTemplate and SoftTemplate), read by a parser of our
own (prompt_kit/prompt/template_parser.py). The parts:

    {'text': 'text_a'}              the user's text, or text_b; `truncate`: True, False, 'tail' or 'head'
    {'hard': '主题是'} or bare text  words of the prompt
    {'mask'}                        one [MASK], or `length` of them
    {'soft': '主题是'}              one learnable vector for each token of the words, starting at its embedding;
                                    with a `length` above the number of tokens, the rest start from no word
    {'soft'}                        one learnable vector that starts from no word, or `length` (`duplicate`) of them
    {'soft_id': 1}                  the same vectors wherever the id stands; one of the places may say what they
                                    are: {'soft': '主题是', 'soft_id': 1}
    {'sep'}                         [SEP]
    {'prefix': '主题是'}             a deep prompt: learnable keys and values that every layer attends to, one of each for
                                    a token of the words, or `length`; the first part, and the only one of its kind
    {'options': 'label.txt'}        the words of the labels; `add_prompt`: '[OPT]、' is what stands around each of them

Soft parts and the prefix take `encoder` ('lstm', 'mlp') and `hidden_size`; soft parts with the same encoder share it.
Every part takes `token_type` (0 or 1), which holds for the parts after it too, and `add_space`, which is accepted and
changes nothing: the tokenizers here ignore white space at the edge of a part. `add_omask` and `position` are recognised
and refused: no model here knows [O-MASK], and it counts positions 0, 1, 2, … itself; the prefix takes none.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional, Union

from prompt_kit.errors import TemplateError, shown
from prompt_kit.prompt.template_parser import BareText, Block, Entry, parse_parts, template_error
from prompt_kit.prompt.template_segments import (
    Hard,
    Mask,
    Options,
    Prefix,
    Segment,
    SegmentError,
    Sep,
    Soft,
    Text,
    literal,
    merge_soft,
)

__all__ = [
    "Hard",
    "Mask",
    "Options",
    "Prefix",
    "Segment",
    "SegmentError",
    "Sep",
    "Soft",
    "Template",
    "Text",
    "merge_soft",
]

KEYWORDS = ("text", "hard", "mask", "soft", "soft_id", "sep", "prefix", "options")
_COMMON = ("token_type", "truncate", "position", "add_space")
_ATTRIBUTES = {
    "text": _COMMON,
    "hard": _COMMON,
    "mask": ("length", *_COMMON),
    "sep": _COMMON,
    "soft": ("soft_id", "length", "duplicate", "encoder", "hidden_size", *_COMMON),
    "soft_id": ("length", "duplicate", "encoder", "hidden_size", *_COMMON),
    "prefix": ("length", "encoder", "hidden_size", *_COMMON),
    "options": ("add_prompt", "add_omask", *_COMMON),
}


@dataclass(frozen=True)
class Template:
    """A checked sequence of segments with at least one Text, and one Mask if it has words. Raises TemplateError.

    Texts and separators alone need no mask: that is the input of a fine-tuned model, which reads the state of [CLS].
    """

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        if not any(isinstance(segment, Text) for segment in self.segments):
            raise SegmentError("the template has no text, expected {'text': 'text_a'} in it")
        if not self.num_masks and not all(isinstance(segment, (Text, Sep)) for segment in self.segments):
            raise SegmentError("the template has no mask, expected {'mask'} in it")
        for index, segment in enumerate(self.segments):
            if isinstance(segment, Prefix) and index:
                raise SegmentError("{'prefix'} must be the first part, and there can be only one", segment=index)
        merge_soft(self.segments)

    @classmethod
    def parse(cls, source: str) -> Template:
        """Read a template string. Raises TemplateError, one line with the string and a caret at the mistake."""
        parts = parse_parts(source)
        segments: list[Segment] = []
        try:
            for part in parts:
                segments.append(Hard(part.text) if isinstance(part, BareText) else _segment(source, part))
            return cls(tuple(segments))
        except SegmentError as error:
            # A bad segment raises while it is made, so it is the part after those that are done.
            index = len(segments) if len(segments) < len(parts) else error.segment
            at = len(source) if index is None else _place(parts[index], error.key)
            raise template_error(source, at, str(error)) from None

    @classmethod
    def from_prompt(
        cls,
        prompt: str,
        soft_encoder: Optional[str] = None,
        hidden_size: Optional[int] = None,
        num_masks: Optional[int] = None,
    ) -> Template:
        """Read what a user gives as a prompt: a template, or a plain string without braces.

        The plain string P means {'text': 'text_a'}{'soft': P}{'mask'}, with `num_masks` masks (1).
        `soft_encoder` ('lstm', 'mlp', 'none') and `hidden_size` go to the soft parts that name none themselves.
        With a template they need a soft part, and `num_masks` must be the number it has. Raises TemplateError.
        """
        if not isinstance(prompt, str):
            raise TemplateError(f"the prompt must be a string, got {shown(prompt)}, a {type(prompt).__name__}")
        encoder = None if soft_encoder == "none" else soft_encoder
        if any(brace in prompt for brace in "{}｛｝"):
            template = cls.parse(prompt)
            if not template.num_masks:
                raise template_error(prompt, len(prompt), "the template has no mask, expected {'mask'} in it")
        else:
            template = cls._plain(prompt, 1 if num_masks is None else num_masks)
        if num_masks not in (None, template.num_masks):
            raise TemplateError(f"asked for {num_masks} masks, but the template has {template.num_masks}: {template}")
        if encoder is None and hidden_size is None:
            return template
        if not template.uses_soft:
            asked = f"soft encoder {encoder}" if encoder else f"hidden size {hidden_size}"
            raise TemplateError(f"asked for {asked}, but the template has no soft part: {template}")
        whole = merge_soft(template.segments)  # a soft_id may have its encoder from another place
        return cls(
            tuple(
                replace(one, encoder=one.encoder or encoder, hidden_size=one.hidden_size or hidden_size)
                if isinstance(one, Soft)
                else one
                for one in whole
            )
        )

    @classmethod
    def _plain(cls, prompt: str, num_masks: int) -> Template:
        if not prompt.strip():
            raise TemplateError("the prompt is empty, expected words such as 这条新闻的主题是, or a template")
        try:
            soft = Soft(prompt.strip())
        except SegmentError as error:
            raise template_error(prompt, 0, str(error)) from None
        return cls((Text("text_a"), soft, Mask(num_masks)))

    def without_encoders(self) -> Template:
        """The same template with soft tokens and a prefix that pass through no encoder."""
        whole = merge_soft(self.segments)
        plain = (
            replace(one, encoder=None, hidden_size=None) if isinstance(one, (Soft, Prefix)) else one for one in whole
        )
        return Template(tuple(plain))

    def with_fixed_words(self) -> Template:
        """The same template with the words of its soft tokens as fixed words, which is how they start."""
        return Template(
            tuple(
                Hard(one.text, one.token_type) if isinstance(one, Soft) and one.text else one for one in self.segments
            )
        )

    def with_options(self, words: Sequence[str]) -> Template:
        """The same template with `words`, one of each label, in the place of {'options'}."""
        return Template(tuple(one.words(words) if isinstance(one, Options) else one for one in self.segments))

    @property
    def has_options(self) -> bool:
        return any(isinstance(segment, Options) for segment in self.segments)

    def with_masks(self, number: int) -> Template:
        """The same template with `number` masks side by side where it has one. Raises TemplateError for masks in two parts."""
        if sum(isinstance(segment, Mask) for segment in self.segments) != 1:
            raise TemplateError(f"expected one {{'mask'}}, which words of any length fill: {self}")
        return Template(tuple(replace(one, length=number) if isinstance(one, Mask) else one for one in self.segments))

    def __str__(self) -> str:
        """The canonical string: Template.parse(str(template)) == template."""
        return "".join(str(segment) for segment in self.segments)

    @property
    def num_masks(self) -> int:
        return sum(segment.length for segment in self.segments if isinstance(segment, Mask))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of an example that the template reads, each once, in order."""
        return tuple(dict.fromkeys(segment.field for segment in self.segments if isinstance(segment, Text)))

    @property
    def prefix(self) -> Optional[Prefix]:
        """The deep prompt, if there is one."""
        first = self.segments[0]
        return first if isinstance(first, Prefix) else None

    @property
    def uses_soft(self) -> bool:
        return any(isinstance(segment, Soft) for segment in self.segments)


def _segment(source: str, block: Block) -> Segment:
    """Turn a parsed block into its segment. Raises TemplateError with a caret, or SegmentError for a wrong value."""
    keyword = _keyword(source, block)
    for entry in block.entries:
        if entry.key != keyword:
            _check_attribute(source, keyword, entry)
    if keyword == "options" and block.entry("add_omask"):
        raise SegmentError(
            "'add_omask' needs a language model that was trained with [O-MASK]; leave it out", "add_omask"
        )
    # None means the default
    given: dict[str, Any] = {entry.key: entry.value for entry in block.entries if entry.value is not None}
    words: Any = given.get(keyword)
    if keyword != "text" and given.get("truncate", False) is not False:
        raise SegmentError("only {'text'} can be cut, the prompt's own words never are", "truncate")

    token_type, length = given.get("token_type"), given.get("length")
    if keyword == "text":
        return Text(words, given.get("truncate", True), token_type)
    if keyword == "hard":
        return Hard(words, token_type)
    if keyword == "options":
        return Options(words, given.get("add_prompt"), token_type)
    if keyword in ("mask", "sep"):
        if keyword in given:
            raise SegmentError(f"'{keyword}' takes no value, got {literal(given[keyword])}", keyword)
        return Sep(token_type) if keyword == "sep" else Mask(given.get("length", 1), token_type)
    if keyword == "soft_id" and "soft_id" not in given:
        raise SegmentError("'soft_id' must be a whole number of 1 or more, got None", "soft_id")
    if "duplicate" in given:  # what OpenPrompt calls the length
        if length is not None or "soft" in given:
            raise SegmentError("'duplicate' is for {'soft'} without words, use 'length'", "duplicate")
        length = given["duplicate"]
    soft_id, encoder, hidden_size = given.get("soft_id"), given.get("encoder"), given.get("hidden_size")
    if keyword == "prefix":
        return Prefix(words, length, encoder, hidden_size, token_type)
    return Soft(given.get("soft"), soft_id, length, encoder, hidden_size, token_type)


def _keyword(source: str, block: Block) -> str:
    found = [entry for entry in block.entries if entry.key in KEYWORDS]
    names = [entry.key for entry in found]
    if not found:
        first = block.entries[0]
        raise template_error(source, first.at, f"unknown keyword '{first.key}'{_nearest(first.key, KEYWORDS)}")
    if sorted(names) == ["soft", "soft_id"]:
        return "soft"
    if len(found) > 1:
        raise template_error(source, found[1].at, f"two keywords in one part, '{names[0]}' and '{names[1]}'")
    return names[0]


def _check_attribute(source: str, keyword: str, entry: Entry) -> None:
    allowed = _ATTRIBUTES[keyword]
    if entry.key not in allowed:
        message = f"unknown attribute '{entry.key}' of '{keyword}'{_nearest(entry.key, allowed)}"
        raise template_error(source, entry.at, message)
    if entry.bare:
        raise template_error(source, entry.at, f"'{entry.key}' needs a value, expected '{entry.key}': …")
    if entry.key == "position" and keyword != "options":
        raise template_error(source, entry.at, "'position' is not supported yet, positions count 0, 1, 2, …")


def _nearest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else f", expected one of {', '.join(known)}"


def _place(part: Union[Block, BareText], key: Optional[str]) -> int:
    """The offset to show for a wrong value: where the value stands, else where the part does."""
    entry = part.entry(key) if isinstance(part, Block) else None
    return part.at if entry is None else entry.value_at
