"""infer.py on a model that reads two texts."""

from __future__ import annotations

import csv
import io
import json

import pytest
from scripts import load_script
from toy_bundle import LABELS, VOCABULARY, write_toy_bundle

from prompt_kit import Predictor
from prompt_kit.data.dataset import Example
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.prompt.prompt_tokenizer import PromptTokenizer
from prompt_kit.prompt.template import Template
from prompt_kit.prompt.tokenization import Tokenizer

infer = load_script("infer")
PAIRS = [("球", "队"), ("车", "新"), ("新", "股票")]
TEMPLATE = "{'text': 'text_a'}{'sep'}{'text': 'text_b'}{'mask'}"


@pytest.fixture
def bundle(tmp_path):
    prompt = PromptTokenizer(Template.parse(TEMPLATE), Tokenizer.from_vocab(VOCABULARY), 16).to_config()
    return write_toy_bundle(tmp_path / "export", prompt=prompt)


@pytest.fixture
def run(bundle, capsys):
    def call(*arguments, folder=None):
        infer.main(["--model_path_prefix", str(folder or bundle), "--device", "cpu", *map(str, arguments)])
        return capsys.readouterr().out.splitlines()

    return call


@pytest.fixture
def expected(bundle):
    found = Predictor(bundle, device="cpu").predict([Example(a, text_b=b) for a, b in PAIRS])
    assert [one.label for one in found] == ["sports", "car", "finance"], "both texts are read"
    return [one.label for one in found]


def test_texts_and_their_pairs(run, expected):
    assert run("--text", *[a for a, _ in PAIRS], "--text_pair", *[b for _, b in PAIRS]) == expected


def test_lines_with_a_tab(run, expected, tmp_path, monkeypatch):
    (tmp_path / "data.txt").write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS), encoding="utf-8")
    assert run("--data_dir", tmp_path) == expected
    stream = io.TextIOWrapper(io.BytesIO((tmp_path / "data.txt").read_bytes()), encoding="utf-8")
    stream.isatty = lambda: False
    monkeypatch.setattr("sys.stdin", stream)
    assert run() == expected


def test_both_texts_are_in_the_output(run):
    assert json.loads(run("--text", "球", "--text_pair", "队", "--output_format", "jsonl")[0])["text_pair"] == "队"
    assert run("--text", "球", "--text_pair", "队", "--output_format", "tsv")[0].split("\t")[:3] == [
        "球",
        "队",
        "sports",
    ]


@pytest.mark.parametrize(
    "header, flags",
    [
        ("id,sentence1,sentence2", ()),
        ("id,text_a,text_b", ()),
        ("id,标题,摘要", ("--text_column", "标题", "--text_pair_column", "摘要")),
    ],
)
def test_a_table_of_two_columns(run, expected, tmp_path, header, flags):
    lines = [header, *(f"{n},{a},{b}" for n, (a, b) in enumerate(PAIRS))]
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run("--input_file", tmp_path / "in.csv", "--output_file", tmp_path / "out.csv", *flags)
    rows = list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8")))
    assert [row["predicted_label"] for row in rows] == expected and [row["id"] for row in rows] == ["0", "1", "2"]


def test_json_lines_of_two_fields(run, expected, tmp_path):
    records = [json.dumps({"text": a, "text_pair": b}, ensure_ascii=False) for a, b in PAIRS]
    (tmp_path / "in.jsonl").write_text("\n".join(records) + "\n", encoding="utf-8")
    found = [json.loads(line)["predicted_label"] for line in run("--input_file", tmp_path / "in.jsonl")]
    assert found == expected


def test_mistakes_are_named(run, tmp_path):
    with pytest.raises(ConfigError, match="this model reads two texts: give the second of each with --text_pair"):
        run("--text", "球")
    with pytest.raises(ConfigError, match="--text has 2 texts, but --text_pair 1"):
        run("--text", "球", "车", "--text_pair", "队")
    with pytest.raises(DataError, match="--text_pair: text 1 is empty"):
        run("--text", "球", "--text_pair", " ")
    (tmp_path / "data.txt").write_text("球\t队\n球\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"data.txt:2: 1 column\(s\) \('球'\), expected 2: text_a<TAB>text_b"):
        run("--data_dir", tmp_path)
    (tmp_path / "in.csv").write_text("text,label\n球,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="which column is the text"):
        run("--input_file", tmp_path / "in.csv")


def test_a_model_of_one_text_takes_no_second(run, tmp_path):
    one = write_toy_bundle(tmp_path / "one")
    with pytest.raises(ConfigError, match="--text_pair is for models that read two texts"):
        run("--text", "球", "--text_pair", "队", folder=one)
    (tmp_path / "in.csv").write_text("text,other\n球,队\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="--text_pair_column other is for models that read two texts"):
        run("--input_file", tmp_path / "in.csv", "--text_pair_column", "other", folder=one)


def test_the_longer_text_is_cut_first(bundle):
    tokenizer = Predictor(bundle, device="cpu").prompt_tokenizer
    reads = tokenizer.what_is_read([Example("球" * 20, text_b="车" * 3)])[0]
    assert [(one.field, one.stop - one.start, one.total) for one in reads] == [("text_a", 9, 20), ("text_b", 3, 3)]
    assert LABELS.labels == ("sports", "car", "finance")
