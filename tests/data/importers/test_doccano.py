"""doccano's files of every release, those of 1.8 written by its own exporter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from refusals import refusal

from prompt_kit.data.importers.doccano import read_doccano, read_label_names
from prompt_kit.data.importers.importer import Settings, import_data
from prompt_kit.data.importers.sources import Source
from prompt_kit.errors import DataError

EXPORTS = Path(__file__).parent / "exports" / "doccano"
SHARED = [
    ("主场三分绝杀，球队豪取五连胜", ("体育", "体育", "汽车")),
    ('新车上市，"百公里"油耗6升', ("汽车",)),
    ("央行降息,\t股市\n大涨", ("财经",)),
    ("国足今晚迎战日本队", ("体育", "财经")),
    ("这条没有人标", ()),
    ("欧冠决赛点球大战", ("体育", "体育")),
    ("电动车降价三万", ("汽车",)),
]


def read(*lines, **flags):
    text = "\n".join(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in lines)
    return [(one.text, one.votes) for one in read_doccano("f", text, **flags)]


def message(*lines, **flags):
    return refusal(DataError, read, *lines, **flags)


@pytest.mark.parametrize("name", ["all.jsonl", "all.json", "all.csv"])
def test_a_shared_project(name):
    records = list(read_doccano(name, (EXPORTS / name).read_bytes().decode("utf-8")))
    assert [(one.text, one.votes) for one in records] == SHARED
    if name == "all.csv":  # the third task takes two lines
        assert [one.where for one in records][2:4] == ["all.csv:4", "all.csv:6"]
    if name == "all.jsonl":
        assert records[3].where == "all.jsonl:4"


def test_a_file_for_each_member(tmp_path):
    imported = import_data(
        "doccano", [str(EXPORTS / f"{name}.jsonl") for name in ("amy", "bob", "cen")], Settings(shares=(1.0,))
    )
    assert imported.files["train.txt"] == [
        "主场三分绝杀，球队豪取五连胜\t体育",  # two of three
        '新车上市，"百公里"油耗6升\t汽车',
        "央行降息, 股市 大涨\t财经",
        "欧冠决赛点球大战\t体育",
        "电动车降价三万\t汽车",
    ]
    assert imported.files["data.txt"] == ["这条没有人标"]
    assert imported.notes[:2] == [
        "texts decided by the majority: 1",
        "texts left out because their votes tie: 1",
    ]


def test_earlier_releases():
    assert read({"id": 1, "data": "甲", "label": ["体育"]}) == [("甲", ("体育",))]
    assert read({"id": 1, "text": "甲", "labels": ["体育"]}) == [("甲", ("体育",))]
    assert read({"doc_id": 1, "text": "甲", "labels": ["体育", "汽车"], "username": "amy"}) == [
        ("甲", ("体育", "汽车"))
    ]
    assert read({"text": "甲", "label": "体育"}, {"text": "乙", "label": None}) == [("甲", ("体育",)), ("乙", ())]
    assert read({"text": "甲"}) == [("甲", ())]


def test_ids_become_names_by_the_label_list():
    task = {"id": 1, "text": "甲", "annotations": [{"label": 2, "user": 1}, {"label": 5, "user": 2}], "meta": {}}
    found = message(task)
    assert found.startswith("f:1: the label is the number 2, as doccano before 1.3 exports it; give --label_config")
    config = json.dumps([{"id": 2, "text": "体育"}, {"id": 5, "text": "汽车"}]).encode()
    names = read_label_names(Source("label_config.json", config))
    assert read(task, label_names=names) == [("甲", ("体育", "汽车"))]
    assert read("text,label", "甲,2#5", label_names=names) == [("甲", ("体育", "汽车"))]
    assert (
        message({"text": "甲", "label": [3]}, label_names=names)
        == "f:1: label 3 is not in --label_config, which has [2, 5]"
    )
    with pytest.raises(DataError, match="label_config.json:1: expected"):
        read_label_names(Source("label_config.json", b'[{"text": "x", "suffixKey": "a"}]'))


def test_a_number_in_csv_is_a_name():
    assert read("id,text,label", "1,甲,5") == [("甲", ("5",))]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"text": "甲", "label": [[0, 1, "PER"]]}, "f:1: labels of parts of a text"),
        (
            {"text": "甲", "annotations": [{"label": 1, "start_offset": 0, "end_offset": 1}]},
            "f:1: labels of parts of a text",
        ),
        (
            {"filename": "a.png", "label": ["猫"]},
            "f:1: no text: expected the key 'text' or 'data', got 'filename', 'label'",
        ),
        ({"text": 5, "label": ["猫"]}, "f:1: expected the text as a string, got 5"),
        ({"text": "甲", "label": [True]}, "f:1: expected the label as a string, got True"),
        ("__label__体育 甲", "f:1: a fastText export"),
        ('{"text": "甲"', "f:1: not JSON (Expecting ',' delimiter at column 13); export it again"),
        ("[1]", "f:1: expected an object"),
    ],
)
def test_what_is_no_text_classification(line, expected):
    assert message(line).startswith(expected)


def test_columns_that_are_named():
    task = {"id": 1, "标题": "甲", "类": ["体育"]}
    assert read(task, text_column="标题", label_column="类") == [("甲", ("体育",))]
    assert message(task, text_column="title").startswith(
        "f:1: no text: expected the key 'title', got 'id', '标题', '类'"
    )
    assert message(task, text_column="标题", label_column="y").startswith("f:1: no label: expected the key 'y'")


def test_a_second_text_is_a_key_beside_the_text():
    """doccano exports the columns that were imported beside the text as keys of the task; FewCLUE's bustm has no other."""
    tasks = [
        {"id": 1, "text": "放首歌", "title": "来首歌", "label": ["相同"]},
        {"id": 2, "sentence1": "放首歌", "sentence2": "关灯", "label": "0"},
    ]
    found = [
        next(read_doccano("f", json.dumps(task), text_pair_column=name))
        for task, name in zip(tasks, ("title", "sentence2"))
    ]
    assert [(one.text, one.text_b, one.votes) for one in found] == [
        ("放首歌", "来首歌", ("相同",)),
        ("放首歌", "关灯", ("0",)),
    ]
    assert [
        (one.text, one.text_b) for one in read_doccano("f", "id,text,b,label\n1,甲,乙,x\n", text_pair_column="b")
    ] == [("甲", "乙")]
    assert message({"text": "甲", "label": ["x"]}, text_pair_column="b") == (
        "f:1: no text_pair: expected the key 'b', got 'text', 'label'; give --text_pair_column"
    )
    assert message({"text": "甲", "b": 3}, text_pair_column="b").startswith("f:1: expected the text as a string, got 3")
    assert message(tasks[1]).endswith("give --text_column; for two texts a row --text_pair_column sentence2")
