"""tools/meta_train.py from end to end: its folder is evaluated, exported, takes a support set, and starts another task."""

from __future__ import annotations

import json

import pytest
from other_process import owner_of
from scripts import load_script

from prompt_kit.cli import train as train_cli
from prompt_kit.errors import ConfigError, DataError
from prompt_kit.inference.predictor import Predictor
from prompt_kit.locks import Lock, own_folder, try_lock
from prompt_kit.training.export.exporter import export_checkpoint
from prompt_kit.training.meta_learning import session
from prompt_kit.training.meta_learning.session import compare


@pytest.fixture(scope="module")
def tool():
    return load_script("tools/meta_train")


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    """A folder with two labels of its own and one that training has."""
    folder = tmp_path_factory.mktemp("unseen")
    (folder / "label.txt").write_text("culture==文化\nphone==手机\nsports==体育\n", encoding="utf-8")
    rows = [f"{'文化' if number % 2 else '手机'}{char}\t{'culture' if number % 2 else 'phone'}" for number, char in
            enumerate("一二三四五今天公司大涨")]  # fmt: skip
    (folder / "train.txt").write_text("\n".join([*rows, "比赛\tsports"]) + "\n", encoding="utf-8")
    return folder


def flags(tiny_folder, tiny_data, output, *more):
    return [
        "--model_name_or_path", str(tiny_folder), "--data_dir", str(tiny_data), "--output_dir", str(output),
        "--prompt", "这条新闻的主题是", "--max_seq_length", "32", "--ways", "2", "--shots", "1", "--queries", "1",
        "--steps", "4", *more,
    ]  # fmt: skip


def test_prototypes_from_training_to_a_support_set(tool, tiny_folder, tiny_data, unseen, tmp_path):
    folder = tmp_path / "meta"
    evaluation = [
        "--eval_data_dir",
        str(unseen),
        "--eval_shots",
        "2",
        "1",
        "--eval_queries",
        "2",
        "--eval_episodes",
        "30",
    ]
    tool.main(flags(tiny_folder, tiny_data, folder, *evaluation))
    results = json.loads((folder / "meta_results.json").read_text(encoding="utf-8"))
    assert list(results["evaluation"]) == ["1-shot", "2-shot"] and results["evaluation"]["1-shot"]["episodes"] == 30
    for one in results["evaluation"].values():
        assert one["difference"]["accuracy"] == pytest.approx(one["after"]["accuracy"] - one["before"]["accuracy"])
        assert one["before"]["accuracy"] > 0.6  # the words are in the texts
    export_checkpoint(folder, tmp_path / "export", states=True)
    predictor = Predictor(tmp_path / "export", device="cpu", num_threads=1)
    assert predictor.labels == ("car", "sports", "finance")
    found = predictor.predict(["手机", "文化"], support=[("文化", "culture"), ("手机", "phone")], only_support=True)
    assert [one.label for one in found] == ["phone", "culture"]


@pytest.mark.parametrize("algorithm, head", [("fomaml", "soft"), ("reptile", "cosine")])
def test_a_start_that_init_prompt_from_takes(tool, tiny_folder, tiny_data, unseen, tmp_path, capfd, algorithm, head):
    folder = tmp_path / "meta"
    evaluation = ["--eval_data_dir", str(unseen), "--eval_shots", "1", "--eval_queries", "2", "--eval_episodes", "3"]
    tool.main(
        flags(
            tiny_folder,
            tiny_data,
            folder,
            "--algorithm",
            algorithm,
            "--verbalizer",
            head,
            "--inner_steps",
            "2",
            *evaluation,
        )
    )
    assert (folder / "meta_results.json").is_file()
    train_cli.main(
        ["--do_train", "--max_steps", "1", "--verbalizer", head, "--init_prompt_from", str(folder), "--model_name_or_path",
         str(tiny_folder), "--data_dir", str(tiny_data), "--max_seq_length", "32", "--output_dir", str(tmp_path / "target"),
         "--report_to", "none"]
    )  # fmt: skip
    assert (tmp_path / "target" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    "more, told",
    [
        (["--ways", "1"], "--ways must be 2 to 1000, got 1"),
        (["--steps", "0"], "--steps must be 1 to 1000000"),
        (["--inner_learning_rate", "0"], "--inner_learning_rate must be above 0"),
        (["--seed", "-1"], "--seed must be 0 to 4294967295"),
        (["--eval_shots", "0"], "--eval_shots must be 1 or more"),
        (["--verbalizer", "soft"], "--verbalizer soft is for fomaml and reptile"),
        (["--output_dir", ""], "--output_dir is missing"),
        (["--algorithm", "fomaml", "--prompt", "{'text': 'text_a'}{'mask'}"], "the template has none"),
    ],
)
def test_mistakes(tool, tiny_folder, tiny_data, tmp_path, more, told):
    with pytest.raises(ConfigError, match=told):
        tool.main(flags(tiny_folder, tiny_data, tmp_path / "meta", *more))
    assert not (tmp_path / "meta").exists()


def test_what_is_there_is_not_written_over(tool, tiny_folder, tiny_data, tmp_path):
    (tmp_path / "mine").write_text("x", encoding="utf-8")
    for more in ([], ["--overwrite_output_dir"]):
        with pytest.raises(ConfigError, match="holds something already"):
            tool.main(flags(tiny_folder, tiny_data, tmp_path, *more))
    with pytest.raises(ConfigError, match="is a file"):
        tool.main(flags(tiny_folder, tiny_data, tmp_path / "mine"))
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "x"


def test_no_two_runs_in_one_folder(tool, tiny_data, tmp_path):
    folder = tmp_path / "out"
    with owner_of(folder):
        with pytest.raises(ConfigError, match=r"--output_dir .*out: another process is writing into .*out"):
            tool.main(flags("never looked at", tiny_data, folder, "--overwrite_output_dir"))
        assert not list(folder.iterdir())


def test_the_folder_is_its_own_until_the_result_is_written(tool, tiny_folder, tiny_data, tmp_path, monkeypatch):
    folder, seen = tmp_path / "out", []
    finish = session.Session.finish

    def finish_and_look(self, *results):
        finish(self, *results)
        seen.append(try_lock(folder))

    monkeypatch.setattr(session.Session, "finish", finish_and_look)
    tool.main(flags(tiny_folder, tiny_data, folder))
    assert seen == [Lock.TAKEN]
    with own_folder(folder):  # and it is free afterwards
        pass


def test_too_few_examples_are_told_before_a_model_is_loaded(tool, tiny_data, tmp_path):
    with pytest.raises(DataError, match=r"train.txt: 0 label\(s\) with 51 examples"):
        tool.main(flags("nowhere", tiny_data, tmp_path / "meta", "--shots", "50"))


def test_an_evaluation_folder_without_unseen_labels(tool, tiny_folder, tiny_data, tmp_path):
    with pytest.raises(DataError, match=r"--eval_data_dir .*: 0 label\(s\)"):
        tool.main(flags(tiny_folder, tiny_data, tmp_path / "meta", "--eval_data_dir", str(tiny_data)))


def test_comparison_by_hand():
    found = compare({"1-shot": [0.5, 0.5]}, {"1-shot": [0.6, 0.8]})["1-shot"]
    assert found["before"] == {"accuracy": 0.5, "interval": 0.0}
    assert found["difference"]["accuracy"] == pytest.approx(0.2)
    assert found["difference"]["interval"] == pytest.approx(1.96 * 0.1)
