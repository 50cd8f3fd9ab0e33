"""Drawing episodes, scoring them, and reading folders of tasks."""

from __future__ import annotations

import numpy as np
import pytest

from prompt_kit.errors import DataError
from prompt_kit.training.meta_learning.episodes import (
    EpisodeSource,
    Size,
    centroid_accuracy,
    draw_many,
    mean_interval,
)
from prompt_kit.training.meta_learning.tasks import read_tasks, without_labels_of

LABELS = [0] * 6 + [1] * 6 + [2] * 6 + [3] * 2


def write(folder, labels, lines):
    folder.mkdir(parents=True)
    (folder / "label.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    (folder / "train.txt").write_text("\n".join("\t".join(line) for line in lines) + "\n", encoding="utf-8")
    return str(folder)


def test_an_episode_has_different_examples_of_different_labels():
    source, rng = EpisodeSource(LABELS, "here"), np.random.default_rng(0)
    for _ in range(50):
        episode = source.draw(Size(2, 2, 3), rng)
        assert episode.support.shape == (2, 2) and episode.query.shape == (2, 3)
        places = np.concatenate([episode.support, episode.query], axis=1)
        assert len(set(places.ravel())) == places.size
        assert (np.array(LABELS)[places] == episode.labels[:, None]).all()
        assert len(set(episode.labels)) == 2 and 3 not in episode.labels  # too few examples


def test_every_usable_label_is_drawn_about_as_often():
    source = EpisodeSource(LABELS, "here")
    counts = np.bincount(
        [label for one in draw_many(source, Size(2, 1, 1), 3000, 0) for label in one.labels], minlength=4
    )
    assert counts == pytest.approx([1500] * 4, abs=150)


def test_as_many_ways_as_there_are_labels():
    assert len(EpisodeSource(LABELS, "here").draw(Size(9, 2, 2), np.random.default_rng(0)).labels) == 3


def test_the_seed_decides():
    source = EpisodeSource(LABELS, "here")
    first, again, other = ([one.support.tolist() for one in draw_many(source, Size(2, 1, 1), 5, s)] for s in (0, 0, 1))
    assert first == again != other


def test_too_few_examples():
    with pytest.raises(DataError, match=r"here: 1 label\(s\) with 3 examples.*2 shots and 1 queries"):
        EpisodeSource([0, 0, 0, 1, 1], "here").draw(Size(2, 2, 1), np.random.default_rng(0))


def test_accuracy_by_hand():
    states = np.array([[1, 0], [0, 1], [0.8, 0.6], [0.6, 0.8], [-1, 0]], "float32")
    source = EpisodeSource([0, 1, 0, 0, 1], "here")
    for episode in draw_many(source, Size(2, 1, 1), 20, 0):
        support, query = states[episode.support[:, 0]], states[episode.query[:, 0]]
        expected = np.mean([(query[n] @ support.T).argmax() == n for n in range(2)])
        assert centroid_accuracy(states, episode) == expected


def test_more_shots_are_averaged():
    """The query is nearer to the other label's examples one by one than to their mean."""
    half = np.sqrt(0.5)
    states = np.array([[1, 0], [0, 1], [half, half], [0, 1], [1, 0], [0.8, 0.6]])
    (episode,) = draw_many(EpisodeSource([0, 0, 0, 1, 1, 1], "here"), Size(2, 2, 1), 1, 3)
    sums = states[episode.support].sum(axis=1)
    centers = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    expected = np.mean([(states[episode.query[n, 0]] @ centers.T).argmax() == n for n in range(2)])
    assert centroid_accuracy(states, episode) == expected


def test_interval_by_hand():
    mean, half = mean_interval([0.2, 0.4, 0.6])
    assert mean == pytest.approx(0.4) and half == pytest.approx(1.96 * 0.2 / np.sqrt(3))
    assert np.isnan(mean_interval([0.5])[1])


def test_folders_and_folders_of_folders_share_one_list_of_labels(tmp_path):
    write(tmp_path / "many" / "b", ["good==好", "bad==坏"], [("甲", "good"), ("乙", "bad")])
    write(tmp_path / "many" / "a", ["good==佳", "odd==怪"], [("丙", "odd")])
    one = write(tmp_path / "one", ["car==汽车", "sport==体育"], [("丁", "sport")])
    tasks = read_tasks([str(tmp_path / "many"), one])
    assert tasks.verbalizer.labels == ("a/good", "odd", "b/good", "bad", "car", "sport")
    assert tasks.verbalizer.words[0] == ("佳",)
    assert [[one.text_a for one in part.examples] for part in tasks.parts] == [["丙"], ["甲", "乙"], ["丁"]]
    assert [part.labels for part in tasks.parts] == [(1,), (2, 3), (5,)]


def test_labels_that_training_has_are_left_out_of_the_evaluation(tmp_path):
    trained = read_tasks([write(tmp_path / "a", ["finance==财经", "sport==体育,运动"], [("丁", "sport")])]).verbalizer
    folder = write(
        tmp_path / "b", ["sport==球", "运动==跑", "money==财经", "car==汽车"], [("甲", "sport"), ("乙", "car")]
    )
    tasks, left = without_labels_of(read_tasks([folder]), trained)
    assert left == ["sport", "运动", "money"]
    assert [one.text_a for one in tasks.parts[0].examples] == ["乙"] and tasks.parts[0].labels == (3,)


def test_a_folder_without_tasks(tmp_path):
    with pytest.raises(DataError, match="expected a folder with label.txt and train.txt, or with such folders in it"):
        read_tasks([str(tmp_path)])


def test_folders_of_one_name_with_labels_of_one_name(tmp_path):
    folders = [write(tmp_path / at / "same", ["a==甲", "b==乙"], [("甲", "a")]) for at in "xy"]
    with pytest.raises(DataError, match="two folders of one name have a label of one name"):
        read_tasks(folders)
