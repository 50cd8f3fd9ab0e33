"""The output_dir of a run: nothing in it is lost, no other process works in it, and mistakes are told before the work."""

from __future__ import annotations

import shutil

import pytest
from other_process import owner_of
from refusals import refusal
from runs import contents, names
from train_script import SHORT, read

from prompt_kit.errors import (
    BundleError,
    ConfigError,
    DependencyError,
    PromptKitError,
)
from prompt_kit.training.export import export_folder
from prompt_kit.training.loop.output_folder import clear


@pytest.mark.parametrize("step", ["--do_eval", "--do_predict", "--do_eval --overwrite_output_dir"])
def test_zero_shot_refuses_the_folder_of_a_trained_model(train, finished, step):
    before = read(finished / "all_results.json")
    message = refusal(ConfigError, train, f"{step} --output_dir {finished}")
    assert str(finished) in message and "zero-shot" in message and "--resume_from_checkpoint" in message
    assert read(finished / "all_results.json") == before


def test_a_finished_folder_is_not_trained_into(train, finished):
    before = contents(finished)
    message = refusal(ConfigError, train, f"{SHORT} --output_dir {finished}")
    assert "--overwrite_output_dir" in message and "finished" in message and "--resume_from_checkpoint" in message
    assert contents(finished) == before


def test_an_unfinished_folder_is_not_trained_into(train, finished):
    (finished / "prompt_config.json").unlink()
    before = contents(finished)
    assert "unfinished" in refusal(ConfigError, train, f"{SHORT} --output_dir {finished}")
    assert contents(finished) == before


@pytest.mark.parametrize("overwrite", ["", "--overwrite_output_dir"])
def test_a_language_model_is_not_written_over(train, tiny_folder, tmp_path, overwrite):
    model = shutil.copytree(tiny_folder, tmp_path / "model")
    before = contents(model)
    message = refusal(ConfigError, train, f"{SHORT} --output_dir {model} {overwrite}", model=model)
    assert "is no run of train.py (model.safetensors, config.json)" in message and "choose another folder" in message
    assert contents(model) == before


def test_overwriting_clears_all_of_the_old_run(train, finished):
    (finished / "export").mkdir()
    (finished / "report").mkdir()
    (finished / "report" / "report.html").write_text("of the old run", encoding="utf-8")
    (finished / "mine.txt").write_text("not train.py's", encoding="utf-8")
    train(f"{SHORT} --overwrite_output_dir --output_dir {finished}")
    assert names(finished) == [
        "README.md", "all_results.json", "config.json", "mine.txt", "model.safetensors", "prompt_config.json",
        "tokenizer.json", "train_results.json", "trainer_state.json",
    ]  # fmt: skip
    everything = read(finished / "all_results.json")
    assert everything["seed"] == 42 and "eval_accuracy" not in everything and "test_accuracy" not in everything


def test_a_mistake_overwrites_nothing(train, finished, tmp_path):
    before = contents(finished)
    for flags, options in (
        ("--gradient_accumulation_steps 100", {}),
        ("--freeze_plm --verbalizer manual --prompt {'text':'text_a'}{'mask'}", {}),
        ("", dict(data=tmp_path / "absent")),
        ("", dict(model=tmp_path / "absent")),
    ):
        refusal(PromptKitError, train, f"{SHORT} {flags} --overwrite_output_dir --output_dir {finished}", **options)
        assert contents(finished) == before


def test_another_runs_folder_is_not_written_to(train, resume, finished, finished_once):
    before = contents(finished)
    for flags in ("--do_predict", "--do_train --max_steps 3"):
        message = refusal(
            ConfigError, resume, f"{flags} --resume_from_checkpoint {finished_once} --output_dir {finished}"
        )
        assert "another run" in message and str(finished_once) in message and str(finished) in message
        assert contents(finished) == before


def test_two_processes_do_not_work_in_one_folder(train, resume, finished, tmp_path):
    """The second is told before it loads anything, and touches nothing; when the first is killed, the folder is free."""
    before = names(finished)
    with owner_of(finished) as process:
        for flags in (
            f"{SHORT} --overwrite_output_dir",
            "--do_eval",
            f"--do_train --resume_from_checkpoint {finished}",
        ):
            message = refusal(ConfigError, train, f"{flags} --output_dir {finished}", model="never looked at")
            assert "another process is writing" in message and str(finished) in message
        assert names(finished) == before
        process.kill()
        process.wait()
        resume(f"--do_eval --output_dir {finished} --resume_from_checkpoint {finished}")
    with owner_of(tmp_path / "out"):
        assert "another process" in refusal(ConfigError, train, f"{SHORT} --output_dir {tmp_path / 'out'}")
    assert names(tmp_path / "out") == []


def test_what_killed_runs_left_is_gone_at_the_next_start(resume, finished):
    state = finished / "checkpoint-2" / "trainer_state.json"
    (finished / ".old-checkpoint-2-abcdefgh").mkdir()
    (finished / "checkpoint-2").rename(finished / ".old-checkpoint-2-abcdefgh" / "checkpoint-2")  # between two renames
    for place in (".staging-checkpoint-3-abcdefgh", ".staging-abcdefgh", "checkpoint-1/.staging-abcdefgh"):
        (finished / place).mkdir()
        (finished / place / "model.safetensors").write_bytes(b"half")
    (finished / ".staging-all_results.json-abcdefgh").write_text("{", encoding="utf-8")
    resume(f"--do_eval --output_dir {finished} --resume_from_checkpoint {finished}")
    left = [path.relative_to(finished) for path in finished.rglob(".*")]
    assert left == [] and read(state)["global_step"] == 2


@pytest.mark.parametrize(
    ("steps", "name", "kind"),
    [
        (SHORT, "model.safetensors", "folder"),
        (SHORT, "all_results.json", "folder"),
        ("--do_eval", "eval_results.json", "folder"),
        ("--do_predict", "test_predictions.tsv", "folder"),
        (SHORT, "checkpoint-2", "file"),
        (SHORT, "generation-0", "file"),
        ("--do_train --do_export", "export", "file"),
    ],
)
def test_an_output_whose_place_is_taken_is_told_before_the_work(train, tmp_path, steps, name, kind):
    place = tmp_path / "out" / name
    place.mkdir(parents=True) if kind == "folder" else (
        place.parent.mkdir(),
        place.write_text("mine", encoding="utf-8"),
    )
    message = refusal(PromptKitError, train, f"{steps} --output_dir {tmp_path / 'out'}", model="never looked at")
    assert f"{place} is a {kind}" in message and names(tmp_path / "out") == [name]


@pytest.mark.parametrize("flags", ["", " --overwrite_output_dir"])
def test_foreign_files_in_the_exports_folder_are_told_before_the_work(train, tmp_path, flags):
    (tmp_path / "out" / "export").mkdir(parents=True)
    (tmp_path / "out" / "export" / "thesis.doc").write_text("mine", encoding="utf-8")
    command = f"{SHORT} --do_export{flags} --output_dir {tmp_path / 'out'}"
    message = refusal(BundleError, train, command, model="never looked at")
    assert str(tmp_path / "out" / "export") in message and "thesis.doc" in message
    assert names(tmp_path / "out") == ["export"]


def test_overwriting_deletes_no_foreign_export_folder(train, finished):
    (finished / "export").mkdir()
    (finished / "export" / "thesis.doc").write_text("mine", encoding="utf-8")
    train(f"{SHORT} --overwrite_output_dir --output_dir {finished}")
    assert names(finished / "export") == ["thesis.doc"]


def test_a_package_that_the_export_lacks_is_told_before_the_work(train, tmp_path, monkeypatch):
    def lacks(module):
        raise DependencyError(f"{module} is not installed")

    monkeypatch.setattr(export_folder, "require", lacks)
    command = f"{SHORT} --do_export --output_dir {tmp_path / 'out'}"
    assert "paddle2onnx is not installed" in refusal(DependencyError, train, command, model="never looked at")
    assert not (tmp_path / "out").exists()


def test_a_place_for_the_logs_that_is_a_file(train, tmp_path):
    (tmp_path / "log").write_text("mine", encoding="utf-8")
    command = f"{SHORT} --report_to visualdl --logging_dir {tmp_path / 'log'} --output_dir {tmp_path / 'out'}"
    message = refusal(ConfigError, train, command, model="never looked at")
    assert message.startswith("--logging_dir") and "is a file" in message


def test_nothing_to_do(train, tmp_path):
    message = refusal(ConfigError, train, f"--output_dir {tmp_path / 'out'}")
    assert all(step in message for step in ("--do_train", "--do_eval", "--do_predict", "--do_export"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_an_output_folder_that_is_a_file(train, tmp_path, place):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    message = refusal(ConfigError, train, f"--do_eval --output_dir {tmp_path / place}")
    assert str(tmp_path / "file") in message and "is a file" in message
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_clearing_deletes_a_run_and_nothing_else(tmp_path):
    runs, others = (
        ["checkpoint-3", "generation-0", "teacher-1", "start", "export"],
        ["report", "runs-of-mine", "checkpoint-x"],
    )
    for name in (*runs, *others):
        (tmp_path / name).mkdir()
    (tmp_path / "start" / "prompt_config.json").write_text("{}", encoding="utf-8")
    for name in ("model.safetensors", "eval_results.json", "test_predictions.tsv", "README.md", "thesis.json"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    clear(tmp_path)
    # the README.md is not one that prompt-kit wrote, the report not one that has a page
    assert names(tmp_path) == ["README.md", "checkpoint-x", "report", "runs-of-mine", "thesis.json"]
