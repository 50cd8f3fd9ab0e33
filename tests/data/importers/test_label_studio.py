"""Label Studio's four files of one project, three of them written by its own converter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompt_kit.data.importers.importer import Settings, import_data
from prompt_kit.data.importers.label_studio import read_label_studio
from prompt_kit.errors import ConfigError, DataError

EXPORTS = Path(__file__).parent / "exports" / "label_studio"
EXPECTED = [
    "主场三分绝杀，球队豪取五连胜\t体育",  # 体育, 体育, 汽车
    '新车上市，"百公里"油耗6升\t汽车',
    "央行降息, 股市 大涨\t财经",
    "车企财报超预期\t财经",  # one chose both 汽车 and 财经, the other 财经
    "电动车降价三万\t汽车",  # the other annotator skipped it
    "欧冠决赛点球大战\t体育",
]


def task(text="甲", *answers, **data):
    annotations = []
    for answer in answers:
        choices, extra = answer if isinstance(answer, tuple) else (answer, {})
        result = [{"from_name": "topic", "to_name": "text", "type": "choices", "value": {"choices": choices}}]
        annotations.append({"result": result if choices else [], "was_cancelled": False, **extra})
    return {"id": 1, "data": {"text": text, **data}, "annotations": annotations}


def read(value, **flags):
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return [(one.text, one.votes, one.skipped) for one in read_label_studio("f", text, **flags)]


@pytest.mark.parametrize("name", ["project.json", "json_min.json", "result.csv", "result.tsv"])
def test_each_file_of_a_project_makes_the_same_examples(name):
    imported = import_data("label-studio", [str(EXPORTS / name)], Settings(shares=(1.0,)))
    assert imported.files["train.txt"] == EXPECTED
    assert imported.files["label.txt"] == ["体育", "汽车", "财经"]
    assert imported.files["data.txt"] == ["这条没有人标"]
    told = "; ".join(imported.notes)
    assert "texts decided by the majority: 2; texts left out because their votes tie: 1" in told
    assert ("skipped tasks left out: 1" in told) == (name == "project.json")  # the others do not have them


def test_ground_truth_overrules():
    assert read([task("甲", ["体育"], ["体育"], (["汽车"], {"ground_truth": True}))]) == [("甲", ("汽车",), False)]


def test_before_1_0():
    result = task("甲", ["体育"])["annotations"][0]["result"]
    old = {"id": 1, "data": {"text": "甲"}, "completions": [{"result": result}, {"skipped": True}]}
    assert read([old]) == [("甲", ("体育",), False)]
    old["completions"] = [{"skipped": True, "result": []}]
    assert read([old, task("乙", ["体育"])]) == [("甲", (), True), ("乙", ("体育",), False)]


def test_predictions_and_drafts_are_no_answers():
    one = {**task("甲"), "predictions": task("甲", ["体育"])["annotations"]}
    assert read([one]) == [("甲", (), False)]


def test_which_data_is_the_text():
    one = task("甲", ["体育"])
    one["data"] = {"headline": "甲", "rank": 3}
    assert read([one]) == [("甲", ("体育",), False)]
    one["data"] = {"headline": "甲", "url": "x"}
    with pytest.raises(DataError, match="f:1: which of the task's data is the text. It has 'headline', 'url'; give"):
        read([one])
    assert read([one], text_column="headline") == [("甲", ("体育",), False)]


def test_several_questions_need_a_name():
    one = task("甲", ["体育"])
    second = {"from_name": "tone", "to_name": "text", "type": "choices", "value": {"choices": ["好"]}}
    one["annotations"][0]["result"].append(second)
    with pytest.raises(ConfigError, match="several questions were answered .'topic', 'tone'.; give --label_column"):
        read([one])
    assert read([one], label_column="tone") == [("甲", ("好",), False)]


def test_choices_about_parts_of_a_text_are_not_about_the_text():
    one = task("甲乙", ["体育"])
    one["annotations"][0]["result"][0]["value"] = {"start": 0, "end": 1, "text": "甲", "choices": ["体育"]}
    with pytest.raises(DataError, match="f:1: no choices for a whole text, only 'choices'; label texts with <Choices>"):
        read([one])
    spans = {"from_name": "l", "to_name": "text", "type": "labels", "value": {"start": 0, "end": 1, "labels": ["PER"]}}
    one["annotations"][0]["result"] = [spans]
    with pytest.raises(DataError, match="f:1: no choices for a whole text, only 'labels'"):
        read([one])


def test_json_min_with_another_column():
    rows = [{"text": "甲", "topic": "体育", "source": "网页", "id": 1}]
    with pytest.raises(DataError, match="f:1: which column has the choices. It may be one of 'topic', 'source'"):
        read(rows)
    assert read(rows, label_column="topic") == [("甲", ("体育",), False)]
    with pytest.raises(DataError, match="f:1: expected a choice, got 5"):
        read([{"text": "甲", "topic": [5]}])


def test_cells_with_json():
    table = 'text,topic\n甲,"{""choices"": [""体育"", ""汽车""]}"\n乙,[官方]\n'
    assert read(table) == [("甲", ("体育", "汽车"), False), ("乙", ("[官方]",), False)]


def test_a_cut_file():
    with pytest.raises(DataError, match="f:1: not JSON"):
        read(json.dumps([task("甲", ["体育"])])[:-20])


def test_two_texts_of_a_task():
    """A task with <Text> for each of two texts, in the four files that Label Studio writes of it."""
    whole = task("甲", ["相同"])
    whole["data"] = {"text1": "甲", "text2": "乙"}
    minimal = [{"id": 1, "text1": "甲", "text2": "乙", "topic": "相同", "annotator": 1, "annotation_id": 1}]
    table = "annotation_id,annotator,id,text1,text2,topic\n1,1,1,甲,乙,相同\n"
    for text in (json.dumps([whole]), json.dumps(minimal), table, table.replace(",", "\t")):
        (record,) = read_label_studio("f", text, text_pair_column="text2")
        assert (record.text, record.text_b, record.votes) == ("甲", "乙", ("相同",))
    with pytest.raises(DataError, match="--text_column NAME; for two texts a row --text_pair_column text2$"):
        read([whole])
    with pytest.raises(DataError, match="It has 'text1', 'text2'; give --text_pair_column NAME$"):
        read([whole], text_pair_column="text3")
