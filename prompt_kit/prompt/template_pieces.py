"""A template, tokenized once: the prompt's own parts ready to be copied, and between them the slots where texts go."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Optional, Union

from prompt_kit.errors import TemplateError
from prompt_kit.prompt.template import Hard, Mask, Prefix, Sep, Soft, Template, Text, merge_soft

if TYPE_CHECKING:
    from prompt_kit.prompt.tokenization import Tokenizer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SoftToken:
    """One learnable vector: the id of the word it starts from (None: no word), and the encoder that it goes through."""

    init_id: Optional[int] = None
    encoder: Optional[str] = None
    hidden_size: Optional[int] = None


@dataclass
class Fixed:
    """Neighbouring parts of the prompt, ready to be copied; `masks` are offsets of [MASK] in them."""

    ids: list[int] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    soft: list[int] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)

    def add(self, ids: Sequence[int], token_type: int, soft: Optional[Sequence[int]] = None) -> None:
        self.ids += ids
        self.types += [token_type] * len(ids)
        self.soft += [0] * len(ids) if soft is None else soft


@dataclass(frozen=True)
class Slot:
    """Where a text goes: which field, its token type, where it is cut (None: never) and to how many tokens at most."""

    field: str
    token_type: int
    truncate: Optional[str]
    max_length: Optional[int]


class TemplatePieces:
    """The pieces of a template, and the vectors that are to be learned.

    pieces         Fixed and Slot in turn, [CLS] and [SEP] included
    soft_tokens    the S distinct soft vectors: number n in a Fixed's `soft` is item n - 1
    prefix_tokens  the P tokens of the deep prompt, whose keys and values no sequence holds

    Args:
        truncate_mode: which end a text loses that does not say it itself.
        first_max_length: tokens of the first text at most; other_max_length: of every other one; None: no such bound.

    Raises TemplateError when words of the prompt yield no tokens.
    """

    def __init__(
        self,
        template: Template,
        tokenizer: Tokenizer,
        truncate_mode: str,
        first_max_length: Optional[int],
        other_max_length: Optional[int],
    ):
        self._template, self._tokenizer, self._truncate_mode = template, tokenizer, truncate_mode
        self._first_max_length, self._other_max_length = first_max_length, other_max_length
        self._soft_tokens: list[SoftToken] = []
        self.prefix_tokens = () if template.prefix is None else tuple(self._learnable(template.prefix))
        self.pieces = self._build()
        self.soft_tokens = tuple(self._soft_tokens)

    def _build(self) -> list[Union[Fixed, Slot]]:
        """The template as an alternation of ready-made tokens and slots; fills the table of soft tokens."""
        tokenizer, token_type = self._tokenizer, 0
        fixed = Fixed()
        pieces: list[Union[Fixed, Slot]] = [fixed]
        fixed.add([tokenizer.cls_id], token_type)
        shared: dict[int, list[int]] = {}
        for segment in merge_soft(self._template.segments):
            if segment.token_type is not None:
                token_type = segment.token_type
            if isinstance(segment, Text):
                first = not any(isinstance(piece, Slot) for piece in pieces)
                fixed = Fixed()
                pieces += [self._slot(segment, token_type, first), fixed]
            elif isinstance(segment, Mask):
                fixed.masks += range(len(fixed.ids), len(fixed.ids) + segment.length)
                fixed.add([tokenizer.mask_id] * segment.length, token_type)
            elif isinstance(segment, Sep):
                fixed.add([tokenizer.sep_id], token_type)
            elif isinstance(segment, Prefix):
                continue  # it has no place in the sequence
            elif isinstance(segment, Soft):
                if segment.soft_id is None:
                    numbers = self._number_soft(segment)
                else:
                    numbers = shared.get(segment.soft_id) or self._number_soft(segment)
                    shared[segment.soft_id] = numbers
                starts = (self._soft_tokens[number - 1].init_id for number in numbers)
                fixed.add([tokenizer.unk_id if start is None else start for start in starts], token_type, numbers)
            elif isinstance(segment, Hard):
                fixed.add(self._tokens_of(segment.text), token_type)
        fixed.add([tokenizer.sep_id], token_type)
        return pieces

    def _slot(self, segment: Text, token_type: int, first: bool) -> Slot:
        if segment.truncate is False:
            return Slot(segment.field, token_type, None, None)
        mode = self._truncate_mode if segment.truncate is True else segment.truncate
        return Slot(segment.field, token_type, mode, self._first_max_length if first else self._other_max_length)

    def _number_soft(self, segment: Soft) -> list[int]:
        """New soft tokens for the segment -> their numbers."""
        first = len(self._soft_tokens) + 1
        tokens = self._learnable(segment)
        self._soft_tokens += tokens
        return list(range(first, first + len(tokens)))

    def _learnable(self, segment: Union[Soft, Prefix]) -> list[SoftToken]:
        """One for each token of the segment's words. Beyond its words they start from none, as in PaddleNLP."""
        starts: list[Optional[int]] = [] if segment.text is None else list(self._tokens_of(segment.text))
        length = segment.length or max(1, len(starts))
        if length < len(starts):
            logger.warning("length %d is ignored, its words have %d tokens: %s", length, len(starts), segment)
        starts += [None] * (length - len(starts))
        return [SoftToken(start, segment.encoder, segment.hidden_size) for start in starts]

    def _tokens_of(self, words: str) -> list[int]:
        ids = self._tokenizer.encode(words)
        if not ids:
            raise TemplateError(f"the words {words!r} of the template come to no token: {self._template}")
        return ids
