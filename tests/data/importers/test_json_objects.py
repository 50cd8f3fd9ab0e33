"""JSON in its three layouts: the objects, the lines on which they begin, and what is no whole file."""

from __future__ import annotations

import pytest
from refusals import refusal

from prompt_kit.data.importers.json_objects import is_json, read_objects
from prompt_kit.errors import DataError


def read(text):
    return list(read_objects("f", text))


@pytest.mark.parametrize(
    "text",
    [
        '\ufeff{"a": 1}\n\n {"a": 2}\r\n',  # JSON lines
        '\n[{"a":\n1}, {"a": 2}]\n',  # a list, the first object of it on two lines
        '{"a": 1,\n"b": 0}\n{"a": 2}',  # one after another
    ],
)
def test_where_objects_begin(text):
    lines = {"\ufeff": [1, 3], "\n": [2, 3], "{": [1, 3]}[text[0]]
    assert [(where, one["a"]) for where, one in read(text)] == [(f"f:{lines[0]}", 1), (f"f:{lines[1]}", 2)]


def test_an_empty_list_has_no_object():
    assert read(" [ ]\n") == []


def test_what_begins_as_json():
    assert is_json('\ufeff\n {"a"') and is_json("[") and not is_json("text,label") and not is_json("")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}\n{"a": 2} x', "f:2: text behind the JSON object on its line"),
        ('[{"a": 1}]\n[]', "f:2: text behind the end of the JSON list"),
        ('[{"a": 1}\n{"a": 2}]', "f:2: not JSON (expected a comma or the end of the list)"),
        ('[{"a": 1},\n', "f:2: the JSON list has no end, so the file was cut"),
        ('[{"a": 1},\n{"a" 2}]', "f:2: not JSON (Expecting ':' delimiter at column 6)"),
        ('{"a": 1}\n{"a" 2}', "f:2: not JSON (Expecting ':' delimiter at column 6)"),
        ("[" * 100_000, "f:1: JSON nested too deeply"),
        ("[7]", 'f:1: expected an object such as {"text": …}, got 7'),
        (f'["{"x" * 50}"]', f'f:1: expected an object such as {{"text": …}}, got \'{"x" * 39}…'),
    ],
)
def test_what_is_no_list_of_objects(text, said):
    assert refusal(DataError, read, text).startswith(said)
