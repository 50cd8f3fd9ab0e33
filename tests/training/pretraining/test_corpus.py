"""Lines to train on: nothing that the model will be judged by, nothing twice, no labels."""

from __future__ import annotations

import gzip

import pytest
from files import write_lines

from prompt_kit.errors import ConfigError, DataError
from prompt_kit.training.pretraining.corpus import ExcludedTexts, default_exclusions, normalize, read_corpus, read_texts


def test_width_case_and_space_do_not_make_a_text_another_one():
    assert normalize("Ｕ盘 A4\u200b　纸！") == normalize("u盘a4纸!") == "u盘a4纸!"


def test_a_line_that_holds_an_excluded_text_is_excluded():
    excluded = ExcludedTexts(["今天股市大涨三个点", "汽车"])
    assert normalize("快讯：今天股市大涨 三个点，详情") in excluded
    assert normalize("今天股市大涨三个") not in excluded
    assert normalize("汽 车") in excluded
    assert normalize("汽车公司") not in excluded  # too short to be looked for inside a line


def test_labels_are_cut_off(tmp_path):
    write_lines(tmp_path / "label.txt", "car==汽车", "sports==体育")
    path = write_lines(tmp_path / "train.txt", "甲\t乙\tcar", "", "丙\t丁", "戊 \t sports")
    assert read_texts(path) == ["甲\t乙", "丙\t丁", "戊"]


def test_without_label_txt_every_line_must_have_a_tab(tmp_path):
    assert read_texts(write_lines(tmp_path / "a.txt", "甲\tx", "乙\ty")) == ["甲", "乙"]
    assert read_texts(write_lines(tmp_path / "b.txt", "甲\tx", "乙")) == ["甲\tx", "乙"]


def test_what_is_left_out_is_counted(tmp_path):
    first = write_lines(tmp_path / "a.txt", "今天 股市", "今天股市", "体育比赛", "汽车发布")
    second = gzip.compress("汽车发布！\n\n手机\nＵ盘\n".encode())
    (tmp_path / "b.txt.gz").write_bytes(second)
    banned = write_lines(tmp_path / "judge.txt", "u盘", "体育\u3000比赛")
    corpus = read_corpus([first, tmp_path / "b.txt.gz"], [banned], held_out=0)
    assert corpus.lines == ["今天 股市", "汽车发布", "汽车发布！", "手机"]
    assert (corpus.files, corpus.excluded_files) == ((("a.txt", 2), ("b.txt.gz", 2)), ("judge.txt",))
    assert (corpus.excluded, corpus.repeated, corpus.held_out) == (2, 1, [])


def test_held_out_lines_are_drawn_by_seed_and_text_alone(tmp_path):
    lines = [f"第{i}条新闻" for i in range(40)]
    one = read_corpus([write_lines(tmp_path / "a.txt", *lines)], held_out=0.1)
    other = read_corpus([write_lines(tmp_path / "b.txt", *reversed(lines))], held_out=0.1)
    assert len(one.held_out) == 4 and len(one.lines) == 36
    assert set(one.held_out) == set(other.held_out)
    assert not set(one.held_out) & set(one.lines)
    assert one.fingerprint != other.fingerprint
    assert set(read_corpus([tmp_path / "a.txt"], held_out=0.1, seed=7).held_out) != set(one.held_out)


def test_lines_of_the_eval_file_are_not_trained_on(tmp_path):
    train = write_lines(tmp_path / "a.txt", "甲甲", "乙乙")
    corpus = read_corpus([train], eval_file=write_lines(tmp_path / "e.txt", "乙 乙", "丙"))
    assert (corpus.lines, corpus.held_out) == (["甲甲"], ["乙 乙", "丙"])


def test_dev_and_test_beside_the_train_files(tiny_data):
    names = [path.name for path in default_exclusions([tiny_data / "train.txt", tiny_data / "data.txt"])]
    assert names == ["dev.txt", "test.txt"]
    with pytest.raises(DataError, match="no line is left to train on: 8 are among the excluded texts"):
        read_corpus([tiny_data / "data.txt"], [tiny_data / "dev.txt"])  # the same texts
    with pytest.raises(ConfigError, match="dev.txt: no line of it may be trained on"):
        read_corpus([tiny_data / "dev.txt"], default_exclusions([tiny_data / "dev.txt"]))


@pytest.mark.parametrize("folder", ["data/tnews", "fewclue/tnews"])
def test_no_dev_or_test_text_is_trained_on(root, request, folder):
    """With an own reading of the files, and comparing what is left of a text when only its letters count."""
    place = root / folder if folder.startswith("data") else request.getfixturevalue("shared") / folder
    train = [place / "data.txt", place / "train.txt"]
    corpus = read_corpus(train, default_exclusions(train))

    def letters(text):
        return "".join(c for c in text.casefold() if c.isalnum())

    judged = set()
    for name in ("dev.txt", "test.txt"):
        for line in (place / name).read_text("utf-8").splitlines():
            judged.add(letters(line.split("\t")[0]))
    used = {letters(line) for line in [*corpus.lines, *corpus.held_out]}
    assert len(judged) > 100 and len(used) > 200
    assert not judged & used
    assert not any("news_" in line for line in corpus.lines)


def test_a_cut_off_gzip_file(tmp_path):
    whole = gzip.compress("一\n".encode() * 5000)
    (tmp_path / "a.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="a.gz: not a whole gzip file"):
        read_texts(tmp_path / "a.gz")
    write_lines(tmp_path / "b.gz", "text")
    with pytest.raises(DataError, match="b.gz: not a whole gzip file"):
        read_texts(tmp_path / "b.gz")
