"""Long texts are tokenized no further than needed, to the ids that they had when they were tokenized whole."""

from __future__ import annotations

import random
import time
import unicodedata

import pytest

from prompt_kit.data.dataset import Example
from prompt_kit.errors import DataError
from prompt_kit.prompt import long_texts
from prompt_kit.prompt.long_texts import encode_ends
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.tokenization import Tokenizer

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"字车球新abc1か。，!",
    "e",
    "##a",
    "##b",
    "##c",
    "##1",
    "##e",
    "##か",
    "は",
]
# What a text can be made of: letters that join, what vanishes, what is reordered, what stands alone, what takes two units.
ATOMS = [
    *"字车球新。，! \t\u3000abc1かがは", "\u200b", "\ufeff",
    "\x00", "\u0301", "\u0315\u0327", "\u0344", "é", "İ", "ﬁ", "²", "Ø", "º", "〇",
    "😀", "\U0001f1e8", "\udc80", "\U00011938", "한", "\u0e01\u0e33", "\u1e69",
    "\u0323\u0307", "\ufffd", "\n", "…", "℃", "Å", "\u094d",
    "a" * 101, "1" * 150, "\u200b" * 40, " " * 40, "か" * 120, "\u0301" * 30,
]  # fmt: skip


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def tokenizer(request):
    return Tokenizer.from_vocab(PIECES, lowercase=request.param)


def texts(seed, count):
    draw = random.Random(seed)
    for _ in range(count):
        atoms = draw.choices(ATOMS, k=draw.randint(1, 6))  # few kinds a text, so that runs are long
        yield "".join(draw.choice(atoms) for _ in range(draw.randint(0, 120)))


@pytest.mark.parametrize("from_end", [False, True])
@pytest.mark.parametrize("most", [1, 2, 5, 17])
def test_the_ids_are_those_of_the_whole_text(tokenizer, monkeypatch, most, from_end):
    monkeypatch.setattr(long_texts, "SHORT", 3)
    monkeypatch.setattr(long_texts, "CHARACTERS_PER_ID", 1)
    some = list(texts(most, 400))
    cut = 0
    for text, found in zip(some, encode_ends(tokenizer, some, most, from_end)):
        whole = tokenizer.encode(text)
        assert (found[-most:] == whole[-most:]) if from_end else (found[:most] == whole[:most]), ascii(text)
        assert (len(found) > most) == (len(whole) > most)
        cut += len(found) < len(whole)
    assert cut > 40  # texts were cut indeed


def test_a_text_may_be_cut_before_every_free_character(tokenizer):
    """Each between accents, letters and one another: nothing joins or moves over the place."""
    around = ["a", "e\u0301", "か\u3099", "\u0327\u0301", "字", "!", " ", "\u200b", ""]
    free = [char for char in map(chr, range(0x20000)) if long_texts._FREE.match(char)]
    assert len(free) > 20_000
    joined, parts = [], []
    for place, char in enumerate(free[:60] + free[60::97] + free[-400:]):
        left, right = around[place % len(around)], around[place // len(around) % len(around)]
        joined.append(left + char + right)
        parts.append((left, char + right))
    for whole, (left, right) in zip(joined, parts):
        assert tokenizer.encode(left) + tokenizer.encode(right) == tokenizer.encode(whole), ascii(whole)


def test_what_is_left_out_makes_no_id_anywhere(tokenizer):
    dropped = [chr(code) for code in range(0x10000) if long_texts._DROPPED.match(chr(code))]
    assert len(dropped) > 70 and all(unicodedata.category(char) in ("Cc", "Cf") or char == "\ufffd" for char in dropped)
    assert tokenizer.encode("a" + "".join(dropped) + "b") == tokenizer.encode("ab")


def letters_and_accents():
    letters, accents = [], []
    for char in map(chr, range(0x20000)):
        if long_texts._WORD.fullmatch(char * 102):
            (letters if long_texts._LETTER.match(char) else accents).append(char)
    return letters, accents


def test_what_makes_words_too_long_is_a_letter_everywhere(tokenizer):
    """A hundred of each and two more letters are one [UNK]: none stands alone, vanishes, or becomes what does."""
    letters, accents = letters_and_accents()
    assert len(letters) > 12_000 and len(accents) > 300
    assert all(unicodedata.category(char)[0] in "LN" for char in letters)
    assert {unicodedata.category(char) for char in accents} == {"Mn"}
    whole = tokenizer._backend.encode_batch(["a" + char * 100 + "b" for char in letters], add_special_tokens=False)
    assert {tuple(one.ids) for one in whole} == {(tokenizer.unk_id,)}


def test_accents_vanish_or_are_letters(tokenizer):
    """The same ids of 101 and of more, alone, between characters that stand alone, and on a letter."""
    _, accents = letters_and_accents()
    for around in ("{}", "字{}字", "a{}b", "か{}"):
        more, fewer = (
            tokenizer._backend.encode_batch([around.format(one * count) for one in accents], add_special_tokens=False)
            for count in (300, 101)
        )
        assert [one.ids for one in more] == [one.ids for one in fewer]


WORDS = ["か", "カ", "ｶ", "한", "ㄱ", "가", "é", "ж", "ω", "ש", "ا", "ก", "ำ", "अ", "9", "Ａ", "a", "か\u3099", "e\u0301\u0323",
         "\u0301", "\u3099", "\ufe0f", "字", "。", "😀", "ሀ", "Ŋ", "ŋ", "º", " ", "-"]  # fmt: skip


def test_a_shortened_text_has_the_ids_of_the_whole(tokenizer):
    draw, shorter = random.Random(5), 0
    for _ in range(400):
        kinds = draw.choices(WORDS, k=draw.randint(1, 4))
        text = "".join(
            draw.choice(kinds) * draw.choice([1, 2, 60, 99, 100, 101, 102, 250]) for _ in range(draw.randint(1, 5))
        )
        short = long_texts.shorten(text)
        shorter += len(short) < len(text)
        whole = tokenizer._backend.encode(text, add_special_tokens=False).ids
        assert tokenizer._backend.encode(short, add_special_tokens=False).ids == whole, ascii(kinds)
        assert tokenizer.encode(text) == tokenizer.encode_batch([text])[0] == whole
    assert shorter > 100


@pytest.mark.parametrize("kind", ["か", "カ", "한", "\u0301", "か\u3099", "ｶﾞ", "ก\u0e34"])
def test_a_million_letters_or_accents_are_cheap_in_every_call(tokenizer, kind):
    """Whole, each takes some seconds; CPU time, since machines are busy."""
    text = "字" + kind * (10**6 // len(kind)) + "字"
    begun = time.process_time()
    (ids,) = tokenizer.encode_batch([text])
    assert ids == tokenizer.encode(text) and len(ids) in (2, 3)
    assert len(long_texts.shorten(text)) < 400 and time.process_time() - begun < 8


@pytest.mark.parametrize(
    "template",
    [
        "{'text': 'text_a'}{'hard': '新'}{'mask'}",
        "{'text': 'text_a', 'truncate': 'head'}{'mask'}",
        "{'text': 'text_a', 'truncate': 'head'}{'sep'}{'text': 'text_b'}{'mask'}{'text': 'text_a', 'truncate': 'tail'}",
        "{'text': 'text_a', 'truncate': False}{'text': 'text_b'}{'mask'}",
    ],
)
@pytest.mark.parametrize("mode", ["tail", "head"])
@pytest.mark.parametrize("first, other", [(None, None), (4, 90), (90, 2)])
def test_features_are_those_of_whole_texts(tokenizer, monkeypatch, template, mode, first, other):
    monkeypatch.setattr(long_texts, "SHORT", 3)
    monkeypatch.setattr(long_texts, "CHARACTERS_PER_ID", 1)
    wrap = PromptTokenizer(Template.parse(template), tokenizer, 24, first, other, mode)
    some = list(texts(mode + template, 120))
    for text_a, text_b in zip(some[::2], some[1::2]):
        answers = []
        for cuts in (True, False):
            tokenizer.cuts_at_free_characters = cuts
            try:
                answers.append(wrap.encode(Example(text_a, text_b=text_b)))
            except DataError as error:
                answers.append(
                    str(error).split("has")[0]
                )  # the number of tokens may differ, which is not counted to the end
        assert answers[0] == answers[1], (ascii(text_a), ascii(text_b))


class Watched:
    """Notes how many characters come to the tokenizer."""

    cuts_at_free_characters = True

    def __init__(self, tokenizer):
        self.tokenizer, self.characters = tokenizer, 0

    def encode_batch(self, some):
        self.characters += sum(map(len, some))
        return self.tokenizer.encode_batch(some)


@pytest.mark.parametrize(
    "text",
    [
        "字" * 10**6,
        "a" * 10**6,
        "字" + "\u200b" * 10**6,
        " " * 10**6 + "字",
        "ab, " * 250_000,
        "字a1" * 333_333,
        "か" * 10**6,
        "한" * 10**6,
        "e" + "\u0301" * 10**6,
        "か\u3099" * 500_000,
        "😀" * 10**6,
    ],
)
@pytest.mark.parametrize("from_end", [False, True])
def test_of_a_million_characters_few_are_tokenized(tokenizer, text, from_end):
    watched = Watched(tokenizer)
    start = time.perf_counter()
    encode_ends(watched, [text] * 3, 64, from_end)
    assert watched.characters < 3 * 2000 and time.perf_counter() - start < 20  # whole, it takes minutes here


def test_a_tokenizer_of_other_steps_is_not_cut(tmp_path):
    import tokenizers
    from tokenizers import models, pre_tokenizers

    vocabulary = {piece: place for place, piece in enumerate([*PIECES, "字字字"])}
    backend = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.save(str(tmp_path / "tokenizer.json"))
    foreign = Tokenizer.from_file(tmp_path / "tokenizer.json")
    assert not foreign.cuts_at_free_characters
    assert encode_ends(foreign, ["字" * 5000], 8) == [foreign.encode("字" * 5000)]


def test_a_saved_tokenizer_is_cut(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    assert Tokenizer.from_file(tmp_path / "tokenizer.json").cuts_at_free_characters
