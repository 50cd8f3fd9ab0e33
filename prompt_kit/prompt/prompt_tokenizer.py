"""Example -> Features -> int64 arrays: the road that training and inference share.

    [CLS] segments of the template [SEP]

The prompt's own parts are tokenized once, at construction; the texts of many examples in one call. Each part is
tokenized on its own, so a text never melts into the prompt's words. Only texts are cut to fit `max_seq_length`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from prompt_kit.errors import ConfigError, DataError, TemplateError, shown
from prompt_kit.prompt.features import Features, check_length, collate
from prompt_kit.prompt.long_texts import encode_ends
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.template_pieces import Fixed, Slot, SoftToken, TemplatePieces

if TYPE_CHECKING:
    from prompt_kit.data.dataset import Example
    from prompt_kit.prompt.tokenization import Tokenizer

__all__ = ["TRUNCATE_MODES", "Features", "PromptTokenizer", "Read", "SoftToken", "collate", "share_room"]

TRUNCATE_MODES = ("tail", "head")
_CONFIG_KEYS = ("template", "max_seq_length", "first_max_length", "other_max_length", "truncate_mode")


@dataclass(frozen=True)
class Read:
    """What is read of one text of a template: its tokens from `start` to before `stop`, of `total`."""

    field: str
    start: int
    stop: int
    total: int

    @property
    def is_cut(self) -> bool:
        return self.stop - self.start < self.total


class PromptTokenizer:
    """Wraps examples in a template.

    max_seq_length    tokens in all, [CLS] and [SEP] included
    first_max_length  tokens of the first text at most, other_max_length: of every other text; None: no such bound
    truncate_mode     what a text loses when it is too long: its "tail" or its "head"

    `soft_tokens` are the S distinct soft vectors: number n in `soft_ids` is item n - 1. `prefix_tokens` are the P tokens of
    the deep prompt, whose keys and values no sequence holds.

    Several texts that are together too long are cut token by token, always the longest, the later one of equals.
    A text with `truncate: False` is never cut. Raises ConfigError for settings out of range and when the prompt
    leaves no room for a text; TemplateError when words of the prompt yield no tokens.
    """

    def __init__(
        self,
        template: Template,
        tokenizer: Tokenizer,
        max_seq_length: int = 128,
        first_max_length: Optional[int] = None,
        other_max_length: Optional[int] = None,
        truncate_mode: str = "tail",
    ):
        if truncate_mode not in TRUNCATE_MODES:
            raise ConfigError(f"truncate_mode must be 'tail' or 'head', got {truncate_mode!r}")
        check_length("max_seq_length", max_seq_length)
        for name, value in (("first_max_length", first_max_length), ("other_max_length", other_max_length)):
            if value is not None:
                check_length(name, value)
        if template.has_options:
            raise TemplateError(f"no labels are known whose words {{'options'}} could be: {template}; write the words")
        self.template = template
        self.tokenizer = tokenizer
        self.max_seq_length = max_seq_length
        self.first_max_length = first_max_length
        self.other_max_length = other_max_length
        self.truncate_mode = truncate_mode
        self.num_masks = template.num_masks
        self.uses_soft = template.uses_soft
        made = TemplatePieces(template, tokenizer, truncate_mode, first_max_length, other_max_length)
        self.soft_tokens, self.prefix_tokens = made.soft_tokens, made.prefix_tokens
        self._pieces = made.pieces
        self._slots = [piece for piece in self._pieces if isinstance(piece, Slot)]
        self.num_prompt_tokens = sum(len(piece.ids) for piece in self._pieces if isinstance(piece, Fixed))
        if self.num_prompt_tokens >= max_seq_length:
            raise ConfigError(
                f"the prompt alone takes {self.num_prompt_tokens} tokens with [CLS] and [SEP], which leaves no room "
                f"for a text in max_seq_length {max_seq_length}: raise it, or use a shorter prompt than {template}"
            )

    def encode(self, example: Example) -> Features:
        """Wrap one example. Raises DataError when a field is None, or a text that may not be cut is too long."""
        return self.encode_many([example])[0]

    def encode_many(self, examples: Sequence[Example]) -> list[Features]:
        """Wrap many examples, whose texts are tokenized together, long ones no further than needed.

        Raises DataError as `encode` does.
        """
        # the field, and which end is kept
        read: dict[tuple[str, bool], list[list[int]]] = {
            (slot.field, slot.truncate == "head"): [] for slot in self._slots
        }
        for from_end in {end for _, end in read}:
            names = [name for name, end in read if end == from_end]
            texts = [_text_of(example, name) for name in names for example in examples]
            encoded = encode_ends(self.tokenizer, texts, self.max_seq_length, from_end)
            for place, name in enumerate(names):
                read[name, from_end] = encoded[place * len(examples) : (place + 1) * len(examples)]
        columns = [read[slot.field, slot.truncate == "head"] for slot in self._slots]
        return [self._wrap([column[row] for column in columns]) for row in range(len(examples))]

    def what_is_read(self, examples: Sequence[Example]) -> list[tuple[Read, ...]]:
        """What `encode_many` keeps of each example's texts, in the order of the template. Raises DataError as it does."""
        names = self.template.fields
        encoded = self.tokenizer.encode_batch([_text_of(example, name) for example in examples for name in names])
        found = []
        for row in range(len(examples)):
            lengths = dict(zip(names, map(len, encoded[row * len(names) : (row + 1) * len(names)])))
            kept = self._fit([range(lengths[slot.field]) for slot in self._slots])
            found.append(
                tuple(
                    Read(slot.field, one.start, one.stop, lengths[slot.field]) for slot, one in zip(self._slots, kept)
                )
            )
        return found

    def columns_of(self, reads: Sequence[Read]) -> list[range]:
        """Where the kept pieces of each text stand in `input_ids`, of an example that `what_is_read` told `reads` of."""
        found, column, left = [], 0, iter(reads)
        for piece in self._pieces:
            if isinstance(piece, Fixed):
                column += len(piece.ids)
            else:
                one = next(left)
                found.append(range(column, column + one.stop - one.start))
                column = found[-1].stop
        return found

    def to_config(self) -> dict[str, Any]:
        """The settings as plain data, for JSON; the template as its canonical string."""
        return {"template": str(self.template), **{key: getattr(self, key) for key in _CONFIG_KEYS[1:]}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], tokenizer: Tokenizer) -> PromptTokenizer:
        """What `to_config` wrote, read back. Raises ConfigError for missing or unknown keys."""
        missing = [key for key in _CONFIG_KEYS if key not in config]
        extra = [str(key) for key in config if key not in _CONFIG_KEYS]
        if missing or extra:
            raise ConfigError(f"prompt tokenizer settings: missing {missing or 'none'}, unknown {extra or 'none'}")
        if not isinstance(config["template"], str):
            raise ConfigError(f"prompt tokenizer settings: template must be a string, got {config['template']!r}")
        return cls(Template.parse(config["template"]), tokenizer, **{key: config[key] for key in _CONFIG_KEYS[1:]})

    def _wrap(self, texts: Sequence[list[int]]) -> Features:
        """Cut the texts (one per slot, in order) and put them into the template."""
        texts = self._fit(texts)
        ids: list[int] = []
        types: list[int] = []
        soft: list[int] = []
        masks: list[int] = []
        taken = iter(texts)
        for piece in self._pieces:
            if isinstance(piece, Fixed):
                masks += [len(ids) + offset for offset in piece.masks]
                ids += piece.ids
                types += piece.types
                soft += piece.soft
            else:
                text = next(taken)
                ids += text
                types += [piece.token_type] * len(text)
                soft += [0] * len(text)
        return Features(ids, types, masks or [0], soft if self.uses_soft else None)

    def _fit(self, texts: Sequence[Any]) -> list[Any]:
        """The texts, cut to their own bounds and then to what the prompt leaves of max_seq_length."""
        lengths = [
            len(text) if slot.max_length is None else min(len(text), slot.max_length)
            for text, slot in zip(texts, self._slots)
        ]
        room = self.max_seq_length - self.num_prompt_tokens
        if sum(lengths) > room:
            cuttable = [index for index, slot in enumerate(self._slots) if slot.truncate is not None]
            uncut = sum(lengths) - sum(lengths[index] for index in cuttable)
            if uncut > room:
                raise DataError(
                    f"a text with truncate False has more than the {room} tokens that max_seq_length {self.max_seq_length} "
                    "leaves beside the prompt: use a longer max_seq_length or let it be cut"
                )
            shares = share_room([lengths[index] for index in cuttable], room - uncut)
            for index, share in zip(cuttable, shares):
                lengths[index] = share
        # Not text[-length:], which is the whole text when length is 0.
        return [
            text[len(text) - length :] if slot.truncate == "head" else text[:length]
            for text, length, slot in zip(texts, lengths, self._slots)
        ]


def share_room(lengths: Sequence[int], room: int) -> list[int]:
    """What is left of each length when the longest is shortened by one until all fit; of equals, the later one first.

    share_room([2, 9, 9], 13) == [2, 6, 5]. PaddleNLP shares alike, but leaves the remainder of its division unused.
    """
    level, left = max(lengths), room
    for done, length in enumerate(sorted(lengths)):
        equal_part = left // (len(lengths) - done)
        if length > equal_part:  # so is every one after it: they all come down to this level
            level = equal_part
            break
        left -= length
    shares = [min(length, level) for length in lengths]
    spare = room - sum(shares)
    for index, length in enumerate(lengths):
        if length > level and spare > 0:
            shares[index] += 1
            spare -= 1
    return shares


def _text_of(example: Example, name: str) -> str:
    text = getattr(example, name)
    if text is None:
        raise DataError(
            f"the template uses {name}, but this example has none: {shown(str(example.text_a), 30)}; give a second text "
            "(text_a<TAB>text_b in files, --text_pair, Example(text_a, text_b=…) in Python), or take "
            f"{{'text': '{name}'}} out of the template"
        )
    return text
