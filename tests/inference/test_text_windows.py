"""Windows of texts: how far is read ahead, and what is raised after which answers."""

from __future__ import annotations

import pytest

from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.inference import text_windows
from prompt_kit.inference.text_windows import answers_by_window, to_example, window_size


def test_texts_read_ahead_are_bounded():
    assert window_size(1) == 1 and window_size(32) == 2048 and window_size(2048) == 65536 == window_size(65536)
    with pytest.raises(ConfigError, match="batch_size must be a whole number from 1 to 65536, got 65537"):
        window_size(65537)


class Source:
    """Hands out texts, and knows how many it has handed out."""

    def __init__(self, texts):
        self.texts, self.given = iter(texts), 0

    def __iter__(self):
        return self

    def __next__(self):
        text = next(self.texts)
        self.given += 1
        return text


def answers(source, batch_size, refused="x"):
    """The texts in capitals; the text `refused` is refused, with the whole window that it is in."""

    def check(example):
        if example.text_a == refused:
            raise DataError("this text is refused")

    def answer(examples):
        for example in examples:
            check(example)
        return [example.text_a.upper() for example in examples]

    return answers_by_window(source, batch_size, answer, check)


@pytest.mark.parametrize(("batch_size", "window"), [(1, 1), (2, 4), (3, 6)])
def test_a_window_is_read_before_its_first_answer(monkeypatch, batch_size, window):
    monkeypatch.setattr(text_windows, "WINDOW", 2)
    source = Source("abcdefghijklm")
    found = answers(source, batch_size)
    assert source.given == 0
    assert [(next(found), source.given) for _ in range(window + 1)] == [
        *((char.upper(), window) for char in "abcdefghijklm"[:window]), ("abcdefghijklm"[window].upper(), 2 * window),
    ]  # fmt: skip
    assert "".join(found) == "ABCDEFGHIJKLM"[window + 1 :]


@pytest.mark.parametrize("batch_size", [1, 2, 32])
@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["a", "b", "x", "c"], "^text 3: this text is refused$"),
        (["a", "b", "", "c"], "^text 3 is empty"),
        (["a", "b", 7, "x"], "^text 3: expected a string or an Example, got int: 7$"),
    ],
)
def test_a_mistake_comes_after_the_answers_before_it(batch_size, texts, said):
    found = answers(Source(texts), batch_size)
    assert [next(found), next(found)] == ["A", "B"]
    with pytest.raises(DataError, match=said):
        next(found)
    assert list(found) == []


def test_no_texts():
    assert list(answers(Source([]), 2)) == []


def test_an_example_stays_the_same():
    pair = Example("a", text_b="b")
    assert to_example(pair, 1) is pair and to_example("a", 1) == Example("a")
    assert to_example(Example("", text_b="b"), 1).text_b == "b", "empty is what shows nothing in both texts"
