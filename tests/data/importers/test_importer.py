"""What an import makes of its records: the labels in their order, the shares of the files, and the hint on label words."""

from __future__ import annotations

import pytest
from files import write, write_lines
from refusals import refusal

from prompt_kit.data.importers.importer import Settings, import_data, label_hint
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.prompt.task import MULTI_LABEL


def imported(tmp_path, table, **settings):
    return import_data("csv", [str(write(tmp_path / "t.csv", "text,label\n" + table))], Settings(**settings))


def test_labels_are_in_the_order_of_their_texts_and_data_txt_has_the_rest(tmp_path):
    found = imported(tmp_path, "甲,乙\n丙,\n丁,甲\n戊,乙\n", shares=(1,))
    assert found.files["label.txt"] == ["乙", "甲"] and found.files["data.txt"] == ["丙"]
    assert sorted(found.files["train.txt"]) == ["丁\t甲", "戊\t乙", "甲\t乙"]


def test_of_several_labels_the_rarest_is_the_one_that_is_divided(tmp_path):
    """Of 4 texts, all of them 常, two are 稀 too: with halves, each file has one of the two."""
    table = '一,"常,稀"\n二,"常,稀"\n三,常\n四,常\n'
    found = imported(tmp_path, table, shares=(0.5, 0.5), task_type=MULTI_LABEL)
    for name in ("train.txt", "dev.txt"):
        assert sorted(line.split("\t")[1] for line in found.files[name]) == ["常", "常,稀"]


def test_a_share_of_no_text_is_said(tmp_path):
    found = imported(tmp_path, "甲,a\n乙,b\n", shares=(0.98, 0.01, 0.01))
    assert "test.txt" not in found.files and "no test.txt: 0.01 of 2 texts is none" in found.notes


def test_a_label_that_the_label_file_lacks(tmp_path):
    labels = write_lines(tmp_path / "label.txt", "b==乙", "a==甲")
    assert imported(tmp_path, "甲,a\n乙,b\n", label_file=str(labels)).files["label.txt"] == ["b==乙", "a==甲"]
    said = refusal(DataError, imported, tmp_path, "甲,a\n乙,c\n", label_file=str(labels))
    assert said.endswith(f"t.csv:3: label 'c' is not in {labels}; add it there, or mend the export")


def test_an_unknown_format():
    said = refusal(ConfigError, import_data, "word", [], Settings())
    assert said == "unknown format 'word', expected one of doccano, label-studio, csv, excel"


@pytest.mark.parametrize(
    ("lines", "first"), [(["体育", "news_car"], "'news_car'"), (["a==甲", "b"], "'b'"), (["体育"], ""), (["a==甲"], "")]
)
def test_the_hint_is_of_labels_that_look_like_codes(lines, first):
    hint = label_hint(lines, "out")
    assert bool(hint) == bool(first) and first in hint
