"""Augmented lines: made by the seed, kept apart from dev and test, written, edited, read back, and trained on."""

from __future__ import annotations

import csv
import json

import pytest
from scripts import load_script
from tiny import EXAMPLES, LABELS, tiny_backbone, tiny_tokenizer

from prompt_kit.data.dataset import Dataset
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.training.augmentation.augment import (
    Variant,
    augment,
    make_variants,
    read_variants,
    without_near_duplicates,
    write_variants,
)
from prompt_kit.training.augmentation.variants import WordGuesser
from prompt_kit.training.pretraining.masked_lm import MaskedLanguageModel

LONG = [example for example in EXAMPLES if len(example.text_a) > 3]


@pytest.fixture(scope="module")
def guesser():
    return WordGuesser(MaskedLanguageModel(tiny_backbone(), tiny_tokenizer()), 30)


def test_each_line_has_its_variants(guesser):
    found = make_variants(LONG, LABELS, 2, 1, guesser)
    assert make_variants(LONG, LABELS, 2, 1, guesser) == found != make_variants(LONG, LABELS, 2, 2, guesser)
    label_of = {example.text_a: example.label for example in LONG}
    assert all(label_of[one.source] == one.label for one in found)
    texts = [one.text for one in found]
    assert len(set(texts)) == len(texts) and not set(texts) & set(label_of)
    assert {one.how for one in found} == {"guess", "swap", "delete"}
    assert [one.source for one in found] == sorted((one.source for one in found), key=list(label_of).index)
    assert len(LONG) < len(found) <= 2 * len(LONG)


def test_near_duplicates_of_what_it_is_judged_by_are_dropped():
    kept = Variant("汽车公司今天发布", "car", "swap", "今天汽车公司发布")
    near = Variant("球队比赛冠军今天", "sports", "delete", "球队比赛冠军")
    assert without_near_duplicates([kept, near], ["球队比赛冠军今天上"]) == [kept]


def test_test_txt_counts_though_it_is_not_read(tmp_path):
    (tmp_path / "label.txt").write_text("car==汽车\nsports==体育\nfinance==财经\n", encoding="utf-8")
    (tmp_path / "test.txt").write_text("汽车公司今天发布\n", encoding="utf-8")
    given = tmp_path / "given.tsv"
    write_variants(given, [Variant("汽车公司今天发布", "car", "", ""), Variant("比赛", "sports", "", "")])
    found = augment(Dataset(tmp_path, train=EXAMPLES[:2]), LABELS, 0, 0, tmp_path / "out", None, given=given)
    assert [example.text_a for example in found.train] == [*(one.text_a for one in EXAMPLES[:2]), "比赛"]
    assert given in found.files
    assert [one.text for one in read_variants(tmp_path / "out" / "augmented.tsv", LABELS.labels)] == ["比赛"]
    with pytest.raises(DataError, match="augmentation needs a train.txt"):
        augment(Dataset(tmp_path), LABELS, 0, 0, tmp_path / "out", None, given=given)


def test_a_file_is_read_as_it_was_written_and_as_it_was_edited(tmp_path):
    path = tmp_path / "augmented.tsv"
    variants = [Variant('"手机"上市', "finance", "swap", '上市"手机"'), Variant("球队", "sports", "guess", "体育")]
    write_variants(path, variants)
    assert path.read_text("utf-8").splitlines()[0] == "text\tlabel\thow\tsource"
    assert read_variants(path, LABELS.labels) == variants
    path.write_text("label\ttext\r\ncar\t汽车\r\n\r\n", encoding="utf-8")
    assert read_variants(path, LABELS.labels) == [Variant("汽车", "car", "", "")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("汽车\tcar\n", r":1: expected the columns text, label, how, source in the first line, got \['汽车', 'car'\]"),
        ("text\tlabel\n汽车\tcat\n", ":2: unknown label 'cat'; expected one of car, sports, finance"),
        ("text\tlabel\n汽车\tcar\textra\n", ":2: expected 2 columns with a text in it, got 3"),
        ("text\tlabel\n\tcar\n", ":2: expected 2 columns with a text in it"),
        ('text\tlabel\n"汽车\tcar\n公司\tcar\n', "begins with a single"),
        ("", "the file is empty"),
    ],
)
def test_mistakes_in_a_file(tmp_path, content, message):
    path = tmp_path / "edited.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_variants(path, LABELS.labels)


def test_by_train_py(tiny_folder, tiny_data, tmp_path):
    """Made, written, given back: the same run; and dev.txt is as long as it was."""
    common = [
        *"--do_train --do_eval --max_steps 4 --eval_steps 4 --device cpu --report_to none --max_seq_length 32".split(),
        *"--verbalizer soft --prompt 主题是 --num_shots 2".split(), "--model_name_or_path", str(tiny_folder),
    ]  # fmt: skip
    data = tmp_path / "data"
    data.mkdir()
    for name in ("label.txt", "train.txt"):
        (data / name).write_text((tiny_data / name).read_text("utf-8"), encoding="utf-8")
    (data / "dev.txt").write_text("一二三四五\tcar\n五四三二一\tsports\n", encoding="utf-8")
    train = load_script("train").main
    train([*common, "--data_dir", str(data), "--augment", "2", "--output_dir", str(tmp_path / "first")])
    path = tmp_path / "first" / "augmented.tsv"
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    results = json.loads((tmp_path / "first" / "all_results.json").read_text("utf-8"))
    assert results["augmented"] == len(rows) > 2
    train([*common, "--data_dir", str(data), "--augmented_file", str(path), "--output_dir", str(tmp_path / "second")])
    again = json.loads((tmp_path / "second" / "all_results.json").read_text("utf-8"))
    assert again["eval_loss"] == results["eval_loss"] and again["augmented"] == len(rows)
    train(
        [*common, "--data_dir", str(data), "--augment", "2", "--resume_from_checkpoint", str(tmp_path / "first"),
         "--output_dir", str(tmp_path / "first"), "--max_steps", "6"]
    )  # fmt: skip
    with pytest.raises(ValueError, match="train.txt has other texts or labels than when the run"):
        train(
            [*common, "--data_dir", str(data), "--resume_from_checkpoint", str(tmp_path / "first"),
             "--output_dir", str(tmp_path / "first"), "--max_steps", "8"]
        )  # fmt: skip


def test_contradictions():
    from prompt_kit.training.loop.command_line import parse_arguments

    for flags, message in (
        (["--augment", "2"], "--augment 2 is for training; add --do_train"),
        (["--do_train", "--augment", "-1"], "--augment must be 0 to 100, got -1"),
        (
            ["--do_train", "--augment", "1", "--augmented_file", "a"],
            "--augment 1 makes variants, --augmented_file a has them",
        ),
        (["--do_train", "--augment", "1", "--method", "rtd"], "--augment 1 needs a masked language model"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_arguments(flags)
