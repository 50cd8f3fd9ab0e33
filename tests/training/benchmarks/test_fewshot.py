"""benchmarks/fewshot.py and its peer: real runs of a tiny model, and the tables by hand."""

import json
from pathlib import Path

import pytest
from scripts import load_script
from tiny import EXAMPLES, LABELS

from prompt_kit.errors import ConfigError, PromptKitError

fewshot = load_script("benchmarks/fewshot")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    words = [f"{label}=={words[0]}" for label, words in zip(LABELS.labels, LABELS.words)]
    (folder / "label.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    lines = [f"{one.text_a}\t{one.label}" for one in EXAMPLES]
    for split, rows in (("train", lines), ("dev", lines), ("test", lines[:5])):
        (folder / f"{split}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def benchmark(flags):
    """Of the only task."""
    (task,) = fewshot.tasks(fewshot.parse(flags)).values()
    return fewshot.Benchmark(task)


@pytest.fixture
def no_probe(monkeypatch):
    monkeypatch.setattr(fewshot.Benchmark, "_probe", lambda self, epochs: 5.0 + float(epochs))


@pytest.mark.slow
def test_runs_are_real_and_are_not_repeated(data, tmp_path, tiny_folder, no_probe, capsys, monkeypatch):
    out = tmp_path / "out"
    flags = ["--data_dir", str(data), "--output_dir", str(out), "--model_name_or_path", str(tiny_folder)]
    flags += ["--methods", "zero-shot", "finetune", "peer-rates", "--seeds", "0", "--jobs", "1"]
    given = fewshot.Benchmark._data_flags
    monkeypatch.setattr(
        fewshot.Benchmark, "_data_flags", lambda *args: [*given(*args), "--max_seq_length", "32"]
    )  # the tiny model has few positions
    monkeypatch.setitem(
        fewshot.METHODS, "peer-rates", fewshot.Method("the peer", ("--max_steps", "2", "--eval_steps", "1"), "peer")
    )
    fewshot.main(flags)
    shown = capsys.readouterr().out
    assert "3 of 3 runs to do, 1 at a time; a start takes 6 s, an epoch 1.0 s" in shown
    report = json.loads((out / "fewshot.json").read_text("utf-8"))
    assert [run["method"] for run in report["runs"]] == ["zero-shot", "finetune", "peer-rates"]
    for run in report["runs"]:
        assert run["dev"] * 8 == pytest.approx(round(run["dev"] * 8)) and run["test"] * 5 == pytest.approx(
            round(run["test"] * 5)
        )
    assert (out / "fewshot.md").read_text("utf-8").count("\n") == 2 + 3
    assert not any((out / "models").glob("*/model.safetensors")), "a model that no ensemble needs is not kept"

    monkeypatch.setattr(fewshot.Benchmark, "_call", lambda *args: pytest.fail("a finished run was started again"))
    fewshot.main(flags)
    assert json.loads((out / "fewshot.json").read_text("utf-8"))["runs"] == report["runs"]
    monkeypatch.setitem(fewshot.METHODS, "finetune", fewshot.Method("another definition", ("--seed", "1")))
    assert [job.method for job in benchmark(flags).missing()] == ["finetune"]


@pytest.mark.slow
def test_a_run_that_fails_ends_the_benchmark_in_one_line(data, tmp_path, no_probe):
    flags = ["--data_dir", str(data), "--output_dir", str(tmp_path / "out"), "--methods", "zero-shot", "--seeds", "0"]
    (data / "dev.txt").write_text("今天\tnews_none\n", encoding="utf-8")
    with pytest.raises(PromptKitError, match="train.py .*ended with code 2: .*dev.txt:1: .*news_none"):
        fewshot.main([*flags, "--jobs", "1"])


def test_zero_shot_has_one_run_and_ensembles_come_last(data, tmp_path):
    members = list(fewshot.METHODS["ensemble"].members)
    flags = ["--data_dir", str(data), "--output_dir", str(tmp_path), "--seeds", "0", "1", "--shots", "1", "all"]
    jobs = benchmark([*flags, "--methods", "ensemble", "zero-shot", *members]).jobs()
    assert [job.method for job in jobs].count("zero-shot") == 1
    assert [job.method for job in jobs[-4:]] == ["ensemble"] * 4
    assert len(jobs) == 1 + 4 * len(members) + 4


@pytest.mark.parametrize(
    "flags, told",
    [
        (["--methods", "prompts"], "--methods prompts: expected some of finetune, "),
        (["--methods", "ensemble", "prompt"], "needs the models of prompt-plain, prompt-hard, prompt-words"),
        (
            ["--methods", "student-more", *fewshot.FIVE],
            "student-more needs --unlabeled_file, which it learns from",
        ),
        (["--methods", "transfer"], "--methods transfer needs --source, which it learns from"),
        (["--data_dir", "nowhere"], "--data_dir nowhere: no train.txt there"),
    ],
)
def test_mistakes(data, flags, told):
    with pytest.raises(ConfigError, match=told):
        fewshot.main(["--data_dir", str(data), *flags])


def test_all_methods_but_those_without_their_texts(data):
    assert set(fewshot.METHODS) - set(fewshot.parse(["--methods", "all"]).methods) == {
        "student-more", "student-more-behind", "students-more",
        "student-again", "student-again-behind", "students-again",
        "transfer", "transfer-frozen", "transfer-cosine", "transfer-cosine-frozen",
    }  # fmt: skip
    given = ["--unlabeled_file", "texts.txt", "--source", "trained"]
    assert set(fewshot.METHODS) - set(fewshot.parse(given).methods) == {"transfer-cosine", "transfer-cosine-frozen"}
    assert set(fewshot.parse([*given, "--cosine_source", "trained"]).methods) == set(fewshot.METHODS)


def test_the_source_of_a_transfer_takes_its_place_in_the_flags(data, tmp_path, monkeypatch):
    called = []

    def call(self, program, flags):
        called.append([program, *flags])
        folder = Path(flags[flags.index("--output_dir") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "all_results.json").write_text(json.dumps({"eval_accuracy": 0.5, "test_accuracy": 0.5}))

    monkeypatch.setattr(fewshot.Benchmark, "_call", call)
    flags = ["--data_dir", str(data), "--output_dir", str(tmp_path), "--seeds", "0", "--shots", "1", "--jobs", "1"]
    benchmark([*flags, "--methods", "transfer-frozen", "--source", "trained"]).run_all()
    assert called[0][-5:] == ["--verbalizer", "soft", "--freeze_plm", "--init_prompt_from", "trained"]


def test_means_and_deviations_by_hand():
    runs = [
        {"method": "prompt", "shots": 4, "seed": seed, "flags": [], "dev": dev, "test": test, "seconds": 10.0}
        for seed, (dev, test) in enumerate([(0.4, 0.3), (0.5, 0.5), (0.6, 0.4)])
    ]
    runs += [{**runs[0], "method": "finetune", "shots": 2}]
    runs += [
        {**runs[0], "method": "finetune", "seed": seed, "test": test} for seed, test in ((0, 0.4), (1, 0.2), (7, 0))
    ]
    two, behind, four = fewshot.summarise(runs)
    assert (two["behind"], behind["behind"], four["behind"]) == ([0, 0], [1, 2], [0, 0])  # no prompt has seed 7
    assert (two["shots"], two["runs"], two["test_std"]) == (2, 1, 0.0)
    assert (four["dev"], four["test"]) == (pytest.approx(0.5), pytest.approx(0.4))
    assert four["test_std"] == pytest.approx(0.1)  # of a sample: sqrt((0.01 + 0.01 + 0) / 2)
    about = fewshot.METHODS["prompt"].about
    assert (
        f"| `prompt` {about} | 4 | 50.0 ± 10.0 | 40.0 ± 10.0 | 15.2–64.8 | 30.0 50.0 40.0 |  | 10 |"
        in fewshot.markdown([two, four])
    )
    assert " | 1 of 2 | 10 |\n" in fewshot.markdown([behind])


def test_the_interval_is_students():
    """Three values with a deviation of 0.1: 4.303 x 0.1 / sqrt(3)."""
    assert fewshot.interval([0.3, 0.5, 0.4]) == pytest.approx(0.2484, abs=1e-4)
    assert fewshot.interval([0.3]) is None


def test_tasks_stand_side_by_side_with_their_mean():
    """The mean of two tasks is of the seeds that both have: (0.3 + 0.5) / 2 and (0.5 + 0.9) / 2, so 0.55 ± 12.706 x 0.15."""

    def runs(*tests):
        one = {"method": "prompt", "shots": None, "flags": [], "dev": 0.5, "seconds": 1.0}
        return [{**one, "seed": seed, "test": test} for seed, test in enumerate(tests)]

    table = fewshot.across_tasks({"news": runs(0.3, 0.5, 0.4), "reviews": runs(0.5, 0.9)})
    assert table.splitlines()[0] == "| method | shots | news | reviews | mean |"
    assert table.splitlines()[2] == "| `prompt` | all | 40.0 ± 24.8 | 70.0 ± 254.1 | 55.0 ± 190.6 |"


def test_each_task_has_a_folder_of_its_own(data, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    flags = ["--data_dir", str(data), str(other), "--output_dir", str(tmp_path / "out")]
    found = fewshot.tasks(fewshot.parse(flags))
    assert {name: (task.data_dir, task.output_dir) for name, task in found.items()} == {
        "data": (str(data), str(tmp_path / "out" / "data")),
        "other": (str(other), str(tmp_path / "out" / "other")),
    }
    with pytest.raises(ConfigError, match="another folder is named data too"):
        fewshot.tasks(fewshot.parse(["--data_dir", str(data), str(other / "data"), "--output_dir", str(tmp_path)]))
    with pytest.raises(ConfigError, match="other: no train.txt there"):
        fewshot.main(flags)


def test_the_plot_is_a_picture(tmp_path):
    rows = [
        {"method": name, "shots": shots, "test": 0.1 * (shots or 6), "interval": 0.01}
        for name in ("prompt", "finetune")
        for shots in (1, 2, 4, None)
    ]
    fewshot.plot(rows, 16.0, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_without_examples_only_methods_that_need_none_are_run_and_once(data, tmp_path):
    flags = ["--data_dir", str(data), "--output_dir", str(tmp_path), "--seeds", "3", "4", "--shots", "0", "2"]
    names = ("finetune", "embedding-lr", "embedding-words", "zero-shot")
    jobs = {job.name for job in benchmark([*flags, "--methods", *names]).jobs()}
    trained = {f"{name}-2-seed{seed}" for name in names[:3] for seed in (3, 4)}
    assert jobs == trained | {"zero-shot-0-seed3", "embedding-words-0-seed3"}
