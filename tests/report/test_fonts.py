"""Which font of this machine draws a label: one that has all its characters, of those the likeliest to look well."""

from __future__ import annotations

import pytest

pytest.importorskip("matplotlib")

from prompt_kit.report import fonts


def test_a_private_character_has_no_font():
    assert fonts.font_for("car 1") is not None and fonts.font_for("\U0010fffd") is None


def test_known_names_come_first_and_of_a_family_the_upright_medium_face():
    paths = [
        "/f/any.ttf",
        "/f/simhei.ttf",
        "/f/NotoSansCJK-Bold.ttc",
        "/f/Noto_SansCJK-Regular.ttc",
        "C:\\f\\wqy-microhei.ttc",
    ]
    assert sorted(paths, key=fonts._rank) == [paths[3], paths[2], paths[4], paths[1], paths[0]]


def test_a_file_that_is_no_font_has_no_character(tmp_path):
    (tmp_path / "a.ttf").write_bytes(b"no font")
    assert not fonts._has(str(tmp_path / "a.ttf"), frozenset({97}))
