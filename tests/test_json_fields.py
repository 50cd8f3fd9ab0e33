"""A dataclass whose fields are entries of a JSON object: shapes, round trip, and the version that each needs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from prompt_kit.errors import ConfigError
from prompt_kit.json_fields import entries_of, entry, from_object, shapes_of, to_object, versions_used
from prompt_kit.json_file import TEXT, check_object, number


@dataclass(frozen=True)
class Settings:
    name: str = entry(TEXT)
    rate: float = entry(number(0, 1), 0.5, since=2)
    labels: tuple = entry(TEXT, (), read=lambda value: tuple(value.split()), write=" ".join, since=3)
    note: object = entry(TEXT, None)


def test_round_trip_in_the_order_of_the_fields():
    settings = Settings("a", 0.25, ("x", "y"))
    content = {"name": "a", "rate": 0.25, "labels": "x y"}
    assert to_object(settings) == content and list(to_object(settings)) == list(content)
    assert from_object(Settings, {**content, "unknown": 1}) == settings
    assert from_object(Settings, {"name": "a"}) == Settings("a")


def test_only_fields_without_a_default_are_needed():
    assert list(entries_of(Settings)) == ["name", "rate", "labels", "note"]
    check_object({"name": "a"}, shapes_of(Settings), "here", ConfigError, "write it again")
    for content in ({}, {"name": 3}, {"name": "a", "rate": 2}):
        with pytest.raises(ConfigError, match="^here"):
            check_object(content, shapes_of(Settings), "here", ConfigError, "write it again")


def test_a_file_has_the_version_of_what_is_in_it():
    assert versions_used(Settings("a")) == versions_used(Settings("a", 0.5)) == set()
    assert versions_used(Settings("a", 0.25)) == {2}
    assert versions_used(Settings("a", 0.25, ("x",))) == {2, 3}
