"""A damaged JSON file is one line, whatever the damage."""

from __future__ import annotations

import json

import pytest
from refusals import refusal

from prompt_kit.errors import CheckpointError
from prompt_kit.json_file import BOOLEAN, OBJECT, TEXT, is_number, list_of, number, one_of, read_object, whole


def read(tmp_path, text, shapes=None):
    path = tmp_path / "a.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return read_object(path, CheckpointError, "copy it again", shapes)


def message(tmp_path, text, shapes=None) -> str:
    said = refusal(CheckpointError, read, tmp_path, text, shapes)
    assert said.startswith(str(tmp_path / "a.json")) and said.endswith("; copy it again")
    assert len(said) < 400
    return said


def test_an_object(tmp_path):
    assert read(tmp_path, '\ufeff{"a": [1, "二"], "b": null}') == {"a": [1, "二"], "b": None}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ('{"a": 1', "Expecting"),
        ("null", "expected a JSON object, got null"),
        ("[1, 2]", "expected a JSON object, got [1, 2]"),
        (f'"{"x" * 1000}"', "…"),
        ("[" * 100_000, "without end"),
        ('{"a":' * 100_000, "without end"),
        ('{"a": ' + "9" * 5000 + "}", "digit"),
        (b"\xff\xfe{", "utf-8"),
        ("{} {}", "Extra data"),
    ],
)
def test_damage(tmp_path, text, said):
    assert said in message(tmp_path, text) and "is damaged" in message(tmp_path, text)


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path):
    with pytest.raises(CheckpointError, match="a.json is missing; copy it again"):
        read_object(tmp_path / "a.json", CheckpointError, "copy it again")
    with pytest.raises(CheckpointError, match="cannot be read: Is a directory; copy it again"):
        read_object(tmp_path, CheckpointError, "copy it again")


@pytest.mark.parametrize(
    ("shape", "good", "bad"),
    [
        (whole(1, 9), [1, 9], [0, 10, 1.0, True, "1", None, [1]]),
        (number(), [0, -1.5, 10**300], [float("nan"), float("inf"), 10**400, True, "1", None]),
        (number(0, 1), [0, 0.5, 1], [-0.1, 1.1]),
        (TEXT, ["", "一"], [1, None, ["a"]]),
        (BOOLEAN, [True, False], [0, "true", None]),
        (OBJECT, [{}, {"a": 1}], [[], None, "{}"]),
        (one_of("a", "b"), ["a"], ["c", None, ["a"]]),
        (list_of("numbers", is_number), [[], [1, 2.5]], [[1, "2"], {}, None, 1]),
        (whole(1, 9).or_null(), [None, 3], ["3"]),
    ],
)
def test_shapes(tmp_path, shape, good, bad):
    for value in good:
        assert read(tmp_path, json.dumps({"a": value}), {"a": shape}) == {"a": value}
    for value in bad:
        said = message(tmp_path, json.dumps({"a": value}), {"a": shape})
        assert "a is " in said and f"expected {shape.what}" in said
    assert f"a is missing, expected {shape.what}" in message(tmp_path, "{}", {"a": shape})
    assert read(tmp_path, "{}", {"a": shape.optional()}) == {}


def test_an_object_within(tmp_path):
    shapes = {"outer": {"inner": whole(0, 1)}}
    assert read(tmp_path, '{"outer": {"inner": 1}}', shapes)
    assert "outer is null, expected an object" in message(tmp_path, '{"outer": null}', shapes)
    assert "outer is missing, expected an object" in message(tmp_path, "{}", shapes)
    assert "outer.inner is 2, expected a whole number from 0 to 1" in message(
        tmp_path, '{"outer": {"inner": 2}}', shapes
    )
