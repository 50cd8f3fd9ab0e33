"""Data files -> Examples. Every mistake is a DataError with file:line."""

from __future__ import annotations

import io
import logging
import pickle
from functools import partial

import pytest
from files import write
from refusals import refusal

from prompt_kit.data.dataset import (
    Example,
    fingerprint,
    iter_texts,
    read_dataset,
    read_examples,
    read_texts,
    sample_few_shot,
)
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.prompt.verbalizer import Verbalizer

LABELS = ("news_car", "news_house", "news_edu")
message = partial(refusal, DataError)


# --- read_examples ---


def test_a_tab_separates_text_from_label(tmp_path):
    path = write(tmp_path / "train.txt", "一 二\tnews_car\r\n 三 \t news_edu \n")
    assert read_examples(path, LABELS) == [Example("一 二", "news_car"), Example("三", "news_edu")]


def test_line_ends_of_old_macs_are_an_error(tmp_path):
    """Read as one line, eight examples would become one."""
    path = write(tmp_path / "train.txt", "一\tnews_car\r二\tnews_edu\r")
    found = message(read_examples, path, LABELS)
    assert found.startswith(f"{path}:1: a carriage return inside the line") and "tr '\\r' '\\n'" in found


def test_special_tokens_and_odd_line_separators_are_text(tmp_path):
    path = write(tmp_path / "train.txt", "[MASK]前\u2028后\tnews_car\n")
    assert read_examples(path, LABELS) == [Example("[MASK]前\u2028后", "news_car")]


def test_unlabelled_file(tmp_path):
    path = write(tmp_path / "test.txt", "一\n二\t三\n")
    assert read_examples(path, LABELS) == [Example("一"), Example("二\t三")]
    assert read_examples(path, None) == [Example("一"), Example("二\t三")]


def test_without_labels_to_expect_every_tab_is_text(tmp_path):
    assert read_examples(write(tmp_path / "a.txt", "一\tnews_car\n"), None) == [Example("一\tnews_car")]


def test_a_file_with_a_tab_on_every_line_is_taken_for_labelled(tmp_path):
    path = write(tmp_path / "test.txt", "一\tcar\n二\thouse\n")
    assert message(read_examples, path, LABELS).startswith(f"{path}:1: unknown label 'car'")


def test_empty_text(tmp_path):
    path = write(tmp_path / "train.txt", "一\tnews_car\n \tnews_edu\n")
    assert message(read_examples, path, LABELS) == (
        f"{path}:2: empty text before the tab, expected text<TAB>label; got label 'news_edu'"
    )


def test_empty_label(tmp_path):
    path = write(tmp_path / "train.txt", "一\tnews_car\n二\t\n")
    assert message(read_examples, path, LABELS).startswith(f"{path}:2: no label after the tab; expected one of the 3")


def test_labelled_and_unlabelled_lines_mixed(tmp_path):
    path = write(tmp_path / "test.txt", "一\n二\tnews_car\n三\n")
    assert message(read_examples, path, LABELS) == (
        f"{path}:1: no label, but line 2 has one; label every line (text<TAB>label) or none of them"
    )


def test_examples_can_be_hashed_and_pickled():
    example = Example("一", "news_car", "二")
    assert pickle.loads(pickle.dumps(example)) == example  # noqa: S301
    assert len({example, Example("一", "news_car", "二")}) == 1


# --- texts ---


def test_texts_of_a_file_and_of_a_stream(tmp_path):
    path = write(tmp_path / "data.txt", " 一\t二 \n三\n")
    assert read_texts(path) == ["一\t二", "三"]
    with open(path, "rb") as stream:
        assert list(iter_texts(stream, str(path))) == ["一\t二", "三"]


def test_errors_of_a_stream_carry_its_name():
    assert message(list, iter_texts(io.BytesIO(b"a\n\xb9\n"))).startswith("<stdin>:2: not UTF-8: byte 0xb9")
    assert message(list, iter_texts(io.StringIO(""), "pipe")).startswith("pipe: the file is empty")


# --- read_dataset ---


@pytest.fixture
def verbalizer():
    return Verbalizer.from_lines(["news_car==汽车", "news_house==房产", "news_edu==教育"])


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "train.txt", "一\tnews_car\n二\tnews_house\n三\tnews_edu\n")
    write(tmp_path / "dev.txt", "四\tnews_car\n")
    return tmp_path


def test_dataset_without_optional_files(folder, verbalizer):
    dataset = read_dataset(folder, verbalizer)
    assert [example.text_a for example in dataset.train] == ["一", "二", "三"]
    assert dataset.dev == [Example("四", "news_car")]
    assert dataset.test is None and dataset.unlabelled is None
    assert dataset.files == (folder / "train.txt", folder / "dev.txt")


def test_dataset_with_everything(folder, verbalizer):
    write(folder / "test.txt", "五\n")
    write(folder / "data.txt", "六\tx\n七\n")
    dataset = read_dataset(str(folder), verbalizer)
    assert dataset.test == [Example("五")] and dataset.unlabelled == ["六\tx", "七"]
    assert [path.name for path in dataset.files] == ["train.txt", "dev.txt", "test.txt", "data.txt"]


def test_only_the_files_asked_for_are_read(folder, verbalizer):
    (folder / "train.txt").unlink()
    write(folder / "data.txt", "\n\n")
    dataset = read_dataset(folder, verbalizer, splits=("dev",))
    assert dataset.train is None and dataset.files == (folder / "dev.txt",)


def test_required_file_that_is_not_there(folder, verbalizer):
    (folder / "dev.txt").unlink()
    assert message(read_dataset, folder, verbalizer).startswith(f"{folder / 'dev.txt'}: no such file: ")
    found = message(read_dataset, folder, verbalizer, splits=("test",), optional=())
    assert found.startswith(f"{folder / 'test.txt'}: no such file: ")


def test_dev_must_be_labelled(folder, verbalizer):
    write(folder / "dev.txt", "一\n")
    assert message(read_dataset, folder, verbalizer).startswith(f"{folder / 'dev.txt'}:1: no tab")


def test_folder_that_is_not_there(tmp_path, verbalizer, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message(read_dataset, "data", verbalizer) == (
        f"data: expected a folder with label.txt, train.txt and dev.txt, but {tmp_path / 'data'} is not there"
    )
    write(tmp_path / "data", "x")
    assert message(read_dataset, "data", verbalizer).endswith("is a file")


def test_unknown_split(folder, verbalizer):
    found = refusal(ConfigError, read_dataset, folder, verbalizer, splits=("train", "valid"))
    assert found == "unknown split 'valid', expected some of train, dev, test, data"


def test_a_class_without_examples_is_a_warning(folder, verbalizer, caplog):
    write(folder / "train.txt", "一\tnews_house\n")
    with caplog.at_level(logging.WARNING):
        read_dataset(folder, verbalizer, splits=("train",))
    assert caplog.messages == [f"{folder / 'train.txt'}: no example of 2 label(s): news_car, news_edu"]


# --- sample_few_shot ---

POOL = [Example(f"{label} {number}", label) for number in range(20) for label in LABELS]


def test_sample_has_k_of_every_class_in_file_order():
    sample = sample_few_shot(POOL, 4, seed=1)
    assert [sum(example.label == label for example in sample) for label in LABELS] == [4, 4, 4]
    places = [POOL.index(example) for example in sample]
    assert places == sorted(set(places))


def test_sample_is_reproducible_and_depends_on_the_seed():
    assert sample_few_shot(POOL, 4, seed=1) == sample_few_shot(POOL, 4, seed=1)
    assert sample_few_shot(POOL, 4, seed=1) != sample_few_shot(POOL, 4, seed=2)


def test_sample_is_the_same_in_every_python():
    numbers = [int(example.text_a.split()[1]) for example in sample_few_shot(POOL, 3, seed=7, labels=LABELS)]
    assert numbers == [0, 6, 6, 9, 10, 10, 11, 12, 15]


def test_fewer_shots_are_among_more_shots():
    assert set(sample_few_shot(POOL, 2, seed=3)) < set(sample_few_shot(POOL, 8, seed=3))


def test_a_class_keeps_its_sample_when_another_changes():
    cars = [example for example in POOL if example.label == "news_car"]
    assert sample_few_shot(cars, 4, seed=5) == [e for e in sample_few_shot(POOL, 4, seed=5) if e.label == "news_car"]


def test_too_few_examples():
    pool = POOL[:7]  # 3 news_car, 2 news_house, 2 news_edu
    assert message(sample_few_shot, pool, 3, seed=0) == (
        "3 shots a class were asked for, but too few for news_house (2), news_edu (2); use fewer shots"
    )
    found = message(sample_few_shot, POOL, 3, seed=0, labels=(*LABELS, "news_game"))
    assert found == "3 shots a class were asked for, but too few for news_game (0); use fewer shots"


def test_sampling_needs_labels_and_a_positive_number():
    assert message(sample_few_shot, [Example("一")], 1, seed=0).startswith("example 1 has no label ('一')")
    assert refusal(ConfigError, sample_few_shot, POOL, 0, seed=0) == "shots must be at least 1, got 0"


# --- fingerprint ---


def test_fingerprint_is_of_names_and_bytes_only(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        write(folder / "train.txt", "一\tnews_car\n")
        write(folder / "dev.txt", "二\tnews_car\n")
    first = fingerprint([one / "train.txt", one / "dev.txt"])
    assert len(first) == 16 and int(first, 16) >= 0
    assert first == fingerprint([two / "dev.txt", str(two / "train.txt")])
    write(two / "dev.txt", "二\tnews_edu\n")
    assert first != fingerprint([two / "train.txt", two / "dev.txt"])
    assert first != fingerprint([one / "train.txt"])


def test_fingerprint_sees_contents_swapped_between_files(tmp_path):
    paths = [write(tmp_path / "train.txt", "a"), write(tmp_path / "dev.txt", "b")]
    before = fingerprint(paths)
    write(paths[0], "b")
    write(paths[1], "a")
    assert fingerprint(paths) != before


def test_fingerprint_of_a_missing_file(tmp_path):
    path = tmp_path / "train.txt"
    assert message(fingerprint, [path]) == f"{path}: cannot be read (No such file or directory): {path}"


# --- real data, where it is there ---


def test_fewclue_tnews(shared):
    folder = shared / "fewclue" / "tnews"
    if not folder.is_dir():
        pytest.skip("needs FewCLUE tnews")
    dataset = read_dataset(folder, Verbalizer.from_file(folder / "label.txt"))
    counts = [len(part) for part in (dataset.train, dataset.dev, dataset.test, dataset.unlabelled)]
    assert counts == [240, 240, 2010, 1500]
    assert all(example.label for example in dataset.test)


@pytest.mark.parametrize("end", ["", "\t", " \t "])
def test_a_labelled_data_file_is_refused(tmp_path, end):
    """Calibration and self-training would read the labels as text."""
    (tmp_path / "data.txt").write_text(f"球队\n杯子裂了\tb{end}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"data.txt:2: ends with the label 'b', expected texts alone"):
        read_dataset(tmp_path, Verbalizer.from_lines(["a", "b"]), ["data"])
    assert read_texts(tmp_path / "data.txt") == ["球队", "杯子裂了\tb"]  # nobody knows the labels


@pytest.mark.parametrize("text", ["\u200b", "\x00\x01", "\ufffd"])
def test_a_text_that_shows_nothing_is_empty(tmp_path, text):
    path = write(tmp_path / "train.txt", f"一\ta\n{text}\ta\n")
    assert "train.txt:2: empty text before the tab" in message(read_examples, path, ("a", "b"), require_labels=True)


def test_paths_that_no_system_takes(tmp_path, verbalizer):
    (tmp_path / "loop").symlink_to("loop")
    for folder in (tmp_path / ("x" * 300), tmp_path / "loop"):
        assert "expected a folder with label.txt" in message(read_dataset, folder, verbalizer)
    assert "File name too long" in message(read_texts, tmp_path / ("x" * 300))
    assert "symbolic links" in message(read_texts, tmp_path / "loop")
    for name in ("train.txt", "dev.txt"):
        write(tmp_path / name, "一\tnews_car\n")
    (tmp_path / "test.txt").symlink_to("test.txt")  # there, but not to be read: not passed over as if it were absent
    assert "symbolic links" in message(read_dataset, tmp_path, verbalizer)


def test_the_public_names(tmp_path):
    import prompt_kit.data

    (tmp_path / "dev.txt").write_text("今天汽车发布\tcar\n", encoding="utf-8")
    data = prompt_kit.data.read_dataset(tmp_path, Verbalizer.from_lines(["car==汽车", "sports==体育"]), ["dev"])
    assert isinstance(data, prompt_kit.data.Dataset) and data.dev == [prompt_kit.data.Example("今天汽车发布", "car")]
    assert data.train is None and data.test is None and data.unlabelled is None
