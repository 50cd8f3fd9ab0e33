r"""The literal parser of the template language: a string -> blocks `{'key': value, …}` and the bare text between them.

It knows the grammar and nothing of what the keywords mean (prompt_kit/prompt/template.py does), and evaluates nothing:

    template := (bare text | block)*
    block    := '{' entry (',' entry)* ','? '}'
    entry    := string (':' value)?
    value    := string | whole number | True | False | None
    string   := 'text' or "text", with the escapes \\ \' \" \n \r \t \uXXXX

Every mistake is a TemplateError of one line that shows the whole string, with CARET in front of the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, Optional, Union

from prompt_kit.errors import TemplateError

CARET = "▲"
_AROUND = 150  # characters of a long template that are shown on either side of a mistake

Value = Union[str, int, bool, None]

_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t"}
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029]"
)  # what steers a terminal, or str.splitlines breaks a line at
_WORD = re.compile(r"[^\s{}'\",:]+")
_NUMBER = re.compile(r"[+-]?[0-9]{1,6}\Z")  # no prompt has a million of anything
_CONSTANTS = {"True": True, "False": False, "None": None}
# An input method for Chinese types these where the ASCII mark is meant.
_FULL_WIDTH = {
    "‘": "'", "’": "'", "＇": "'", "“": '"', "”": '"', "＂": '"', "：": ":", "，": ",", "｛": "{", "｝": "}",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One `'key': value` of a block; `at` and `value_at` are offsets in the source. A bare `'key'` has value None."""

    key: str
    value: Value
    at: int
    value_at: int
    bare: bool


@dataclass(frozen=True)
class Block:
    """`{…}` with its entries in order (at least one, no key twice); `at` is the offset of the brace."""

    at: int
    entries: tuple[Entry, ...]

    def entry(self, key: Optional[str]) -> Optional[Entry]:
        """The entry of that key, or None."""
        return next((entry for entry in self.entries if entry.key == key), None)


@dataclass(frozen=True)
class BareText:
    """Text between blocks, without the white space around it; `at` is the offset of its first character."""

    at: int
    text: str


def parse_parts(source: str) -> tuple[Union[Block, BareText], ...]:
    """Split a template string into blocks and bare text. Raises TemplateError with a caret."""
    return tuple(_Scanner(source).parts())


def template_error(source: str, at: int, message: str) -> TemplateError:
    """The one-line error for a mistake at offset `at`: column (from 1), what is wrong, the string with CARET."""
    start, end = (0, len(source)) if len(source) <= 2 * _AROUND else (max(0, at - _AROUND), at + _AROUND)
    before, behind = "…" if start else "", "…" if end < len(source) else ""
    shown = before + escape(source[start:at], quote="") + CARET + escape(source[at:end], quote="") + behind
    return TemplateError(f"template error at column {at + 1}: {escape(_cut(message), quote='')}: {shown}")


def _cut(message: str) -> str:
    """A message that quotes a word of the template, which may be of any length."""
    return message if len(message) <= 400 else f"{message[:300]}…{message[-100:]}"


def quote(text: str) -> str:
    """A string literal of the template language: quote('它是') == "'它是'". The parser reads it back unchanged."""
    return "'" + escape(text.replace("\\", "\\\\"), quote="'") + "'"


def escape(text: str, quote: str) -> str:
    """Spell line breaks and control characters as escapes, and `quote` too unless it is empty."""
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    text = _UNPRINTABLE.sub(lambda found: named.get(found[0], f"\\u{ord(found[0]):04x}"), text)
    return text.replace(quote, "\\" + quote) if quote else text


class _Scanner:
    """A cursor over the source; each method reads one rule of the grammar and leaves the cursor behind it."""

    def __init__(self, source: str):
        self.source = source
        self.at = 0

    def parts(self) -> Iterator[Union[Block, BareText]]:
        while self._skip_space() < len(self.source):
            yield self._block() if self._peek() == "{" else self._bare_text()

    def _bare_text(self) -> BareText:
        start = self.at
        while self.at < len(self.source) and self._peek() != "{":
            if self._peek() == "}":
                self._fail(self.at, "this } closes nothing")
            if self._peek() in "｛｝":  # full-width quotes are ordinary text here, braces are always a slip
                self._fail(self.at, self._full_width_hint("a part in braces"))
            self.at += 1
        return BareText(start, self.source[start : self.at].rstrip())

    def _block(self) -> Block:
        start = self.at
        entries: list[Entry] = []
        self.at += 1
        while True:
            self._skip_space()
            if self._peek() == "}":
                break
            entry = self._entry(start)
            if any(entry.key == earlier.key for earlier in entries):
                self._fail(entry.at, f"'{entry.key}' is given twice")
            entries.append(entry)
            self._skip_space()
            if self._peek() == ",":
                self.at += 1
            elif self._peek() != "}":
                self._expected("',' or '}'", start)
        if not entries:
            self._fail(start, "these braces are empty, expected a keyword such as {'mask'}")
        self.at += 1
        return Block(start, tuple(entries))

    def _entry(self, block: int) -> Entry:
        key_at = self.at
        if self._peek() not in ("'", '"'):
            self._expected("a keyword in quotes, such as 'mask'", block)
        key = self._string()
        self._skip_space()
        if self._peek() != ":":
            return Entry(key, None, key_at, key_at, bare=True)
        self.at += 1
        self._skip_space()
        value_at = self.at
        return Entry(key, self._value(block), key_at, value_at, bare=False)

    def _value(self, block: int) -> Value:
        if self._peek() in ("'", '"'):
            return self._string()
        found = _WORD.match(self.source, self.at)
        word = found[0] if found else ""
        if word not in _CONSTANTS and not _NUMBER.match(word):
            self._expected("a string in quotes, a whole number, True, False or None", block)
        self.at += len(word)
        return _CONSTANTS[word] if word in _CONSTANTS else int(word)

    def _string(self) -> str:
        start, mark = self.at, self._peek()
        text: list[str] = []
        self.at += 1
        while True:
            char = self._peek()
            if char == "":
                self._fail(start, f"this quote {mark} is never closed")
            if char == mark:
                self.at += 1
                return "".join(text)
            text.append(self._escaped() if char == "\\" else char)
            self.at += 1

    def _escaped(self) -> str:
        """The character that an escape stands for; leaves the cursor on the escape's last character."""
        code = self.source[self.at + 1 : self.at + 2]
        if code in _ESCAPES:
            self.at += 1
            return _ESCAPES[code]
        digits = re.compile("u([0-9a-fA-F]{4})").match(self.source, self.at + 1)
        if not digits or "d7ff" < digits[1].lower() < "e000":  # half of a surrogate pair is no character
            self._fail(self.at, r"unknown escape, expected \\ \' " + r"\" \n \r \t or \uXXXX")
        self.at += 5
        return chr(int(digits[1], 16))

    def _skip_space(self) -> int:
        while self._peek().isspace():
            self.at += 1
        return self.at

    def _peek(self) -> str:
        return self.source[self.at : self.at + 1]  # "" at the end

    def _full_width_hint(self, expected: str) -> str:
        char = self._peek()
        return f"expected {expected}, got the full-width {char} (use {_FULL_WIDTH[char]})"

    def _expected(self, expected: str, block: int) -> NoReturn:
        """Fail at the cursor. At the end of the string the brace that was left open is the better place to show."""
        char = self._peek()
        if not char:
            self._fail(block, "this { is never closed")
        if char in _FULL_WIDTH:
            self._fail(self.at, self._full_width_hint(expected))
        found = _WORD.match(self.source, self.at)
        self._fail(self.at, f"expected {expected}, got {found[0] if found else char}")

    def _fail(self, at: int, message: str) -> NoReturn:
        raise template_error(self.source, at, message)
